import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createServer } from 'node:tls';
import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { HoldfastError } from '../../src/errors.ts';
import { BullmqQueue, type BullmqQueueOptions } from '../../src/queue/bullmq/bullmq-queue.ts';
import { loadLibrary } from '../../src/queue/bullmq/redis-session.ts';
import type { WorkerEvent } from '../../src/queue/queue.ts';
import { Secret } from '../../src/secret.ts';
import { queueCases } from '../../src/testing/queue-cases.ts';
import { makeCertificate } from '../services/self-signed-certificate.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type RedisService, startRedis } from '../services/start-redis.ts';

leaveOutWithout('redis');

const password = 'canary of the queue/%@:';
let server: RedisService;
before(async () => {
  server = await startRedis({ password, durable: true });
});
after(() => server.stop());

let made = 0;
async function open(options: Partial<BullmqQueueOptions> = {}): Promise<BullmqQueue> {
  if (options.prefix === undefined) made += 1;
  return await BullmqQueue.open({ url: new Secret(server.url), prefix: `test ${made}`, retryMs: 5, ...options });
}

for (const { name, run } of queueCases) {
  test(`BullMQ: ${name}`, { timeout: 60_000 }, async (t) => {
    const queue = await open();
    t.after(() => queue.close());
    await run({ queue });
  });
}

const daily = { times: { dailyTime: '02:00', timezone: 'Europe/Berlin' }, jitterMs: 0 };

test('what repeats is registered once, by two at once, and is gone with its configuration', {
  timeout: 60_000,
}, async (t) => {
  const [one, other] = [await open({ prefix: 'repeat' }), await open({ prefix: 'repeat' })];
  t.after(async () => {
    await one.close();
    await other.close();
  });
  const jobs = [
    { queue: 'backups', job: 'backup', ...daily },
    { queue: 'nightly', job: 'backup:crm', ...daily },
  ];
  await Promise.all([one.repeat(jobs), other.repeat(jobs)]);
  const scheduled = async () =>
    [...(await one.jobs('backups')), ...(await one.jobs('nightly'))].map(({ job, state }) => `${job} ${state}`);
  assert.deepEqual(await scheduled(), ['backup scheduled', 'backup:crm scheduled']);
  assert.deepEqual(await one.repeat(jobs), { added: [], changed: [], kept: ['backup', 'backup:crm'], removed: [] });
  const [next] = await one.jobs('backups');
  const text = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', timeStyle: 'short' });
  assert.equal(text.format(next?.scheduledMs), '02:00');
  const moved = [{ queue: 'backups', job: 'backup', ...daily, times: { cron: '0 3 * * *' } }];
  assert.deepEqual(await one.repeat(moved), { added: [], changed: ['backup'], kept: [], removed: ['backup:crm'] });
  assert.deepEqual(await scheduled(), ['backup scheduled']);
  assert.deepEqual((await one.repeat([])).removed, ['backup']);
  assert.deepEqual(await scheduled(), []);
});

test('a job that repeats is run each time by one of the workers', { timeout: 60_000 }, async (t) => {
  const start = Math.ceil(Date.now() / 1000) * 1000;
  const nextMs = (_pattern: string, _job: string, afterMs: number) =>
    Math.max(start, (Math.floor(afterMs / 200) + 1) * 200);
  const queues = [await open({ prefix: 'repeated', nextMs }), await open({ prefix: 'repeated', nextMs })];
  t.after(async () => {
    for (const queue of queues) await queue.close();
  });
  const ending = new AbortController();
  const seen: number[] = [];
  const enough = Promise.withResolvers<void>();
  const work = queues.map((queue) =>
    queue.work({
      queue: 'backups',
      concurrency: 2,
      graceMs: 0,
      signal: ending.signal,
      run: async ({ scheduledMs }) => {
        seen.push(scheduledMs);
        if (seen.length === 4) enough.resolve();
      },
    }),
  );
  for (const queue of queues) await queue.repeat([{ queue: 'backups', job: 'backup', ...daily }]);
  await enough.promise;
  await queues[0]?.repeat([]);
  ending.abort();
  await Promise.all(work);
  assert.equal(new Set(seen).size, seen.length, 'a moment was run twice');
  assert.ok(seen.every((moment) => moment % 200 === 0));
});

test('a run of a schedule can be cancelled before its time, and the schedule goes on', {
  timeout: 60_000,
}, async (t) => {
  let soon = false;
  const nextMs = (_pattern: string, _job: string, afterMs: number) => afterMs + (soon ? 100 : 500);
  const queue = await open({ nextMs });
  t.after(() => queue.close());
  await queue.repeat([{ queue: 'backups', job: 'backup', ...daily }]);
  const [next] = await queue.jobs('backups');
  assert.ok(next);
  assert.equal(await queue.cancel('backups', next.id), 'asked');
  soon = true;
  const ending = new AbortController();
  const [seen, ran]: [WorkerEvent[], PromiseWithResolvers<number>] = [[], Promise.withResolvers<number>()];
  const work = queue.work({
    queue: 'backups',
    concurrency: 1,
    graceMs: 0,
    signal: ending.signal,
    run: async ({ scheduledMs }) => ran.resolve(scheduledMs),
    onEvent: (event) => seen.push(event),
  });
  assert.ok((await ran.promise) > next.scheduledMs);
  await queue.repeat([]);
  ending.abort();
  await work;
  assert.deepEqual([seen[0]?.event, seen[0]?.scheduledMs], ['cancelled', next.scheduledMs]);
});

test('a server that restarts in mid-run ends nothing', { timeout: 60_000 }, async (t) => {
  const queue = await open();
  t.after(() => queue.close());
  const id = await queue.add({ queue: 'backups', job: 'backup', scheduledMs: 1 });
  const ending = new AbortController();
  const [started, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const [go, again] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const events: string[] = [];
  const work = queue.work({
    queue: 'backups',
    concurrency: 1,
    graceMs: 0,
    signal: ending.signal,
    run: async ({ scheduledMs }) => {
      if (scheduledMs === 2) return again.resolve();
      started.resolve();
      await go.promise;
    },
    onEvent: ({ event }) => {
      events.push(event);
      if (event === 'ended') done.resolve();
    },
  });
  await started.promise;
  await server.kill();
  await server.restart();
  go.resolve();
  await done.promise;
  await queue.add({ queue: 'backups', job: 'backup', scheduledMs: 2 });
  await again.promise;
  ending.abort();
  await work;
  const first = (await queue.jobs('backups')).find((job) => job.id === id);
  assert.deepEqual([first?.state, first?.startedCount], ['succeeded', 1]);
  assert.ok(!events.includes('stalled'));
});

test('a worker ends although its server is away, and its job is left to others', { timeout: 60_000 }, async (t) => {
  const queue = await open({ timeoutMs: 2_000, stalledAfterMs: 1_000 });
  const id = await queue.add({ queue: 'backups', job: 'backup', scheduledMs: 1 });
  const [first, second] = [new AbortController(), new AbortController()];
  const started = Promise.withResolvers<void>();
  const events: string[] = [];
  const work = queue.work({
    queue: 'backups',
    concurrency: 1,
    graceMs: 0,
    signal: first.signal,
    run: async (_, { signal }) => {
      started.resolve();
      await once(signal, 'abort');
      throw new HoldfastError('operation.interrupted');
    },
    onEvent: ({ event }) => events.push(event),
  });
  await started.promise;
  await server.kill();
  first.abort();
  await work;
  await queue.close();
  await server.restart();
  assert.ok(events.includes('returned'), events.join());
  const other = await open({ prefix: `test ${made}`, stalledAfterMs: 1_000 });
  t.after(() => other.close());
  const done = Promise.withResolvers<string>();
  const again = other.work({
    queue: 'backups',
    concurrency: 1,
    graceMs: 0,
    signal: second.signal,
    run: async (job) => done.resolve(job.id),
  });
  assert.equal(await done.promise, id);
  second.abort();
  await again;
});

test('a job whose workers died too often fails, and is told', { timeout: 60_000 }, async (t) => {
  const queue = await open();
  t.after(() => queue.close());
  const id = await queue.add({ queue: 'backups', job: 'backup', scheduledMs: 1 });
  const redis = new Redis(server.url);
  // What the library's script for stalled jobs writes.
  await redis.hset(`test ${made}:backups:${id}`, 'defa', 'job stalled more than allowable limit');
  await redis.quit();
  const ending = new AbortController();
  const failed = Promise.withResolvers<WorkerEvent>();
  const work = queue.work({
    queue: 'backups',
    concurrency: 1,
    graceMs: 0,
    signal: ending.signal,
    run: async () => assert.fail('it was run again'),
    onEvent: (event) => failed.resolve(event),
  });
  const { event, scheduledMs, error } = await failed.promise;
  assert.deepEqual([event, scheduledMs], ['failed', 1]);
  assert.match(error ?? '', /stalled more than/);
  ending.abort();
  await work;
});

test('TLS goes by the certificate authority of the settings, and by no other', { timeout: 60_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-queue-'));
  t.after(() => rm(folder, { recursive: true }));
  const { certificatePath, keyPath } = await makeCertificate(folder, undefined);
  const identity = { cert: await readFile(certificatePath), key: await readFile(keyPath) };
  const proxy = createServer(identity, (client) => {
    const redis = connect(server.port, '127.0.0.1');
    for (const socket of [client, redis]) socket.on('error', () => undefined);
    client.pipe(redis).pipe(client);
  });
  proxy.on('tlsClientError', () => undefined);
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => proxy.close());
  const { port } = proxy.address() as AddressInfo;
  const url = new Secret(server.url.replace('redis:', 'rediss:').replace(`:${server.port}/`, `:${port}/`));
  const queue = await open({ url, caPath: certificatePath });
  const id = await queue.add({ queue: 'backups', job: 'backup', scheduledMs: 1 });
  assert.equal((await queue.jobs('backups'))[0]?.id, id);
  await queue.close();
  await assert.rejects(open({ url, timeoutMs: 5_000 }), { code: 'queue.unavailable', message: /certificate/ });
  await assert.rejects(open({ url, caPath: join(folder, 'missing') }), { code: 'config.invalid' });
});

test('a server that is away or refuses is told without the password', { timeout: 60_000 }, async () => {
  const wrong = new URL(server.url);
  wrong.password = 'wrong-canary';
  const away = new URL(server.url);
  away.port = '1';
  for (const url of [wrong.href, away.href, 'redis://:canary@[', 'http://:canary@host', 'redis://:canary@host/x']) {
    const error = await BullmqQueue.open({ url: new Secret(url), timeoutMs: 400 }).then(
      () => assert.fail('it was opened'),
      (thrown: unknown) => thrown,
    );
    const expected = url === wrong.href || url === away.href ? 'queue.unavailable' : 'config.invalid';
    assert.equal((error as { code?: string }).code, expected, String(error));
    const shown = `${inspect(error, { depth: 10 })}${JSON.stringify(error)}`;
    assert.ok(!shown.includes('canary'), shown);
  }
});

test('where the library is not installed, it is said how to get it', async () => {
  await assert.rejects(
    loadLibrary(() => import(String('no-such-package'))),
    (error: HoldfastError) => error.code === 'tool.not_found' && error.hint === 'npm install bullmq ioredis',
  );
});
