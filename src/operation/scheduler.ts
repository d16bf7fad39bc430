import { type Clock, systemClock, systemWait, type Wait } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Lease } from '../history/history.ts';
import {
  jitterMs,
  latestDueMs,
  missedAfterMs,
  overdueAfterMs,
  type Schedule,
  trustedHandledMs,
} from '../policy/schedule.ts';
import { errorReport } from './error-report.ts';
import { holdLease } from './lease.ts';
import type { OutputReport } from './options.ts';

/** Why a job runs. */
export interface DueRun {
  /** When it should have run; where several runs were missed, the last. */
  readonly scheduledMs: number;
  /** When the first of the runs should have begun that were missed, and are caught up with by this one; undefined where none was. */
  readonly missedMs?: number;
}

/** A job that runs by itself. */
export interface ScheduledJob {
  readonly name: string;
  readonly schedule: Schedule;
  /** Most that a run begins later than the schedule says; 0 unless set. */
  readonly jitterMs?: number;
  /**
   * One run, for a moment of the schedule. What it throws is told, and changes nothing for the next; after `job.running` it is tried again.
   */
  run(signal: AbortSignal, due: DueRun): Promise<void>;
}

/** What processes that run the same jobs share: how far each is done, and who is at it. */
export interface JobStore {
  handledMs(job: string): Promise<number | undefined>;
  setHandledMs(job: string, handledMs: number): Promise<void>;
  takeLease(job: string, options: { nowMs: number; durationMs: number }): Promise<Lease | undefined>;
  renewLease(lease: Lease, options: { nowMs: number; durationMs: number }): Promise<boolean>;
  releaseLease(lease: Lease): Promise<void>;
}

/** Something that happened. */
export interface SchedulerEvent {
  /**
   * `held`: another process is at the job; `overdue`: an hour after its time it has not begun, since another run of it is at work, here or in
   * another process; `problem`: the store failed.
   */
  readonly event: 'started' | 'ended' | 'failed' | 'held' | 'overdue' | 'problem';
  readonly job: string;
  readonly timeMs: number;
  /** When it should have run; where several runs were missed, the last. */
  readonly scheduledMs?: number;
  /** Of a run that began: whether runs were missed that it catches up with, and when the first of them should have begun. */
  readonly missed?: boolean;
  readonly missedMs?: number;
  readonly error?: NonNullable<OutputReport['error']>;
}

/** What {@link runScheduler} takes. */
export interface SchedulerOptions {
  readonly jobs: readonly ScheduledJob[];
  readonly store: JobStore;
  /** Ends it, and the runs that are under way. */
  readonly signal: AbortSignal;
  /** Makes the jitter of this machine another than that of others. */
  readonly seed?: string;
  readonly onEvent?: (event: SchedulerEvent) => void;
  /**
   * Is given, at the start, what puts other jobs in place of those that there are. Of a job whose name stays, a run that is under way goes on, and it
   * is known how far it is done; a run of one that goes is ended by nothing but itself.
   */
  readonly onReady?: (replaceJobs: (jobs: readonly ScheduledJob[]) => Promise<void>) => void;
  readonly clock?: Clock;
  readonly wait?: Wait;
}

/** The clock is looked at this often, so that one that was set, or a machine that slept, is noticed. */
const stepMs = 60_000;

class JobState {
  job: ScheduledJob;
  isRunning = false;
  /** What the run under way is for, once that is known. */
  running: { readonly scheduledMs: number; readonly beganMs: number } | undefined;
  /** The run that was last told to be overdue. */
  toldMs: number | undefined;
  handledMs: number;
  /** Not before this: another process holds the job. */
  retryMs = Number.NEGATIVE_INFINITY;
  #startMs: number | undefined;
  readonly #seed: string;

  constructor(job: ScheduledJob, handledMs: number, seed: string) {
    this.job = job;
    this.handledMs = handledMs;
    this.#seed = `${seed}/${job.name}`;
  }

  /** When the next run begins. */
  startMs(): number {
    this.#startMs ??= this.#findStart();
    return Math.max(this.#startMs, this.retryMs);
  }

  replaceJob(job: ScheduledJob, nowMs: number): void {
    // Until now the former schedule counted: where nothing of it is left to do, the new one has missed nothing.
    const nextMs = this.job.schedule.nextMs(this.handledMs);
    const isDue = nextMs !== undefined && nextMs <= nowMs;
    this.job = job;
    this.setHandled(isDue ? this.handledMs : Math.max(this.handledMs, nowMs));
  }

  /**
   * When the run was due that has not begun: the first one after a run that takes long, or the last where another process has the job. Schedules
   * take their time to be asked, so they are asked only where the answer may be an overdue run.
   */
  waitingMs(nowMs: number): number | undefined {
    const { schedule } = this.job;
    if (!this.isRunning) return this.retryMs > nowMs ? latestDueMs(schedule, this.handledMs, nowMs) : undefined;
    if (this.running === undefined || nowMs - this.running.beganMs < overdueAfterMs) return undefined;
    const nextMs = schedule.nextMs(this.running.scheduledMs);
    return nextMs === undefined || nextMs > nowMs ? undefined : nextMs;
  }

  setHandled(handledMs: number): void {
    this.handledMs = handledMs;
    this.#startMs = undefined;
  }

  #findStart(): number {
    const { schedule, jitterMs: most = 0 } = this.job;
    const next = schedule.nextMs(this.handledMs);
    return next === undefined ? Number.POSITIVE_INFINITY : next + jitterMs(this.#seed, next, most);
  }
}

class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #clock: Clock;
  readonly #wait: Wait;
  readonly #running = new Set<Promise<void>>();
  #states: readonly JobState[] = [];
  /** Ends the pause under way. */
  #pausing = new AbortController();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#wait = options.wait ?? systemWait;
  }

  async run(): Promise<void> {
    const { signal, jobs } = this.#options;
    signal.addEventListener('abort', () => this.#pausing.abort(), { once: true });
    await this.#replaceJobs(jobs);
    this.#options.onReady?.((others) => this.#replaceJobs(others));
    let lastMs = this.#clock.nowMs();
    while (!signal.aborted) {
      const nowMs = this.#clock.nowMs();
      if (nowMs < lastMs) await this.#distrust(this.#states, nowMs);
      lastMs = nowMs;
      await this.#pause(this.#beginDue(nowMs) - nowMs);
    }
    await Promise.all(this.#running);
  }

  /** Begins what is due, and gives when there may be something to do again. */
  #beginDue(nowMs: number): number {
    let untilMs = nowMs + stepMs;
    for (const state of this.#states) {
      const startMs = state.isRunning ? Number.POSITIVE_INFINITY : state.startMs();
      if (startMs <= nowMs) this.#begin(state);
      else if (startMs < untilMs) untilMs = startMs;
      this.#tellOverdue(state, nowMs);
    }
    return untilMs;
  }

  async #replaceJobs(jobs: readonly ScheduledJob[]): Promise<void> {
    const states: JobState[] = [];
    for (const job of jobs) {
      const known = this.#states.find((state) => state.job.name === job.name);
      known?.replaceJob(job, this.#clock.nowMs());
      states.push(known ?? (await this.#stateOf(job)));
    }
    this.#states = states;
    this.#pausing.abort();
  }

  #tellOverdue(state: JobState, nowMs: number): void {
    const { job } = state;
    const scheduledMs = state.waitingMs(nowMs);
    if (scheduledMs === undefined || state.toldMs === scheduledMs) return;
    if (nowMs - scheduledMs <= overdueAfterMs + (job.jitterMs ?? 0)) return;
    state.toldMs = scheduledMs;
    this.#tell({ event: 'overdue', job: job.name, scheduledMs });
  }

  /** A job that was never seen begins now: nothing was missed before it was there. */
  async #stateOf(job: ScheduledJob): Promise<JobState> {
    const nowMs = this.#clock.nowMs();
    const stored = await this.#storedMs(job);
    const handledMs = stored === undefined ? nowMs : trustedHandledMs(stored, nowMs);
    if (stored !== handledMs) await this.#store(job, handledMs);
    return new JobState(job, handledMs, this.#options.seed ?? '');
  }

  /** The clock was set back. What the store says is put right too: as time goes on, it would seem to be. */
  async #distrust(states: readonly JobState[], nowMs: number): Promise<void> {
    for (const state of states) {
      state.setHandled(trustedHandledMs(state.handledMs, nowMs));
      state.retryMs = Number.NEGATIVE_INFINITY;
      const stored = await this.#storedMs(state.job);
      const handledMs = stored && trustedHandledMs(stored, nowMs);
      if (handledMs !== undefined && handledMs !== stored) await this.#store(state.job, handledMs);
    }
  }

  #storedMs(job: ScheduledJob): Promise<number | undefined> {
    return this.#attempt(job, () => this.#options.store.handledMs(job.name));
  }

  async #store(job: ScheduledJob, handledMs: number): Promise<void> {
    await this.#attempt(job, () => this.#options.store.setHandledMs(job.name, handledMs));
  }

  async #pause(durationMs: number): Promise<void> {
    this.#pausing = new AbortController();
    if (this.#options.signal.aborted) this.#pausing.abort();
    try {
      await this.#wait(Math.max(1, durationMs), this.#pausing.signal);
    } catch (error) {
      if (!this.#pausing.signal.aborted) throw error;
    }
  }

  #begin(state: JobState): void {
    state.isRunning = true;
    const running = this.#runOnce(state).finally(() => {
      state.isRunning = false;
      state.running = undefined;
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  async #runOnce(state: JobState): Promise<void> {
    const { job } = state;
    const { store, signal } = this.#options;
    const [clock, wait] = [this.#clock, this.#wait];
    // The job itself, once it runs, may be in a process that outlives this one: it has a lease of its own.
    const name = `schedule of ${job.name}`;
    const lease = await this.#attempt(job, async () => await holdLease({ store, job: name, clock, wait }));
    if (lease === 'held') return this.#postpone(state);
    try {
      await this.#runDue(state, signal);
    } finally {
      if (lease !== undefined) await this.#attempt(job, () => lease.release());
    }
  }

  /** Another process is at it. */
  #postpone(state: JobState): void {
    state.retryMs = this.#clock.nowMs() + stepMs;
    this.#tell({ event: 'held', job: state.job.name });
  }

  /** What is due is asked again, now that nobody else can do it. */
  async #runDue(state: JobState, signal: AbortSignal): Promise<void> {
    const { job } = state;
    const nowMs = this.#clock.nowMs();
    const stored = await this.#storedMs(job);
    // One from a clock that was far ahead tells nothing.
    if (stored !== undefined && trustedHandledMs(stored, nowMs) === stored) {
      state.setHandled(Math.max(stored, state.handledMs));
    }
    const scheduledMs = latestDueMs(job.schedule, state.handledMs, nowMs);
    if (scheduledMs === undefined) return;
    const firstMs = job.schedule.nextMs(state.handledMs) ?? scheduledMs;
    const missed = nowMs - firstMs > missedAfterMs + (job.jitterMs ?? 0);
    const due = { scheduledMs, ...(missed ? { missedMs: firstMs } : {}) };
    state.running = { scheduledMs, beganMs: nowMs };
    this.#tell({ event: 'started', job: job.name, missed, ...due });
    try {
      await job.run(signal, due);
      this.#tell({ event: 'ended', job: job.name, scheduledMs });
    } catch (error) {
      // What was cut off by the end of the program is due again when it starts.
      const code = error instanceof HoldfastError ? error.code : undefined;
      if (signal.aborted && code === 'operation.interrupted') return;
      if (code === 'job.running') return this.#postpone(state);
      this.#tell({ event: 'failed', job: job.name, scheduledMs, error: errorReport(error) });
    }
    // The clock may have been set back while it ran.
    const handledMs = trustedHandledMs(scheduledMs, this.#clock.nowMs());
    state.setHandled(handledMs);
    await this.#store(job, handledMs);
  }

  /** A store that fails stops no backup. */
  async #attempt<Value>(job: ScheduledJob, work: () => Promise<Value>): Promise<Value | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#tell({ event: 'problem', job: job.name, error: errorReport(error) });
      return undefined;
    }
  }

  #tell(event: Omit<SchedulerEvent, 'timeMs'>): void {
    this.#options.onEvent?.({ ...event, timeMs: this.#clock.nowMs() });
  }
}

/**
 * Runs jobs by their schedules until the signal is aborted. A job never overlaps itself, here or in another process that shares the store;
 * what it misses meanwhile, or while nothing ran, is caught up with once. How far a job is done is written when a run has ended: one that
 * dies with its process is run again.
 */
export async function runScheduler(options: SchedulerOptions): Promise<void> {
  await new Scheduler(options).run();
}
