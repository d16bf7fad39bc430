/** The contract of queues, as cases that any of them has to pass. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { HoldfastError } from '../errors.ts';
import type { JobRun, Queue, QueuedJob, WorkerEvent, WorkOptions } from '../queue/queue.ts';

/** A queue under test, empty at first. Jobs that run elsewhere are tried again within a second. */
export interface QueueUnderTest {
  readonly queue: Queue;
}

/** One case of the contract. */
export interface QueueCase {
  readonly name: string;
  /** Rejects when the queue breaks the contract. */
  run(subject: QueueUnderTest): Promise<void>;
}

const backups = 'backups';
const at = (scheduledMs: number, job = 'backup', queue = backups) => ({ queue, job, scheduledMs });

/** A worker that can be waited for. */
class Worker {
  readonly events: WorkerEvent[] = [];
  readonly #ending = new AbortController();
  readonly #done: Promise<void>;
  #heard = Promise.withResolvers<void>();

  constructor(queue: Queue, run: WorkOptions['run'], options: Partial<WorkOptions> = {}) {
    this.#done = queue.work({
      queue: backups,
      concurrency: 1,
      graceMs: 0,
      signal: this.#ending.signal,
      run,
      onEvent: (event) => {
        this.events.push(event);
        this.#heard.resolve();
      },
      ...options,
    });
    // What it throws is seen by whoever ends it.
    this.#done.catch(() => this.#heard.resolve());
  }

  /** Waits until it has told of so many events of a kind. */
  async until(event: WorkerEvent['event'], count = 1): Promise<void> {
    while (this.events.filter((one) => one.event === event).length < count) {
      await this.#heard.promise;
      this.#heard = Promise.withResolvers<void>();
    }
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.#done;
  }
}

/** Runs until its signal is aborted. */
async function untilAborted(_job: QueuedJob, { signal }: JobRun): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
  throw new HoldfastError('operation.interrupted');
}

const told = ({ events }: Worker) => events.map(({ event }) => event);

async function found(queue: Queue, id: string): Promise<QueuedJob> {
  const job = (await queue.jobs(backups)).find((one) => one.id === id);
  assert.ok(job, `there is no job ${id}`);
  return job;
}

/** The cases. */
export const queueCases: readonly QueueCase[] = [
  {
    name: 'a job is run once for each moment, in the order in which it came',
    run: async ({ queue }) => {
      const id = await queue.add(at(1000));
      assert.equal(await queue.add(at(1000)), id);
      await queue.add(at(2000));
      await queue.add(at(1000, 'backup:it is "odd"'));
      const seen: string[] = [];
      const worker = new Worker(queue, async ({ job, scheduledMs }) => void seen.push(`${job} ${scheduledMs}`));
      await worker.until('ended', 3);
      assert.equal(await queue.add(at(1000)), id, 'it is done');
      await queue.add(at(3000));
      await worker.until('ended', 4);
      await worker.end();
      assert.deepEqual(seen, ['backup 1000', 'backup 2000', 'backup:it is "odd" 1000', 'backup 3000']);
      const { state, startedCount, startedMs = 0, endedMs = 0 } = await found(queue, id);
      assert.deepEqual([state, startedCount], ['succeeded', 1]);
      assert.ok(startedMs > 0 && endedMs >= startedMs);
    },
  },
  {
    name: 'queues are apart, and no more jobs run at once than are allowed',
    run: async ({ queue }) => {
      for (let index = 0; index < 5; index++) await queue.add(at(index));
      const other = await queue.add(at(0, 'backup', 'others'));
      let [running, most] = [0, 0];
      const open = Promise.withResolvers<void>();
      const worker = new Worker(
        queue,
        async () => {
          running += 1;
          most = Math.max(most, running);
          if (running === 2) open.resolve();
          await open.promise;
          running -= 1;
        },
        { concurrency: 2 },
      );
      await worker.until('ended', 5);
      await worker.end();
      assert.equal(most, 2);
      assert.deepEqual(
        (await queue.jobs('others')).map(({ id, state }) => [id, state]),
        [[other, 'waiting']],
      );
    },
  },
  {
    name: 'a job that fails says why, and is not run again; the next one is',
    run: async ({ queue }) => {
      const id = await queue.add(at(1));
      await queue.add(at(2));
      const worker = new Worker(queue, async ({ scheduledMs }) => {
        if (scheduledMs === 1) throw new HoldfastError('storage.full', { message: 'no room' });
      });
      await worker.until('ended');
      await worker.end();
      assert.deepEqual(told(worker), ['started', 'failed', 'started', 'ended']);
      const { state, error, startedCount } = await found(queue, id);
      assert.deepEqual([state, error, startedCount], ['failed', 'no room [storage.full]', 1]);
    },
  },
  {
    name: 'a job that runs elsewhere is tried again',
    run: async ({ queue }) => {
      const id = await queue.add(at(1));
      const worker = new Worker(queue, async ({ startedCount }) => {
        if (startedCount < 2) throw new HoldfastError('job.running');
      });
      await worker.until('ended');
      await worker.end();
      assert.deepEqual(told(worker), ['started', 'postponed', 'started', 'ended']);
      assert.equal((await found(queue, id)).state, 'succeeded');
    },
  },
  {
    name: 'a job that waits is taken out, one that runs is interrupted, one that is done stays',
    run: async ({ queue }) => {
      const [first, second] = [await queue.add(at(1)), await queue.add(at(2))];
      const worker = new Worker(queue, untilAborted);
      await worker.until('started');
      assert.equal((await found(queue, first)).state, 'running');
      assert.equal(await queue.cancel(backups, second), 'removed');
      assert.equal(await queue.cancel(backups, first), 'asked');
      await worker.until('cancelled');
      await worker.end();
      const { state, error = '' } = await found(queue, first);
      assert.deepEqual([state, /cancelled/.test(error)], ['failed', true]);
      assert.deepEqual(told(worker), ['started', 'cancelled']);
      for (const id of [first, second, 'unknown'])
        await assert.rejects(queue.cancel(backups, id), { code: 'queue.job_not_found' });
      await assert.rejects(queue.cancel('others', first), { code: 'queue.job_not_found' });
    },
  },
  {
    name: 'a worker that ends takes no further job, and lets those that run end',
    run: async ({ queue }) => {
      const [first, second] = [await queue.add(at(1)), await queue.add(at(2))];
      const go = Promise.withResolvers<void>();
      const worker = new Worker(queue, () => go.promise, { graceMs: 60_000 });
      await worker.until('started');
      const ended = worker.end();
      go.resolve();
      await ended;
      assert.deepEqual(told(worker), ['started', 'ended']);
      assert.equal((await found(queue, first)).state, 'succeeded');
      assert.equal((await found(queue, second)).state, 'waiting');
    },
  },
  {
    name: 'what is interrupted when its worker ends is begun again by another',
    run: async ({ queue }) => {
      const id = await queue.add(at(1));
      const worker = new Worker(queue, untilAborted, { graceMs: 1 });
      await worker.until('started');
      await worker.end();
      assert.deepEqual(told(worker), ['started', 'returned']);
      assert.equal((await found(queue, id)).state, 'waiting');
      const other = new Worker(queue, async () => undefined);
      await other.until('ended');
      await other.end();
      assert.deepEqual([(await found(queue, id)).state, (await found(queue, id)).startedCount], ['succeeded', 2]);
    },
  },
  {
    name: 'how far a run is can be seen',
    run: async ({ queue }) => {
      const id = await queue.add(at(1));
      const worker = new Worker(queue, async (job, run) => {
        run.report({ phase: 'read', doneBytes: 5, totalBytes: 10 });
        await untilAborted(job, run);
      });
      await worker.until('started');
      let seen: QueuedJob | undefined;
      while (seen?.progress === undefined) seen = await found(queue, id);
      assert.deepEqual(seen.progress, { phase: 'read', doneBytes: 5, totalBytes: 10 });
      await queue.cancel(backups, id);
      await worker.until('cancelled');
      await worker.end();
    },
  },
];
