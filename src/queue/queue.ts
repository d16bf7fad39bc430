/** How far a run is, in a queue: what `Progress` tells, without its entries. */
export interface QueuedProgress {
  readonly phase: string;
  readonly doneBytes: number;
  /** An estimate; 0 where none is known. */
  readonly totalBytes: number;
}

/** `scheduled`: it waits for its time; `waiting`: for a worker. */
export type QueuedState = 'scheduled' | 'waiting' | 'running' | 'succeeded' | 'failed';

/** What is to be run: of one job and one moment there is one in a queue. */
export interface JobToQueue {
  readonly queue: string;
  /** A job of the schedule: `backup`, `backup:crm`. */
  readonly job: string;
  /** The moment of the schedule that it is for, or when somebody asked for it. Milliseconds since 1970-01-01T00:00Z. */
  readonly scheduledMs: number;
}

/** A job in a queue. */
export interface QueuedJob extends JobToQueue {
  /** What it is cancelled by. */
  readonly id: string;
  readonly state: QueuedState;
  readonly startedMs?: number;
  readonly endedMs?: number;
  /** How often a worker began it. */
  readonly startedCount: number;
  /** The worker that has it, or had it last: `host:pid`. */
  readonly worker?: string;
  readonly progress?: QueuedProgress;
  /** Why it failed, with its code in brackets. */
  readonly error?: string;
}

/** What a run of a job is given. */
export interface JobRun {
  /** Aborted when it is cancelled, or when the worker ends and does not wait any longer. */
  readonly signal: AbortSignal;
  report(progress: QueuedProgress): void;
}

/** Something that happened to a worker. */
export interface WorkerEvent {
  /**
   * `postponed`: the job runs elsewhere, and is tried again; `returned`: the worker ends, and another one takes it; `stalled`: its worker
   * gave no sign of life, and it waits again; `problem`: the queue does not answer.
   */
  readonly event: 'started' | 'ended' | 'failed' | 'cancelled' | 'postponed' | 'returned' | 'stalled' | 'problem';
  readonly id?: string;
  readonly job?: string;
  readonly scheduledMs?: number;
  /** What went wrong, with its code in brackets. */
  readonly error?: string;
}

/** What {@link Queue.work} takes. */
export interface WorkOptions {
  readonly queue: string;
  /** Jobs that run at once. */
  readonly concurrency: number;
  /** Aborted: no further job is begun, and those that run may end. */
  readonly signal: AbortSignal;
  /** So long they may; then their signals are aborted, and what was interrupted waits for another worker. */
  readonly graceMs: number;
  /** One run. After `job.running` it is tried again later; whatever else it throws fails the job. */
  run(job: QueuedJob, run: JobRun): Promise<void>;
  /**
   * A job that is not tried again: the workers that had it died. Told of those of the last day when the work begins, too, for who was to be told may have
   * died as well; so it may be called again for one that it was called for, and by several workers.
   */
  readonly giveUp?: (job: QueuedJob) => Promise<void>;
  readonly onEvent?: (event: WorkerEvent) => void;
}

/**
 * Named queues of jobs. A job is run by one worker; where that dies, another begins it anew: a run has to see for itself whether the one
 * before it was finished. What a queue throws is `queue.unavailable` unless a method says otherwise.
 */
export interface Queue {
  readonly backend: 'memory' | 'bullmq';
  /** Puts a job in, and gives its id. One that is there for the same moment stays as it is: this may be repeated. */
  add(job: JobToQueue): Promise<string>;
  /** Takes jobs and runs them until the signal is aborted and none runs any more. */
  work(options: WorkOptions): Promise<void>;
  /** What is in a queue: what runs, waits, is scheduled, and the last that failed and succeeded, in this order; 200 of each at most. */
  jobs(queue: string): Promise<readonly QueuedJob[]>;
  /**
   * Cancels a job. `removed`: it waited, and will not run; `asked`: its worker is told, and ends it in good order. One that is done stays.
   * Throws `queue.job_not_found`, also for one that is done.
   */
  cancel(queue: string, id: string): Promise<'removed' | 'asked'>;
  /** Lets go of connections; what `work` does is ended first. May be repeated. */
  close(): Promise<void>;
}
