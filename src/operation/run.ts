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
  if (!Number.isInteger(threads) || threads < 0 || threads > 64) {
    throw new HoldfastError('usage.invalid', { message: 'the number of threads is 0 to 64' });
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

/**
 * Cleans up after a failure: runs every step, whatever becomes of the others, and throws the failure; what the cleaning up meets is
 * added to it.
 */
export async function failAfter(failure: unknown, steps: readonly (() => Promise<void>)[]): Promise<never> {
  const more: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      more.push(error);
    }
  }
  if (more.length === 0) throw failure;
  const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));
  throw new HoldfastError(failure instanceof HoldfastError ? failure.code : 'operation.failed', {
    message: `${reason(failure)}; cleaning up failed too: ${more.map(reason).join('; ')}`,
    ...(failure instanceof HoldfastError ? { hint: failure.hint, context: failure.context } : {}),
    cause: new AggregateError([failure, ...more]),
  });
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
