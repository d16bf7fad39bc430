import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { delay } from '../../clock.ts';
import { type ErrorCode, errorTable, HoldfastError } from '../../errors.ts';
import { BulkMemory } from './bulk-memory.ts';
import type { TaskError, TaskName, TaskRequest, TaskResponse, Tasks, WorkerSetup } from './protocol.ts';
import { SpareAccumulators, TaskRunner } from './task-runner.ts';

interface Pending {
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: unknown) => void;
}

function toError(error: TaskError): Error {
  if (error.code !== undefined && error.code in errorTable) {
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return new HoldfastError(error.code as ErrorCode, { message: error.message, context: error.context, ...hint });
  }
  const plain = new Error(error.message);
  if (error.stack !== undefined) plain.stack = error.stack;
  return plain;
}

function stopped(): HoldfastError {
  return new HoldfastError('operation.interrupted', { message: 'the worker threads were stopped' });
}

/** What does tasks in the order in which they are given. */
interface TaskDoer {
  readonly pendingCount: number;
  run<Name extends TaskName>(task: Omit<TaskRequest<Name>, 'id'>): Promise<Tasks[Name]['output']>;
  close(): Promise<void>;
}

/** One for all that is done in this thread, run after run. */
const inPlaceMemory = new BulkMemory();
const inPlaceAccumulators = new SpareAccumulators();

/** Does tasks in this thread. What goes in and comes out is copied as between threads: a task may use its memory again. */
class InPlace implements TaskDoer {
  readonly pendingCount = 0;
  readonly #runner = new TaskRunner(inPlaceAccumulators);
  #isClosed = false;

  async run<Name extends TaskName>(task: Omit<TaskRequest<Name>, 'id'>): Promise<Tasks[Name]['output']> {
    if (this.#isClosed) throw stopped();
    return structuredClone(this.#runner.run(task)) as Tasks[Name]['output'];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#runner.endParity();
  }
}

/** A task takes less, of any codec; a thread that is stuck is ended all the same. */
const endLimitMs = 30_000;

/** One thread with its tasks under way. */
class TaskThread implements TaskDoer {
  readonly #worker: Worker;
  readonly #stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #exited = Promise.withResolvers<void>();
  readonly #pending = new Map<number, Pending>();
  #failure: Error | undefined;
  #nextId = 0;

  constructor() {
    const script = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
    // Plain heaps stay small: bulk bytes live outside of them. A low limit makes freed buffers come back soon.
    this.#worker = new Worker(new URL(script, import.meta.url), {
      // What the program itself was started with, an --eval for one, is not for its threads.
      execArgv: [],
      workerData: this.#stop,
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 512 },
    });
    this.#worker.on('message', (response: TaskResponse) => this.#settle(response));
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.on('exit', () => {
      this.#fail(new Error('a worker thread ended'));
      this.#exited.resolve();
    });
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  run<Name extends TaskName>(task: Omit<TaskRequest<Name>, 'id'>): Promise<Tasks[Name]['output']> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    const request: TaskRequest<Name> = { id, ...task };
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (output: unknown) => void, reject });
      this.#worker.postMessage(request);
    });
  }

  /**
   * Lets the thread end the task that it is at, and begin no other: one that is terminated within a call of zlib takes the whole process
   * with it (Node asserts that what it closes was initialized).
   */
  async close(): Promise<void> {
    this.#failure ??= stopped();
    Atomics.store(this.#stop, 0, 1);
    this.#worker.postMessage(undefined);
    const hasExited = new AbortController();
    const late = delay(endLimitMs, hasExited.signal);
    await Promise.race([this.#exited.promise, late]);
    hasExited.abort();
    await this.#worker.terminate();
  }

  #settle(response: TaskResponse): void {
    const pending = this.#pending.get(response.id);
    this.#pending.delete(response.id);
    if ('error' in response) pending?.reject(toError(response.error));
    else pending?.resolve(response.output);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const pending of this.#pending.values()) pending.reject(this.#failure);
    this.#pending.clear();
  }
}

/**
 * The worker threads of one run: `threads` for blocks and segments, and one for the SHA-256 of entries, which is sequential. With 0 threads
 * all is done in this one. Any number of archives may be read and written at once; what is kept of each is kept until the pool is closed.
 */
export class WorkerPool {
  /** For what the threads work on. */
  readonly memory: BulkMemory;
  readonly #threads: readonly TaskDoer[];
  readonly #isInPlace: boolean;
  #hashThread: TaskDoer | undefined;
  #archiveCount = 0;
  #nextHash = 0;
  #closed = false;

  constructor(threads: number) {
    this.#isInPlace = threads === 0;
    this.memory = this.#isInPlace ? inPlaceMemory : new BulkMemory();
    this.#threads = this.#isInPlace ? [new InPlace()] : Array.from({ length: threads }, () => new TaskThread());
  }

  get threadCount(): number {
    return this.#threads.length;
  }

  /** The threads for the work on one archive, or on one way of reading or writing it. Several may be at work at once. */
  forArchive(setup?: WorkerSetup): ArchiveWorkers {
    this.#archiveCount += 1;
    const workers = new ArchiveWorkers(this, this.#threads, this.#archiveCount);
    if (setup !== undefined) workers.configure(setup);
    return workers;
  }

  /** Looks for blocks of any archive. */
  scan(input: Tasks['scan']['input']): Promise<Tasks['scan']['output']> {
    return leastBusy(this.#threads).run({ name: 'scan', archive: 0, input });
  }

  /** A number for an entry's SHA-256, used once: what an entry that failed left behind is never gone on with. */
  newHash(): number {
    return this.#nextHash++;
  }

  /** Adds bytes to the SHA-256 of entries; gives the digests of those that end. */
  hash(input: Tasks['hash']['input']): Promise<Tasks['hash']['output']> {
    // A thread that is started now would never be stopped.
    if (this.#closed) return Promise.reject(stopped());
    this.#hashThread ??= this.#isInPlace ? new InPlace() : new TaskThread();
    return this.#hashThread.run({ name: 'hash', archive: 0, input });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const threads = this.#hashThread === undefined ? this.#threads : [...this.#threads, this.#hashThread];
    await Promise.all(threads.map((thread) => thread.close()));
  }
}

function leastBusy(threads: readonly TaskDoer[]): TaskDoer {
  let chosen = threads[0];
  for (const thread of threads) if (thread.pendingCount < (chosen?.pendingCount ?? 0)) chosen = thread;
  assert(chosen !== undefined, 'a pool has at least one thread');
  return chosen;
}

/** The threads of a pool as the work on one archive has them: what they were told of it, and its parity, nobody else sees. */
export class ArchiveWorkers {
  readonly #pool: WorkerPool;
  readonly #threads: readonly TaskDoer[];
  readonly #archive: number;

  /** Made by {@link WorkerPool.forArchive}. */
  constructor(pool: WorkerPool, threads: readonly TaskDoer[], archive: number) {
    this.#pool = pool;
    this.#threads = threads;
    this.#archive = archive;
  }

  get memory(): BulkMemory {
    return this.#pool.memory;
  }

  get threadCount(): number {
    return this.#threads.length;
  }

  /** Tells every thread about the archive. Tasks sent later see it, so nobody waits for threads that are starting. */
  configure(setup: WorkerSetup): void {
    // A thread that cannot be told has failed, and fails its next task.
    this.broadcast('configure', setup).catch(() => undefined);
  }

  /** Runs a task on the thread that has the least to do. */
  run<Name extends TaskName>(name: Name, input: Tasks[Name]['input']): Promise<Tasks[Name]['output']> {
    return leastBusy(this.#threads).run({ name, archive: this.#archive, input });
  }

  /** Runs a task on one thread, always the same, after what was sent there before: for tasks that share what the thread keeps. */
  runInOrder<Name extends TaskName>(name: Name, input: Tasks[Name]['input']): Promise<Tasks[Name]['output']> {
    // The last one: `run` prefers those before it where they have as little to do.
    const thread = this.#threads.at(-1);
    assert(thread !== undefined, 'a pool has at least one thread');
    return thread.run({ name, archive: this.#archive, input });
  }

  /** Runs a task on every thread, after what was sent to each before. */
  broadcast<Name extends TaskName>(name: Name, input: Tasks[Name]['input']): Promise<Tasks[Name]['output'][]> {
    return Promise.all(this.#threads.map((thread) => thread.run({ name, archive: this.#archive, input })));
  }
}
