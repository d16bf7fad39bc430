import { hostname } from 'node:os';
import type { Job, Queue as LibraryQueue } from 'bullmq';
import type { Redis } from 'ioredis';
import { type Clock, systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { overdueAfterMs } from '../../policy/schedule.ts';
import type { Secret } from '../../secret.ts';
import type { JobToQueue, Queue, QueuedJob, QueuedState, WorkOptions } from '../queue.ts';
import { BullmqWorker, type JobData } from './bullmq-worker.ts';
import { type RedisAddress, readRedisAddress } from './redis-address.ts';
import { closeSoon, connectionOptions, loadLibrary, openRedis, RedisSession } from './redis-session.ts';
import { nextOfPattern, type RepeatedTimes, repeatPattern } from './repeat-pattern.ts';

/** How a {@link BullmqQueue} is opened. */
export interface BullmqQueueOptions {
  /** `redis://…`, or `rediss://…` with TLS; of Redis 6.2 or newer, or Valkey. */
  readonly url: Secret;
  /** What its keys begin with: `holdfast` unless set. One for each configuration. */
  readonly prefix?: string;
  /** A file of the certificate authority, for `rediss://`. */
  readonly caPath?: string;
  /** A worker that gives no sign of life for so long has lost its jobs to others: 30,000 unless set. */
  readonly stalledAfterMs?: number;
  /** A job that runs elsewhere is tried again after so long: half of that unless set. */
  readonly retryMs?: number;
  /** How long an answer is waited for: 10,000 unless set. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  /** The next moment of a pattern: of `repeatPattern` unless set. */
  readonly nextMs?: (pattern: string, job: string, afterMs: number) => number | undefined;
}

/** A job that repeats. */
export interface RepeatedJob extends RepeatedTimes {
  readonly queue: string;
  readonly job: string;
}

/** What {@link BullmqQueue.repeat} did: names of jobs. */
export interface RepeatReport {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly kept: readonly string[];
  readonly removed: readonly string[];
}

/** A job whose workers died so often fails: it may be what kills them. */
const mostStalls = 3;
/** What the library says of such a job. */
const givenUpReason = 'job stalled more than allowable limit';
/** Who died before it told of such a job may have told only then: others wait for so long. */
const givenUpClaimSeconds = 300;
const dayMs = 24 * 3600 * 1000;
const shownCount = 200;
/** The wish to cancel a job that is not there any more is forgotten, and so is that it was late. */
const wishKeptSeconds = 7 * 24 * 3600;
const watchMs = 1_000;

/** Jobs in Redis or Valkey, by BullMQ: any number of workers on any number of machines. Close it. */
export class BullmqQueue implements Queue {
  readonly backend = 'bullmq';
  readonly #options: BullmqQueueOptions & { readonly prefix: string; readonly clock: Clock };
  readonly #address: RedisAddress;
  readonly #session: RedisSession;
  readonly #redis: Redis;
  #isClosed = false;
  readonly #queues = new Map<string, LibraryQueue<JobData>>();

  private constructor(options: BullmqQueueOptions, address: RedisAddress, session: RedisSession, redis: Redis) {
    this.#options = { prefix: 'holdfast', clock: systemClock, ...options };
    this.#address = address;
    this.#session = session;
    this.#redis = redis;
  }

  /** Connects. Throws `queue.unavailable`, `config.invalid`, and `tool.not_found` where the library is not installed. */
  static async open(options: BullmqQueueOptions): Promise<BullmqQueue> {
    const address = await readRedisAddress(options.url, options.caPath);
    const { host, port, db } = address;
    const session = new RedisSession(`redis://${host}:${port}/${db}`, options.timeoutMs ?? 10_000);
    const redis = await openRedis(address, session);
    const queue = new BullmqQueue(options, address, session, redis);
    try {
      await session.within(redis.ping());
      return queue;
    } catch (error) {
      await queue.close();
      throw error;
    }
  }

  async add({ queue, job, scheduledMs }: JobToQueue): Promise<string> {
    const opened = await this.#open(queue);
    const jobId = `${schedulerId(job)}@${scheduledMs}`;
    await this.#session.within(opened.add(job, { job, scheduledMs }, { jobId, ...kept }));
    return jobId;
  }

  /** Those of these jobs that do not repeat in their queue. */
  async unrepeated<Given extends Pick<RepeatedJob, 'queue' | 'job'>>(jobs: readonly Given[]): Promise<Given[]> {
    const found: Given[] = [];
    for (const name of new Set(jobs.map(({ queue }) => queue))) {
      const queue = await this.#open(name);
      const known = new Set((await this.#session.within(queue.getJobSchedulers(0, -1))).map(({ key }) => key));
      found.push(...jobs.filter(({ queue, job }) => queue === name && !known.has(schedulerId(job))));
    }
    return found;
  }

  /**
   * Lets exactly these jobs repeat, in all queues of the prefix, and no others. One that is there with the same times stays as it is, with
   * its next run. May be repeated, by several at once.
   */
  async repeat(jobs: readonly RepeatedJob[]): Promise<RepeatReport> {
    const known = `${this.#options.prefix}:queues`;
    const names = new Set([
      ...(await this.#session.within(this.#redis.smembers(known))),
      ...jobs.map(({ queue }) => queue),
    ]);
    if (names.size > 0) await this.#session.within(this.#redis.sadd(known, ...names));
    const report = { added: [] as string[], changed: [] as string[], kept: [] as string[], removed: [] as string[] };
    for (const name of [...names].sort()) {
      await this.#repeatIn(
        name,
        jobs.filter(({ queue }) => queue === name),
        report,
      );
    }
    return report;
  }

  async #repeatIn(
    name: string,
    jobs: readonly RepeatedJob[],
    report: { readonly [K in keyof RepeatReport]: string[] },
  ): Promise<void> {
    const queue = await this.#open(name);
    const existing = new Map(
      (await this.#session.within(queue.getJobSchedulers(0, -1))).map((one) => [one.key, one] as const),
    );
    for (const { job, ...times } of jobs) {
      const id = schedulerId(job);
      const pattern = repeatPattern(times);
      const found = existing.get(id);
      existing.delete(id);
      const list = found === undefined ? report.added : found.pattern === pattern ? report.kept : report.changed;
      list.push(job);
      if (list === report.kept) continue;
      const template = { name: job, data: { job }, opts: kept };
      await this.#session.within(queue.upsertJobScheduler(id, { pattern }, template));
    }
    for (const [id, { name: job }] of existing) {
      await this.#session.within(queue.removeJobScheduler(id));
      report.removed.push(job);
    }
  }

  async work(options: WorkOptions): Promise<void> {
    const { clock, stalledAfterMs = 30_000, retryMs = stalledAfterMs / 2, prefix } = this.#options;
    const { Worker } = await loadLibrary(() => import('bullmq'));
    let isOver = false;
    const worker = new BullmqWorker(
      {
        clock,
        retryMs,
        watchMs,
        isCancelled: async (queue, id) =>
          (await this.#session.within(this.#redis.exists(this.#cancelKey(queue, id)))) > 0,
        givenUp: () => this.#givenUp(options.queue),
        claimGivenUp: async (queue, id) => {
          const key = `${prefix}:given-up:${queue}:${id}`;
          return (await this.#session.within(this.#redis.set(key, '1', 'EX', givenUpClaimSeconds, 'NX'))) === 'OK';
        },
        within: (answer) => this.#session.within(answer),
        end: () => {
          isOver = true;
        },
        toQueuedJob,
        open: async (take) =>
          new Worker<JobData>(options.queue, take, {
            connection: connectionOptions(this.#address, () => isOver),
            prefix,
            name: `${hostname()}:${process.pid}`,
            concurrency: options.concurrency,
            lockDuration: stalledAfterMs,
            stalledInterval: stalledAfterMs,
            maxStalledCount: mostStalls,
            runRetryDelay: 1_000,
            settings: this.#repeatSettings(),
          }),
      },
      options,
    );
    await worker.run();
  }

  async jobs(name: string): Promise<readonly QueuedJob[]> {
    const queue = await this.#open(name);
    const states = [
      ['active', 'running'],
      ['wait', 'waiting'],
      ['delayed', 'scheduled'],
      ['failed', 'failed'],
      ['completed', 'succeeded'],
    ] as const;
    const found: QueuedJob[] = [];
    for (const [type, state] of states) {
      const jobs = await this.#session.within(queue.getJobs([type], 0, shownCount - 1));
      // One may have gone since the list was made.
      found.push(...jobs.filter(Boolean).map((job) => toQueuedJob(name, job, state)));
    }
    return found;
  }

  /** Whether a job has not begun an hour after its time, and whoever asks is the first who sees it: it is theirs to tell. */
  async isNewlyLate({ queue, id, scheduledMs }: QueuedJob): Promise<boolean> {
    if (this.#options.clock.nowMs() - scheduledMs <= overdueAfterMs) return false;
    const key = `${this.#options.prefix}:late:${queue}:${id}`;
    return (await this.#session.within(this.#redis.set(key, '1', 'EX', wishKeptSeconds, 'NX'))) === 'OK';
  }

  async #givenUp(name: string): Promise<QueuedJob[]> {
    const queue = await this.#open(name);
    const afterMs = this.#options.clock.nowMs() - dayMs;
    const failed = await this.#session.within(queue.getJobs(['failed'], 0, shownCount - 1));
    return failed
      .filter((job) => job?.failedReason === givenUpReason && (job.finishedOn ?? 0) > afterMs)
      .map((job) => toQueuedJob(name, job, 'failed'));
  }

  async cancel(name: string, id: string): Promise<'removed' | 'asked'> {
    const queue = await this.#open(name);
    const job = await this.#session.within(queue.getJob(id));
    const state = job === undefined ? 'unknown' : await this.#session.within(job.getState());
    if (job === undefined || !['active', 'waiting', 'delayed', 'prioritized'].includes(state)) {
      throw new HoldfastError('queue.job_not_found', {
        message: `the queue ${name} has no job ${id} that waits or runs`,
        context: { queue: name, id },
      });
    }
    // The next run of a schedule cannot be taken out, or the schedule would end with it: its worker passes over it.
    const isOfSchedule = job.repeatJobKey !== undefined;
    if (state !== 'active' && !isOfSchedule) {
      await this.#session.within(job.remove());
      return 'removed';
    }
    await this.#session.within(this.#redis.set(this.#cancelKey(name, id), '1', 'EX', wishKeptSeconds));
    return 'asked';
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const queue of this.#queues.values()) await closeSoon(queue.close());
    this.#queues.clear();
    this.#redis.disconnect();
  }

  async #open(name: string): Promise<LibraryQueue<JobData>> {
    const opened = this.#queues.get(name);
    if (opened !== undefined) return opened;
    const { Queue: Opened } = await loadLibrary(() => import('bullmq'));
    const queue = new Opened<JobData>(name, {
      connection: connectionOptions(this.#address, () => this.#isClosed),
      prefix: this.#options.prefix,
      settings: this.#repeatSettings(),
    });
    queue.on('error', this.#session.hear);
    this.#queues.set(name, queue);
    return queue;
  }

  /** Moments are those of our own schedules: the same over changes of clocks as without a queue. */
  #repeatSettings() {
    const { nextMs = nextOfPattern } = this.#options;
    return {
      repeatStrategy: (afterMs: number, { pattern = '' }: { readonly pattern?: string }, job = '') =>
        nextMs(pattern, job, afterMs),
    };
  }

  #cancelKey(queue: string, id: string): string {
    return `${this.#options.prefix}:cancel:${queue}:${id}`;
  }
}

/** What is done is remembered for a while: what was put in twice is seen, and `jobs` can show it. */
const kept = { removeOnComplete: { count: 200 }, removeOnFail: { count: 1000 } };

/** Ids take no colons, which jobs have. */
function schedulerId(job: string): string {
  return encodeURIComponent(job);
}

function toQueuedJob(queue: string, job: Job<JobData>, state: QueuedState): QueuedJob {
  const { id = '', name, data, opts, processedOn, finishedOn, failedReason, processedBy, attemptsStarted } = job;
  const progress = job.progress as QueuedJob['progress'] | number;
  return {
    id,
    queue,
    job: data.job ?? name,
    scheduledMs: data.scheduledMs ?? opts.prevMillis ?? job.timestamp,
    state,
    startedCount: attemptsStarted ?? 0,
    ...(processedOn === undefined ? {} : { startedMs: processedOn }),
    ...(finishedOn === undefined ? {} : { endedMs: finishedOn }),
    ...(processedBy === undefined ? {} : { worker: processedBy }),
    ...(typeof progress === 'object' && progress !== null ? { progress } : {}),
    ...(state === 'failed' && failedReason ? { error: failedReason } : {}),
  };
}
