import { type Clock, delay, systemClock, systemWait, type Wait } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import type { JobToQueue, Queue, QueuedJob, QueuedState, WorkOptions } from '../queue.ts';
import { cancelledText, endOf } from '../run-queued.ts';

/** How a {@link MemoryQueue} is made. */
export interface MemoryQueueOptions {
  /** A job that runs elsewhere is tried again after so long: 60,000 unless set. */
  readonly retryMs?: number;
  readonly clock?: Clock;
  readonly wait?: Wait;
}

type Held = { -readonly [K in keyof QueuedJob]: QueuedJob[K] } & {
  /** Whether it may be taken: not while it is put off. */
  isReady: boolean;
  readonly ending: AbortController;
  result: PromiseWithResolvers<void>;
};

/** So many that are done are remembered, of each queue. */
const keptCount = 200;

/** Queues in the memory of this process: gone with it. For one machine, where the schedule itself knows what is left to do. */
export class MemoryQueue implements Queue {
  readonly backend = 'memory';
  readonly #jobs = new Map<string, Held>();
  readonly #clock: Clock;
  readonly #wait: Wait;
  readonly #retryMs: number;
  readonly #closing = new AbortController();
  readonly #working = new Set<Promise<void>>();
  #change = Promise.withResolvers<void>();

  constructor({ retryMs = 60_000, clock = systemClock, wait = systemWait }: MemoryQueueOptions = {}) {
    this.#retryMs = retryMs;
    this.#clock = clock;
    this.#wait = wait;
  }

  async add({ queue, job, scheduledMs }: JobToQueue): Promise<string> {
    const id = `${job}@${scheduledMs}`;
    const key = `${queue}\0${id}`;
    if (this.#jobs.has(key)) return id;
    const result = quiet(Promise.withResolvers<void>());
    const held: Held = {
      ...{ id, queue, job, scheduledMs, state: 'waiting', startedCount: 0 },
      ...{ isReady: true, ending: new AbortController(), result },
    };
    this.#jobs.set(key, held);
    this.#changed();
    return id;
  }

  /**
   * Waits for the end of the run that is next or under way. Throws what the run threw, and `operation.interrupted` where the signal is
   * aborted and none is under way.
   */
  async result(queue: string, id: string, signal?: AbortSignal): Promise<void> {
    const held = this.#find(queue, id);
    const { result } = held;
    const onAbort = () => {
      if (held.state !== 'running') result.reject(new HoldfastError('operation.interrupted'));
    };
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
    try {
      await result.promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async work(options: WorkOptions): Promise<void> {
    const working = this.#work(options).finally(() => this.#working.delete(working));
    this.#working.add(working);
    await working;
  }

  async #work({ signal, graceMs, ...options }: WorkOptions): Promise<void> {
    const ending = AbortSignal.any([signal, this.#closing.signal]);
    const running = new Map<Held, Promise<void>>();
    const onEnding = () => this.#changed();
    ending.addEventListener('abort', onEnding);
    try {
      while (!ending.aborted) {
        const change = this.#change.promise;
        const next = running.size < options.concurrency ? this.#next(options.queue) : undefined;
        if (next === undefined) await change;
        else {
          const run = this.#run(next, options).finally(() => {
            running.delete(next);
            this.#changed();
          });
          running.set(next, run);
        }
      }
    } finally {
      ending.removeEventListener('abort', onEnding);
    }
    await this.#drain(running, graceMs);
  }

  async #drain(running: ReadonlyMap<Held, Promise<void>>, graceMs: number): Promise<void> {
    const done = new AbortController();
    const all = Promise.all(running.values()).then(() => done.abort());
    await delay(graceMs, done.signal);
    for (const held of running.keys()) held.ending.abort('ending');
    await all;
  }

  #next(queue: string): Held | undefined {
    return [...this.#jobs.values()].find((held) => held.queue === queue && held.state === 'waiting' && held.isReady);
  }

  async #run(held: Held, { run, onEvent }: Pick<WorkOptions, 'run' | 'onEvent'>): Promise<void> {
    const { id, job, scheduledMs, result } = held;
    const told = { id, job, scheduledMs };
    Object.assign(held, { state: 'running', startedMs: this.#clock.nowMs(), startedCount: held.startedCount + 1 });
    onEvent?.({ event: 'started', ...told });
    try {
      await run(toQueuedJob(held), {
        signal: held.ending.signal,
        report: (progress) => {
          held.progress = progress;
        },
      });
      this.#finish(held, 'succeeded');
      onEvent?.({ event: 'ended', ...told });
      result.resolve();
    } catch (thrown) {
      const { aborted, reason } = held.ending.signal;
      const ended = endOf(thrown, aborted ? reason : undefined);
      if (ended.end === 'succeeded') return;
      const { end, error } = ended;
      if (end === 'postponed' || end === 'returned') {
        held.result = quiet(Promise.withResolvers<void>());
        held.state = 'waiting';
        if (end === 'postponed') this.#postpone(held);
      } else this.#finish(held, 'failed', error);
      onEvent?.({ event: end, ...told, error });
      result.reject(thrown);
    }
  }

  #postpone(held: Held): void {
    held.isReady = false;
    this.#wait(this.#retryMs, this.#closing.signal).then(
      () => {
        held.isReady = true;
        this.#changed();
      },
      // Closed meanwhile: nobody takes it any more.
      () => undefined,
    );
  }

  #finish(held: Held, state: QueuedState, error?: string): void {
    Object.assign(held, { state, endedMs: this.#clock.nowMs(), ...(error === undefined ? {} : { error }) });
    const done = [...this.#jobs].filter(([, other]) => other.queue === held.queue && other.endedMs !== undefined);
    for (const [key] of done.slice(0, Math.max(0, done.length - keptCount))) this.#jobs.delete(key);
  }

  async jobs(queue: string): Promise<readonly QueuedJob[]> {
    const all = [...this.#jobs.values()].filter((held) => held.queue === queue).map(toQueuedJob);
    const order: readonly QueuedState[] = ['running', 'waiting', 'scheduled', 'failed', 'succeeded'];
    return order.flatMap((state) => all.filter((job) => job.state === state));
  }

  async cancel(queue: string, id: string): Promise<'removed' | 'asked'> {
    const held = this.#find(queue, id);
    if (held.endedMs !== undefined) throw notFound(queue, id);
    if (held.state === 'running') {
      held.ending.abort('cancelled');
      return 'asked';
    }
    this.#jobs.delete(`${queue}\0${id}`);
    held.result.reject(new HoldfastError('operation.interrupted', { message: cancelledText }));
    return 'removed';
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#working);
  }

  #find(queue: string, id: string): Held {
    const held = this.#jobs.get(`${queue}\0${id}`);
    if (held === undefined) throw notFound(queue, id);
    return held;
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}

/** The error for a job that is not there, or done. */
export function notFound(queue: string, id: string): HoldfastError {
  return new HoldfastError('queue.job_not_found', {
    message: `the queue ${queue} has no job ${id} that waits or runs`,
    context: { queue, id },
  });
}

/** Nobody has to wait for a result. */
function quiet(result: PromiseWithResolvers<void>): PromiseWithResolvers<void> {
  result.promise.catch(() => undefined);
  return result;
}

function toQueuedJob({ isReady: _ready, ending: _ending, result: _result, ...job }: Held): QueuedJob {
  return { ...job };
}
