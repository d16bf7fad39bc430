import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { queueCases } from '../../testing/queue-cases.ts';
import { MemoryQueue } from './memory-queue.ts';

for (const { name, run } of queueCases) {
  test(`memory: ${name}`, async (t) => {
    const queue = new MemoryQueue({ retryMs: 5 });
    t.after(() => queue.close());
    await run({ queue });
  });
}

test('who put a job in is told how its run ended', async (t) => {
  const queue = new MemoryQueue({ retryMs: 1 });
  t.after(() => queue.close());
  const ids = [];
  for (const scheduledMs of [1, 2, 3]) ids.push(await queue.add({ queue: 'q', job: 'backup', scheduledMs }));
  const results = ids.map((id) => queue.result('q', id));
  const ending = new AbortController();
  const work = queue.work({
    queue: 'q',
    concurrency: 1,
    graceMs: 0,
    signal: ending.signal,
    run: async ({ scheduledMs, startedCount }) => {
      if (scheduledMs === 2) throw new HoldfastError('storage.full');
      if (scheduledMs === 3 && startedCount === 1) throw new HoldfastError('job.running');
    },
  });
  const [first, second, third] = await Promise.allSettled(results);
  assert.equal(first?.status, 'fulfilled');
  assert.ok(second?.status === 'rejected' && second.reason.code === 'storage.full');
  assert.ok(third?.status === 'rejected' && third.reason.code === 'job.running');
  await queue.result('q', ids[2] ?? '');
  ending.abort();
  await work;
  const waiting = await queue.add({ queue: 'q', job: 'backup', scheduledMs: 4 });
  await assert.rejects(queue.result('q', waiting, ending.signal), { code: 'operation.interrupted' });
});

test('a job that was put off is tried again when it has waited, though the clock was set back', {
  timeout: 30_000,
}, async (t) => {
  const clock = new FakeClock();
  const queue = new MemoryQueue({ clock, wait: async () => clock.setNowMs(0) });
  t.after(() => queue.close());
  const id = await queue.add({ queue: 'q', job: 'backup', scheduledMs: 1 });
  const ending = new AbortController();
  const tried = Promise.withResolvers<void>();
  const work = queue.work({
    queue: 'q',
    concurrency: 1,
    graceMs: 0,
    signal: ending.signal,
    run: async ({ startedCount }) => {
      if (startedCount === 1) throw new HoldfastError('job.running');
      tried.resolve();
    },
  });
  await tried.promise;
  ending.abort();
  await work;
  assert.equal((await queue.jobs('q')).find((job) => job.id === id)?.state, 'succeeded');
});

test('of jobs that are done the last 200 are remembered', async (t) => {
  const queue = new MemoryQueue();
  t.after(() => queue.close());
  const ending = new AbortController();
  const work = queue.work({
    queue: 'q',
    concurrency: 1,
    graceMs: 0,
    signal: ending.signal,
    run: async () => undefined,
  });
  let last = '';
  for (let scheduledMs = 0; scheduledMs < 230; scheduledMs++) {
    last = await queue.add({ queue: 'q', job: 'backup', scheduledMs });
  }
  await queue.result('q', last);
  ending.abort();
  await work;
  const kept = (await queue.jobs('q')).map(({ scheduledMs }) => scheduledMs);
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [200, 30, 229]);
});
