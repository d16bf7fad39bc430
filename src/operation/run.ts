import { availableParallelism } from 'node:os';
import { WorkerPool } from '../archive/worker/worker-pool.ts';
import { type Clock, systemClock } from '../clock.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { Progress, RunOptions } from './options.ts';

const maximumThreads = 8;
const progressIntervalMs = 100;

/** Runs an operation with worker threads that end with it. Whatever fails after an abort is reported as the abort. */
export async function withWorkers<Result>(
  options: RunOptions,
  work: (workers: WorkerPool) => Promise<Result>,
): Promise<Result> {
  throwIfAborted(options.signal);
  const threads = options.threads ?? Math.min(availableParallelism(), maximumThreads);
  if (!Number.isInteger(threads) || threads < 1 || threads > 64) {
    throw new HoldfastError('usage.invalid', { message: 'the number of threads is 1 to 64' });
  }
  const workers = new WorkerPool(threads);
  try {
    return await work(workers);
  } catch (error) {
    throwIfAborted(options.signal);
    throw error;
  } finally {
    await workers.close();
  }
}

/** Passes progress on, at most ten times a second and at each end of a phase. */
export class ProgressMeter {
  readonly #clock: Clock;
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #phase: string | undefined;

  constructor(options: RunOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#onProgress = options.onProgress;
  }

  report(progress: Progress): void {
    if (this.#onProgress === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    const ended = progress.totalBytes > 0 && progress.doneBytes >= progress.totalBytes;
    if (!ended && progress.phase === this.#phase && nowMs - this.#lastMs < progressIntervalMs) return;
    this.#lastMs = nowMs;
    this.#phase = progress.phase;
    this.#onProgress(progress);
  }
}
