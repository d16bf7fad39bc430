import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { validateBackup } from '../../src/operation/verify.ts';
import { HttpReceiver } from '../notify/http-receiver.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';
import { type RedisService, startRedis } from '../services/start-redis.ts';
import { makeWorkerWorld, type Told, type WorkerWorld } from './worker-world.ts';

leaveOutWithout('redis');
leaveOutWithout('postgres');

let redis: RedisService;
let postgres: PostgresService;
before(async () => {
  [redis, postgres] = await Promise.all([
    startRedis({ password: 'canary-queue', durable: true }),
    startPostgres({ password: 'canary-history' }),
  ]);
});
after(async () => {
  await redis.stop();
  await postgres.stop();
});

let made = 0;
async function newWorld(t: TestContext, prunes = false, webhookUrl?: string): Promise<WorkerWorld> {
  made += 1;
  const historyUrl = await postgres.createDatabase(`world${made}`);
  const places = { redisUrl: redis.url, historyUrl, prefix: `world${made}`, prunes };
  return await makeWorkerWorld(t, { ...places, ...(webhookUrl === undefined ? {} : { webhookUrl }) });
}

const limit = { timeout: 120_000 };
const job = { queue: 'backups', job: 'backup', scheduledMs: Date.UTC(2026, 0, 1) };
const worker = ['worker', '--queue', 'backups', '--concurrency', '2', '--json'];

/** The one that has the job, and the others. */
async function whoHasIt(workers: readonly Told[]): Promise<{ holder: Told; others: Told[] }> {
  const holder = await Promise.race(
    workers.map(async (one) => {
      await one.until('started');
      return one;
    }),
  );
  return { holder, others: workers.filter((one) => one !== holder) };
}

async function states({ history }: WorkerWorld): Promise<string[]> {
  return (await history.runs({ kind: 'backup' })).map(({ state }) => state);
}

async function jobStates({ queue }: WorkerWorld): Promise<string[]> {
  return (await queue.jobs('backups')).map(({ state, startedCount }) => `${state} ${startedCount}`);
}

test('of three workers one is killed in mid-backup: another finishes it, and one archive appears', limit, async (t) => {
  const world = await newWorld(t);
  const workers = [1, 2, 3].map(() => world.start(...worker));
  const id = await world.queue.add(job);
  const { holder, others } = await whoHasIt(workers);
  const child = await world.runningProcess();
  // The machine is gone, with all that ran on it; so is the queue, for a moment.
  holder.child.kill('SIGKILL');
  process.kill(child, 'SIGKILL');
  await once(holder.child, 'exit');
  await redis.kill();
  await redis.restart();
  const { holder: next } = await whoHasIt(others);
  assert.equal(next.events.find(({ event }) => event === 'started')?.id, id);
  await world.go();
  // The one that took it over may put it back, while the dead one's lease runs on.
  await Promise.race(others.map((one) => one.until('ended')));
  assert.deepEqual(await Promise.all(others.map((one) => one.end())), [0, 0]);
  const [name = '', ...more] = await world.archives();
  assert.deepEqual(more, []);
  const { state } = await validateBackup({ archive: join(world.folder, 'backups', name), threads: 1 });
  assert.equal(state, 'intact');
  assert.deepEqual(await states(world), ['succeeded', 'died']);
  assert.deepEqual(await jobStates(world), ['succeeded 2']);
  assert.deepEqual(
    (await world.history.runs({ kind: 'backup' })).map(({ scheduledMs }) => scheduledMs),
    [job.scheduledMs, job.scheduledMs],
  );
});

test(
  'a worker is killed and its backup goes on: the job is done when that is, and no second one is made',
  limit,
  async (t) => {
    const world = await newWorld(t);
    const [first, second] = [world.start(...worker), world.start(...worker)];
    await world.queue.add(job);
    const { holder, others } = await whoHasIt([first, second]);
    await world.runningProcess();
    holder.child.kill('SIGKILL');
    const [other] = others;
    assert.ok(other);
    await other.until('postponed');
    await world.go();
    await other.until('ended');
    assert.equal(await other.end(), 0);
    assert.equal((await world.archives()).length, 1);
    assert.deepEqual(
      (await states(world)).filter((state) => state !== 'succeeded'),
      [],
    );
  },
);

test('a job that runs is cancelled from another machine, and leaves nothing behind', limit, async (t) => {
  const world = await newWorld(t);
  const told = world.start(...worker);
  const enqueued = await world.run('backup', '--enqueue', '--json');
  assert.equal(enqueued.exitCode, 0);
  const { id } = JSON.parse(enqueued.stdout);
  await told.until('started');
  await world.runningProcess();
  let seen = false;
  while (!seen) seen = (await world.queue.jobs('backups'))[0]?.progress !== undefined;
  const listed = await world.run('jobs', '--json');
  const [running] = JSON.parse(listed.stdout);
  assert.deepEqual([running.id, running.state, running.progress?.phase], [id, 'running', 'read']);
  assert.ok(!listed.stdout.includes('canary'));
  const cancelled = await world.run('jobs', 'cancel', id, '--json');
  assert.deepEqual(JSON.parse(cancelled.stdout), { id, queue: 'backups', result: 'asked' });
  await told.until('cancelled');
  await world.go();
  assert.equal(await told.end(), 0);
  assert.deepEqual(await world.archives(), []);
  assert.deepEqual(await states(world), ['interrupted']);
});

test(
  'a worker that is stopped waits for its backup, and one that may not wait leaves it to another',
  limit,
  async (t) => {
    const world = await newWorld(t);
    const impatient = world.start(...worker, '--grace', '0');
    await world.queue.add(job);
    await impatient.until('started');
    await world.runningProcess();
    assert.equal(await impatient.end(), 0);
    assert.deepEqual(
      impatient.events.map(({ event }) => event),
      ['started', 'returned'],
      JSON.stringify(impatient.events),
    );
    assert.deepEqual(await states(world), ['interrupted']);
    const patient = world.start(...worker);
    await patient.until('started');
    await world.runningProcess();
    const ended = patient.end();
    await world.go();
    assert.equal(await ended, 0);
    assert.deepEqual(
      patient.events.map(({ event }) => event),
      ['started', 'ended'],
    );
    assert.equal((await world.archives()).length, 1);
  },
);

test(
  'a job that its workers died of is given up: a failed run in the history, told once, also where who was to tell died',
  limit,
  async (t) => {
    const receiver = await HttpReceiver.start();
    t.after(() => receiver.stop());
    const world = await newWorld(t, false, receiver.url);
    const first = world.start(...worker);
    const id = await world.queue.add({ ...job, scheduledMs: Date.now() });
    await first.until('started');
    // As if it were the last of several.
    const client = new Redis(redis.url);
    t.after(() => client.disconnect());
    await client.hset(`world${made}:backups:${id}`, 'stc', 3);
    const child = await world.runningProcess();
    first.child.kill('SIGKILL');
    process.kill(child, 'SIGKILL');
    const second = world.start(...worker);
    await second.until('failed');
    assert.equal(await second.end(), 0);
    assert.deepEqual(await jobStates(world), ['failed 2']);
    const runs = await world.history.runs({ kind: 'backup' });
    assert.deepEqual(
      runs.map(({ state, error, database, job: name }) => [state, error?.code, database, name]),
      [
        ['failed', 'queue.job_given_up', 'cache', 'backup'],
        ['died', undefined, 'cache', 'backup'],
      ],
    );
    const told = receiver.take().map(({ body }) => JSON.parse(body) as { event: string; title: string });
    assert.deepEqual(
      told.map(({ event, title }) => [event, title]),
      [['failure', 'the job backup failed']],
    );
    assert.deepEqual(
      runs[0]?.notifications?.map(({ event, sent }) => [event, sent]),
      [['failure', true]],
    );
    // A worker that begins looks for what nobody told of, and finds it told.
    await client.del(`world${made}:given-up:backups:${id}`);
    const third = world.start(...worker);
    while ((await client.exists(`world${made}:given-up:backups:${id}`)) === 0);
    assert.equal(await third.end(), 0);
    assert.equal((await world.history.runs({ kind: 'backup' })).length, 2);
    assert.deepEqual(receiver.take(), []);
  },
);

test(
  'a job that no worker begins is told an hour after its time, once, and by the worker where none else saw it',
  limit,
  async (t) => {
    const receiver = await HttpReceiver.start();
    t.after(() => receiver.stop());
    const world = await newWorld(t, false, receiver.url);
    await world.go();
    const told = () =>
      receiver.take().map(({ body }) => {
        const { event, title, text } = JSON.parse(body) as Record<string, string>;
        return [event, title, text];
      });
    await world.queue.add({ ...job, scheduledMs: Date.now() - 50 * 60_000 });
    await world.queue.add(job);
    const register = async () => JSON.parse((await world.run('schedule', 'register', '--json')).stdout).overdue;
    assert.deepEqual(await register(), ['backup']);
    const title = 'The run of the job backup was missed';
    assert.deepEqual(told(), [['missed', title, 'It has not begun yet: no worker is free for it, or none runs.']]);
    assert.deepEqual(await register(), []);
    const seen = await world.queue.add({ ...job, scheduledMs: job.scheduledMs + 1 });
    const one = world.start(...worker);
    while ((await world.queue.jobs('backups')).some(({ id, state }) => id === seen && state !== 'succeeded')) {
      await one.until('ended');
    }
    assert.equal(await one.end(), 0);
    assert.deepEqual(told(), [['missed', title, 'It did not run when it was due, and is made up for now.']]);
    assert.deepEqual(
      (await world.history.deliveries()).map(({ event, sent }) => [event, sent]),
      [
        ['missed', true],
        ['missed', true],
      ],
    );
  },
);

test('two servers register the schedule once, and the commands of a history go by PostgreSQL', limit, async (t) => {
  const world = await newWorld(t, true);
  await world.go();
  const servers = [world.start('serve', '--json'), world.start('serve', '--json')];
  await Promise.all(servers.map((one) => one.until('registered')));
  assert.deepEqual(await jobStates(world), ['scheduled 0']);
  assert.deepEqual(await Promise.all(servers.map((one) => one.end())), [0, 0]);
  assert.deepEqual(await jobStates(world), ['scheduled 0'], 'workers need no server');
  assert.equal((await world.run('backup', '--json')).exitCode, 0);
  const runs = JSON.parse((await world.run('runs', '--json')).stdout);
  assert.deepEqual([runs.length, runs[0].state], [1, 'succeeded']);
  assert.equal((await world.run('prune', '--yes', '--json')).exitCode, 0);
  const rebuilt = JSON.parse((await world.run('rebuild', '--json')).stdout);
  assert.deepEqual([rebuilt.addedCount, rebuilt.knownCount], [0, 1]);
});
