import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { joinPaths, type SmallFilesRead } from './read-small-files.ts';

/** What the thread is asked. */
export interface SmallFilesRequest {
  readonly id: number;
  readonly ask: 'read' | 'measure';
  /** A zero byte, which no path has, ends each. */
  readonly joinedPaths: Uint8Array;
}

/** So many paths are asked for at once. */
export const pathsAtOnce = 64;
/** Below this number a thread would cost more than it saves. */
const leastFiles = 200;

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** Reads the small files of a tree in a thread of its own, many at a time. A tree of few files never starts it. */
export class SmallFiles {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #seenFiles = 0;
  #lastId = 0;

  /** Counts names of the tree. */
  see(count: number): void {
    this.#seenFiles += count;
  }

  /** Whether so many were seen that they are read here. */
  get isWorthIt(): boolean {
    return this.#seenFiles > leastFiles;
  }

  /** What stands at the first of some paths; see `readSmallFiles`. */
  async read(paths: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<SmallFilesRead> {
    return (await this.#ask('read', paths, signal)) as SmallFilesRead;
  }

  /** The size of what stands at each path; see `measureFiles`. */
  async measure(paths: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<Float64Array> {
    return (await this.#ask('measure', paths, signal)) as Float64Array;
  }

  /** May be repeated; what is still asked fails. */
  close(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    // A thread that a dead network file system holds never ends, and nobody waits for it.
    void worker?.terminate();
    worker?.unref();
    this.#failAll(new HoldfastError('operation.interrupted'));
  }

  async #ask(
    ask: SmallFilesRequest['ask'],
    paths: readonly Uint8Array[],
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    throwIfAborted(signal);
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const onAbort = () => reject(new HoldfastError('operation.interrupted', { cause: signal?.reason }));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.set(id, { resolve, reject });
    try {
      const worker = this.#thread();
      worker.ref();
      worker.postMessage({ id, ask, joinedPaths: joinPaths(paths) } satisfies SmallFilesRequest);
      return await promise;
    } finally {
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#worker?.unref();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const script = new URL(`./small-files-worker${extname(import.meta.url)}`, import.meta.url);
    // The flags of the process may be such as a thread refuses.
    const worker = new Worker(script, { execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 4 } });
    worker.on('message', ({ id, answer }: { id: number; answer: unknown }) => this.#waiting.get(id)?.resolve(answer));
    worker.on('error', (error) => this.#failAll(error));
    worker.on('exit', () =>
      this.#failAll(
        new HoldfastError('operation.failed', { message: 'the thread that reads small files ended early' }),
      ),
    );
    this.#worker = worker;
    return worker;
  }

  #failAll(error: unknown): void {
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}
