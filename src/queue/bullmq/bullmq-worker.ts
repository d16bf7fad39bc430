import type { Job, Worker } from 'bullmq';
import { type Clock, delay } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import type { QueuedJob, QueuedProgress, WorkerEvent, WorkOptions } from '../queue.ts';
import { endOf } from '../run-queued.ts';
import { closeSoon, loadLibrary } from './redis-session.ts';

/** What a job has with it. One of a schedule has its moment among its options. */
export interface JobData {
  readonly job: string;
  readonly scheduledMs?: number;
}

/** How a worker is run. */
export interface WorkerSettings {
  readonly clock: Clock;
  /** A job that runs elsewhere is tried again after so long. */
  readonly retryMs: number;
  /** How often a running job is asked whether it was cancelled. */
  readonly watchMs: number;
  isCancelled(queue: string, id: string): Promise<boolean>;
  /** Jobs that were given up in the last day. */
  givenUp(): Promise<readonly QueuedJob[]>;
  /** Whether this worker is the one to tell of it, for some minutes. */
  claimGivenUp(queue: string, id: string): Promise<boolean>;
  /** Waits for an answer of the queue, for so long. */
  within<Value>(work: Promise<Value>): Promise<Value>;
  /** From now on a connection that is lost is not made again. */
  end(): void;
  toQueuedJob(queue: string, job: Job<JobData>, state: QueuedJob['state']): QueuedJob;
  /** Makes the worker of the library, which hands jobs to a function. */
  open(take: (job: Job<JobData>, token?: string) => Promise<void>): Promise<Worker<JobData>>;
}

/** Progress is written once in so long. */
const reportEveryMs = 1_000;

/** Takes jobs of one queue until it is told to end. */
export class BullmqWorker {
  readonly #settings: WorkerSettings;
  readonly #options: WorkOptions;
  readonly #running = new Map<string, AbortController>();
  readonly #givingUp = new Set<Promise<void>>();
  #problem: string | undefined;

  constructor(settings: WorkerSettings, options: WorkOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { signal, graceMs } = this.#options;
    if (signal.aborted) return;
    const worker = await this.#settings.open((job, token) => this.#take(job, token));
    worker.on('error', (error) => this.#tellProblem(error));
    worker.on('stalled', (id) => this.#tell({ event: 'stalled', id }));
    // Of its own failures it has told; those of jobs whose workers died too often the library finds.
    worker.on('failed', (job, error) => {
      if (job?.deferredFailure !== undefined) this.#tellGivenUp(job, error);
    });
    this.#keep(this.#tellEarlierGivenUp());
    const ended = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => ended.resolve(), { once: true });
    if (!signal.aborted) await ended.promise;
    // From now on it takes no job; it is closed once those that run have ended.
    const done = new AbortController();
    const idle = worker.pause().finally(() => done.abort());
    idle.catch(() => undefined);
    if (this.#running.size > 0) await delay(graceMs, done.signal);
    for (const controller of this.#running.values()) controller.abort('ending');
    await this.#untilIdle();
    try {
      // The queue is told how they ended. Where it is away their locks run out, and others see that they are done.
      await this.#settings.within(idle);
    } catch (error) {
      this.#tellProblem(error);
    }
    await Promise.all(this.#givingUp);
    // That connections end is no problem any more.
    worker.removeAllListeners('error').on('error', () => undefined);
    this.#settings.end();
    // Not in good order, which would wait for a server that is away: there is nothing left to be waited for.
    await closeSoon(worker.close(true));
  }

  #tellGivenUp(given: Job<JobData>, { message }: Error): void {
    const job = this.#settings.toQueuedJob(this.#options.queue, given, 'failed');
    const { id, job: name, scheduledMs } = job;
    this.#tell({ event: 'failed', id, job: name, scheduledMs, error: `${message} [queue.job_given_up]` });
    this.#keep(this.#giveUp(job));
  }

  async #tellEarlierGivenUp(): Promise<void> {
    if (this.#options.giveUp === undefined) return;
    for (const job of await this.#settings.givenUp()) await this.#giveUp(job);
  }

  async #giveUp(job: QueuedJob): Promise<void> {
    const { giveUp, queue } = this.#options;
    if (giveUp === undefined || !(await this.#settings.claimGivenUp(queue, job.id))) return;
    await giveUp(job);
  }

  /** Work that is waited for in the end. */
  #keep(work: Promise<void>): void {
    const kept = work.catch((error: unknown) => this.#tellProblem(error)).finally(() => this.#givingUp.delete(kept));
    this.#givingUp.add(kept);
  }

  #idle = Promise.withResolvers<void>();

  async #untilIdle(): Promise<void> {
    while (this.#running.size > 0) await this.#idle.promise;
  }

  /** One run. What it throws tells the library what becomes of the job. */
  async #take(taken: Job<JobData>, token?: string): Promise<void> {
    const { queue } = this.#options;
    const job = this.#settings.toQueuedJob(queue, taken, 'running');
    const ending = new AbortController();
    this.#running.set(job.id, ending);
    const watched = new AbortController();
    try {
      await this.#runJob(job, { taken, token, ending, watched: watched.signal });
    } finally {
      watched.abort();
      this.#running.delete(job.id);
      this.#idle.resolve();
      this.#idle = Promise.withResolvers<void>();
    }
  }

  async #runJob(
    job: QueuedJob,
    given: {
      readonly taken: Job<JobData>;
      readonly token: string | undefined;
      readonly ending: AbortController;
      readonly watched: AbortSignal;
    },
  ): Promise<void> {
    const { taken, token, ending, watched } = given;
    const told = { id: job.id, job: job.job, scheduledMs: job.scheduledMs };
    this.#problem = undefined;
    const { DelayedError, WaitingError, UnrecoverableError } = await loadLibrary(() => import('bullmq'));
    try {
      await this.#watchOnce(job, ending);
      if (ending.signal.aborted) throw new HoldfastError('operation.interrupted');
      void this.#watch(job, ending, watched);
      this.#tell({ event: 'started', ...told });
      await this.#options.run(job, { signal: ending.signal, report: this.#reporter(taken) });
      this.#tell({ event: 'ended', ...told });
    } catch (thrown) {
      const { aborted, reason } = ending.signal;
      const ended = endOf(thrown, aborted ? reason : undefined);
      if (ended.end === 'succeeded') return;
      this.#tell({ event: ended.end, ...told, error: ended.error });
      if (ended.end === 'postponed') {
        const { clock, retryMs } = this.#settings;
        await this.#settings.within(taken.moveToDelayed(clock.nowMs() + retryMs, token));
        throw new DelayedError();
      }
      if (ended.end === 'returned') {
        // Where that fails its lock runs out, and another takes it for stalled.
        await this.#settings.within(taken.moveToWait(token));
        throw new WaitingError();
      }
      throw new UnrecoverableError(ended.error);
    }
  }

  /** Looks whether somebody wants it to end, until it has. */
  async #watch(job: QueuedJob, ending: AbortController, watched: AbortSignal): Promise<void> {
    while (!watched.aborted && !ending.signal.aborted) {
      await delay(this.#settings.watchMs, watched);
      if (!watched.aborted) await this.#watchOnce(job, ending);
    }
  }

  async #watchOnce({ queue, id }: QueuedJob, ending: AbortController): Promise<void> {
    try {
      if (await this.#settings.isCancelled(queue, id)) ending.abort('cancelled');
    } catch (error) {
      this.#tellProblem(error);
    }
  }

  #reporter(taken: Job<JobData>): (progress: QueuedProgress) => void {
    let writtenMs = Number.NEGATIVE_INFINITY;
    return (progress) => {
      const nowMs = this.#settings.clock.monotonicMs();
      if (nowMs - writtenMs < reportEveryMs) return;
      writtenMs = nowMs;
      taken.updateProgress(progress).catch((error) => this.#tellProblem(error));
    };
  }

  /** A queue that is away says so many times a second: each problem is told once, until work goes on. */
  #tellProblem(thrown: unknown): void {
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    if (text === this.#problem) return;
    this.#problem = text;
    this.#tell({ event: 'problem', error: `${text} [queue.unavailable]` });
  }

  #tell(event: WorkerEvent): void {
    this.#options.onEvent?.(event);
  }
}
