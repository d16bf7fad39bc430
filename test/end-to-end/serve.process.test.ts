import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type History, openHistory } from '../../src/history/history.ts';
import { HttpReceiver } from '../notify/http-receiver.ts';

const program = fileURLToPath(new URL('../transcript/holdfast.ts', import.meta.url));
const yearly = { cron: '0 0 1 1 *', timezone: 'UTC' };

/** A program that writes when it is allowed to. */
const waiting = ['sh', '-c', 'while ! test -e go && test -e holdfast.config.json; do sleep 0.1; done; echo data'];

interface Served {
  readonly child: ChildProcess;
  /** The next event. */
  next(): Promise<{
    readonly event: string;
    readonly missed?: boolean;
    readonly jobs?: readonly string[];
    readonly error?: { readonly code: string };
  }>;
  end(): Promise<number | null>;
}

async function newFolder(
  t: TestContext,
  commands: object[],
  more: object = {},
): Promise<{ folder: string; history: History }> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-serve-'));
  t.after(() => rm(folder, { recursive: true }));
  const config = {
    commands,
    encryption: 'none',
    schedule: yearly,
    storage: { backend: 'local', path: 'backups' },
    ...more,
  };
  await writeFile(join(folder, 'holdfast.config.json'), JSON.stringify(config));
  const history = await openHistory({ path: join(folder, '.holdfast', 'history.db') });
  t.after(() => history.close());
  // The last run was years ago: one is due at once.
  await history.setHandledMs('backup', Date.UTC(2020, 0, 1));
  return { folder, history };
}

function serve(t: TestContext, folder: string): Served {
  const child = spawn(process.execPath, [program, 'serve', '--json'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  assert.ok(child.stdout);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    next: async () => JSON.parse((await lines.next()).value ?? '{}'),
    end: async () => {
      child.kill('SIGTERM');
      const [code] = await once(child, 'exit');
      return code;
    },
  };
}

test('what was missed is caught up with at the start; a SIGTERM ends it', { timeout: 60_000 }, async (t) => {
  const { folder, history } = await newFolder(t, [{ alias: 'cache', command: ['echo', 'data'] }]);
  const served = serve(t, folder);
  const started = await served.next();
  assert.deepEqual([started.event, started.missed], ['started', true]);
  assert.equal((await served.next()).event, 'ended');
  assert.equal(await served.end(), 0);
  assert.equal((await readdir(join(folder, 'backups'))).filter((name) => name.endsWith('.holdfast')).length, 1);
  const runs = await history.runs();
  assert.deepEqual(runs.map(({ kind, state }) => `${kind} ${state}`).sort(), ['backup succeeded', 'prune succeeded']);
  assert.ok(((await history.handledMs('backup')) ?? 0) >= Date.UTC(2026, 0, 1));
});

test('a failure is told with its code, and ends nothing', { timeout: 60_000 }, async (t) => {
  const { folder, history } = await newFolder(t, [{ alias: 'cache', command: ['false'] }]);
  const served = serve(t, folder);
  assert.equal((await served.next()).event, 'started');
  const failed = await served.next();
  assert.deepEqual([failed.event, failed.error?.code], ['failed', 'tool.failed']);
  assert.equal(await served.end(), 0);
  assert.deepEqual(
    (await history.runs()).map(({ kind, state }) => `${kind} ${state}`),
    ['backup failed'],
  );
});

/** Waits until a backup is under way, and gives the number of its process. */
async function runningProcess(folder: string): Promise<number> {
  using file = new DatabaseSync(join(folder, '.holdfast', 'history.db'));
  const running = file.prepare("SELECT process_id FROM run WHERE state = 'running'");
  let row = running.get();
  for (; row === undefined; row = running.get()) await new Promise((resolve) => setImmediate(resolve));
  return Number(row['process_id']);
}

test('a SIGTERM in mid-run lets the run clean up, and it is due again', { timeout: 60_000 }, async (t) => {
  const { folder, history } = await newFolder(t, [{ alias: 'cache', command: waiting }]);
  const served = serve(t, folder);
  assert.equal((await served.next()).event, 'started');
  await runningProcess(folder);
  assert.equal(await served.end(), 0);
  await writeFile(join(folder, 'go'), '');
  assert.deepEqual(
    (await history.runs()).map(({ state }) => state),
    ['interrupted'],
  );
  assert.deepEqual(await readdir(join(folder, 'backups')).catch(() => []), []);
  assert.equal(await history.handledMs('backup'), Date.UTC(2020, 0, 1));
});

test('killed in mid-run, the run is made again, and one archive appears', { timeout: 90_000 }, async (t) => {
  const { folder, history } = await newFolder(t, [{ alias: 'cache', command: waiting }]);
  const first = serve(t, folder);
  assert.equal((await first.next()).event, 'started');
  const processId = await runningProcess(folder);
  first.child.kill('SIGKILL');
  process.kill(processId, 'SIGKILL');
  await once(first.child, 'exit');
  await writeFile(join(folder, 'go'), '');
  const again = serve(t, folder);
  const started = await again.next();
  assert.deepEqual([started.event, started.missed], ['started', true]);
  let event = await again.next();
  // The dead one may still be looked for by the system when its job is asked for.
  while (event.event === 'held' || event.event === 'started') event = await again.next();
  assert.equal(event.event, 'ended');
  assert.equal(await again.end(), 0);
  assert.equal((await readdir(join(folder, 'backups'))).filter((name) => name.endsWith('.holdfast')).length, 1);
  const states = (await history.runs({ kind: 'backup' })).map(({ state }) => state);
  assert.deepEqual(states, ['succeeded', 'died']);
});

test('a run that was missed is told to people, with when it was due', { timeout: 60_000 }, async (t) => {
  const receiver = await HttpReceiver.start();
  t.after(() => receiver.stop());
  const notifications = [{ type: 'webhook', url: `${receiver.url}/hook` }];
  const commands = [{ alias: 'cache', command: ['echo', 'data'] }];
  const { folder, history } = await newFolder(t, commands, { notifications });
  const served = serve(t, folder);
  assert.equal((await served.next()).event, 'started');
  assert.equal((await served.next()).event, 'ended');
  // It is told beside the job, and may come after it.
  let requests = receiver.take();
  for (; requests.length === 0; requests = receiver.take()) await new Promise((resolve) => setImmediate(resolve));
  const { event, title, facts } = JSON.parse(requests[0]?.body ?? '{}');
  assert.deepEqual([event, title], ['missed', 'The run of the job backup was missed']);
  assert.match(JSON.stringify(facts), /\d{4}-01-01T00:00:00\.000Z/);
  let told = await history.deliveries();
  for (; told.length === 0; told = await history.deliveries()) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await served.end(), 0);
  assert.deepEqual(
    told.map(({ event: kind, type, sent }) => [kind, type, sent]),
    [['missed', 'webhook', true]],
  );
});

test('a backup whose process is killed is told to people, and has its place among the runs', {
  timeout: 60_000,
}, async (t) => {
  const receiver = await HttpReceiver.start();
  t.after(() => receiver.stop());
  const notifications = [{ type: 'webhook', url: `${receiver.url}/hook`, events: ['failure'] }];
  const { folder, history } = await newFolder(t, [{ alias: 'cache', command: waiting }], { notifications });
  const served = serve(t, folder);
  assert.equal((await served.next()).event, 'started');
  process.kill(await runningProcess(folder), 'SIGKILL');
  const failed = await served.next();
  assert.deepEqual([failed.event, failed.error?.code], ['failed', 'tool.failed']);
  assert.equal(await served.end(), 0);
  const told = () => receiver.take().map(({ body }) => JSON.parse(body).title);
  assert.deepEqual(told(), ['the job backup failed']);
  assert.deepEqual(
    (await history.runs({ kind: 'backup' })).map(({ state }) => state),
    ['died'],
  );
  // One that was killed before it had written itself into the history.
  const dueMs = Date.UTC(2026, 5, 1);
  const words = ['notify', 'killed', '--job', 'backup', '--due', String(dueMs), '--by', 'SIGKILL', '--json'];
  const command = spawn(process.execPath, [program, ...words], { cwd: folder, stdio: 'ignore' });
  assert.deepEqual(await once(command, 'exit'), [0, null]);
  const [run] = await history.runs({ job: 'backup', scheduledMs: dueMs });
  assert.deepEqual([run?.state, run?.error?.message], ['failed', 'the process of the job backup was ended by SIGKILL']);
  assert.equal(told().length, 1);
});

for (const kind of ['drill', 'scrub'] as const) {
  test(`a ${kind} whose process is killed is told to people, and has died`, { timeout: 120_000 }, async (t) => {
    const receiver = await HttpReceiver.start();
    t.after(() => receiver.stop());
    // Takes connections, and says nothing: a scrub waits for its list.
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    t.after(() => silent.close());
    const notifications = [{ type: 'webhook', url: `${receiver.url}/hook`, events: ['failure'] }];
    const near = { backend: 'local', path: 'backups' };
    const far = { backend: 'webdav', url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}/` };
    const endless = 'WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n';
    const schedule = { cron: yearly.cron };
    const { folder, history } = await newFolder(t, [], {
      notifications,
      catalogue: false,
      databases: [{ alias: 'shop', url: 'sqlite:shop.db' }],
      storage: kind === 'scrub' ? { near, far } : { near },
      [kind]: { schedule, ...(kind === 'drill' ? { checks: [{ sql: endless, expect: 0 }] } : {}) },
    });
    using database = new DatabaseSync(join(folder, 'shop.db'));
    database.exec('CREATE TABLE customer (id INTEGER); INSERT INTO customer VALUES (1)');
    await history.setHandledMs('backup', Date.now());
    const words = ['backup', '--storage', 'near', '--json'];
    const backup = spawn(process.execPath, [program, ...words], { cwd: folder, stdio: 'ignore' });
    assert.deepEqual(await once(backup, 'exit'), [0, null]);
    await history.setHandledMs(kind, Date.UTC(2020, 0, 1));
    const served = serve(t, folder);
    assert.equal((await served.next()).event, 'started');
    process.kill(await runningProcess(folder), 'SIGKILL');
    const failed = await served.next();
    assert.deepEqual([failed.event, failed.error?.code], ['failed', 'tool.failed']);
    assert.equal(await served.end(), 0);
    const told = receiver.take().map(({ body }) => JSON.parse(body).title);
    assert.deepEqual(told, [`the job ${kind} failed`]);
    assert.deepEqual(
      (await history.runs({ kind })).map(({ state, job }) => [state, job]),
      [['died', kind]],
    );
  });
}

test('a SIGHUP reads the configuration again; a bad one changes nothing', { timeout: 60_000 }, async (t) => {
  const { folder } = await newFolder(t, [{ alias: 'cache', command: ['echo', 'data'] }]);
  const served = serve(t, folder);
  assert.equal((await served.next()).event, 'started');
  assert.equal((await served.next()).event, 'ended');
  const file = join(folder, 'holdfast.config.json');
  await writeFile(file, '{ "schedule": { "cron": "never" } }');
  served.child.kill('SIGHUP');
  const bad = await served.next();
  assert.deepEqual([bad.event, bad.error?.code], ['reload-failed', 'config.invalid']);
  const commands = [{ alias: 'cache', command: ['echo', 'data'] }];
  await writeFile(
    file,
    JSON.stringify({ commands, encryption: 'none', schedule: yearly, drill: { schedule: { cron: yearly.cron } } }),
  );
  served.child.kill('SIGHUP');
  const good = await served.next();
  assert.deepEqual([good.event, good.jobs], ['reloaded', ['backup', 'drill']]);
  assert.equal(await served.end(), 0);
});

test('the drill is a job like the others: it proves the newest backup', { timeout: 90_000 }, async (t) => {
  const commands = [{ alias: 'cache', command: ['echo', 'data'] }];
  const { folder, history } = await newFolder(t, commands, {
    files: ['tree'],
    drill: { schedule: { cron: yearly.cron } },
  });
  await mkdir(join(folder, 'tree'));
  await writeFile(join(folder, 'tree', 'a.txt'), 'a');
  await history.setHandledMs('backup', Date.now());
  const backup = spawn(process.execPath, [program, 'backup', '--json'], { cwd: folder, stdio: 'ignore' });
  assert.deepEqual(await once(backup, 'exit'), [0, null]);
  await history.setHandledMs('drill', Date.UTC(2020, 0, 1));
  const served = serve(t, folder);
  assert.deepEqual([(await served.next()).event, (await served.next()).event], ['started', 'ended']);
  assert.equal(await served.end(), 0);
  const [run] = await history.runs({ kind: 'drill' });
  assert.deepEqual(
    [run?.state, run?.job, run?.proof?.isProven, run?.proof?.fileCount],
    ['succeeded', 'drill', true, 1],
  );
});

test('the scrub is a job like the others: it mends what is damaged, and tells what it cannot', {
  timeout: 90_000,
}, async (t) => {
  const { folder, history } = await newFolder(t, [{ alias: 'cache', command: ['echo', 'data'] }], {
    scrub: { schedule: { cron: yearly.cron } },
  });
  await history.setHandledMs('backup', Date.now());
  const backup = spawn(process.execPath, [program, 'backup', '--json'], { cwd: folder, stdio: 'ignore' });
  assert.deepEqual(await once(backup, 'exit'), [0, null]);
  const [name = ''] = (await readdir(join(folder, 'backups'))).filter((one) => one.endsWith('.holdfast'));
  const archive = join(folder, 'backups', name);
  const whole = await readFile(archive);
  const scrubOnce = async () => {
    await history.setHandledMs('scrub', Date.UTC(2020, 0, 1));
    const served = serve(t, folder);
    assert.equal((await served.next()).event, 'started');
    const { event, error } = await served.next();
    assert.equal(await served.end(), 0);
    return [event, error?.code];
  };
  await writeFile(archive, Buffer.from(whole).fill(0, 5000, 9000));
  assert.deepEqual(await scrubOnce(), ['ended', undefined]);
  assert.deepEqual(await readFile(archive), whole);
  await writeFile(archive, Buffer.from(whole).fill(0, 5000));
  assert.deepEqual(await scrubOnce(), ['failed', 'archive.damaged']);
  const runs = await history.runs({ kind: 'scrub' });
  assert.deepEqual(
    runs.map(({ job, state }) => `${job} ${state}`),
    ['scrub failed', 'scrub succeeded'],
  );
});
