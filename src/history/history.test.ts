import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { processSpaceTag } from '../disk/process-life.ts';
import { openHistory } from './history.ts';

async function newPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-history-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, '.holdfast', 'history.db');
}

const error = { code: 'storage.full', message: 'no room', hint: 'make some' } as const;

test('a run is kept with all that is known of it', async (t) => {
  const path = await newPath(t);
  const history = await openHistory({ path });
  const pending = { url: '/b/x', storage: 'local', name: 'x', state: 'pending' } as const;
  const begun = { kind: 'backup', job: 'backup', database: 'shop', startedMs: 1000 } as const;
  const id = await history.begin({ ...begun, archives: [pending] });
  assert.deepEqual(await history.runs(), [{ ...begun, id, state: 'running', phases: [], archives: [pending] }]);
  const archives = [
    { ...pending, database: 'crm', state: 'proven', archiveId: 'ab', sizeBytes: 7 } as const,
    { ...pending, state: 'failed', error } as const,
  ];
  const ended = {
    state: 'succeeded',
    endedMs: 3000,
    sizeBytes: 2 ** 50,
    plainSizeBytes: 0,
    entryCount: 2,
    rowCount: 3,
    healedBlocks: 4,
    phases: [{ name: 'read', durationMs: 5 }],
  } as const;
  await history.end(id, { ...ended, archives });
  await history.close();
  const again = await openHistory({ path });
  assert.deepEqual(await again.runs(), [{ ...begun, ...ended, id, archives }]);
  const failed = await again.begin({ kind: 'verify', startedMs: 2000 });
  await again.end(failed, { state: 'failed', endedMs: 2001, phases: [], archives: [], error });
  assert.deepEqual(
    (await again.runs({ limit: 1 })).map((run) => [run.kind, run.error]),
    [['verify', error]],
  );
  assert.deepEqual(
    (await again.runs({ kind: 'backup', limit: 5 })).map((run) => run.archives.length),
    [2],
  );
  await again.close();
  assert.equal((await stat(join(path, '..'))).mode & 0o777, 0o700);
  assert.equal(await readFile(join(path, '..', '.gitignore'), 'utf8'), '*\n');
});

test('a proof and deliveries are kept with their run; a history from before them learns of them', async (t) => {
  const path = await newPath(t);
  const history = await openHistory({ path });
  const proof = {
    isProven: true,
    restoreMs: 5,
    tableCount: 1,
    fileCount: 0,
    differences: [],
    checks: [],
    notRestored: [],
  };
  const id = await history.begin({ kind: 'drill', startedMs: 1 });
  await history.end(id, { state: 'succeeded', endedMs: 2, phases: [], archives: [], proof });
  const told = { event: 'success', type: 'ping', place: 'x', sent: true, tries: 1, atMs: 3 } as const;
  const failed = { ...told, sent: false, tries: 3, atMs: 4, error: { code: 'notify.failed', message: 'no' } } as const;
  await history.addDeliveries([{ ...told, runId: id }, failed]);
  const [run] = await history.runs({ limit: 1 });
  assert.deepEqual([run?.proof, run?.notifications], [proof, [{ ...told, runId: id }]]);
  assert.deepEqual(await history.deliveries(), [failed, { ...told, runId: id }]);
  assert.deepEqual(await history.deliveries({ limit: 1 }), [failed]);
  await history.close();
  using file = new DatabaseSync(path);
  // Cut off between making one table and the other.
  file.exec('DROP TABLE delivery; DELETE FROM schema_version WHERE version = 2');
  const again = await openHistory({ path });
  t.after(() => again.close());
  assert.deepEqual((await again.runs())[0]?.proof, proof);
  assert.deepEqual(await again.deliveries(), []);
});

test('a run whose process is gone has died; that of another machine is not known to have', async (t) => {
  const path = await newPath(t);
  const history = await openHistory({ path });
  t.after(() => history.close());
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  for (const kind of ['backup', 'scrub', 'verify'] as const) await history.begin({ kind, startedMs: 1 });
  using file = new DatabaseSync(path);
  const change = file.prepare('UPDATE run SET process_id = ?, process_space = ? WHERE kind = ?');
  change.run(child.pid ?? 0, processSpaceTag(), 'backup');
  change.run(child.pid ?? 0, 'elsewhere', 'scrub');
  const states = (await history.runs()).map(({ kind, state }) => `${kind} ${state}`);
  assert.deepEqual(states.sort(), ['backup died', 'scrub running', 'verify running']);
});

test('a file that is no history is told, and left as it is', async (t) => {
  const path = await newPath(t);
  const folder = join(path, '..', '..');
  await writeFile(join(folder, 'history.db'), 'this is not a database, but a text of some length\n'.repeat(40));
  await assert.rejects(openHistory({ path: join(folder, 'history.db') }), { code: 'history.unavailable' });
  await assert.rejects(openHistory({ path: join(folder, 'history.db', 'x', 'history.db') }), {
    code: 'history.unavailable',
  });
  assert.match(await readFile(join(folder, 'history.db'), 'utf8'), /^this is not/);
});

test('a job has one holder, until he lets go, dies, or gives no sign for too long', async (t) => {
  const path = await newPath(t);
  const [one, other] = [await openHistory({ path }), await openHistory({ path })];
  t.after(async () => {
    await one.close();
    await other.close();
  });
  const at = (nowMs: number) => ({ nowMs, durationMs: 100 });
  const lease = await one.takeLease('backup', at(1000));
  assert.ok(lease);
  assert.equal(await other.takeLease('backup', at(1099)), undefined);
  assert.ok(await other.takeLease('backup:crm', at(1000)), 'another job');
  assert.equal(await one.renewLease(lease, at(1050)), true);
  assert.equal(await other.takeLease('backup', at(1149)), undefined);
  const taken = await other.takeLease('backup', at(1150));
  assert.ok(taken, 'it is over');
  assert.equal(await one.renewLease(lease, at(1150)), false);
  await one.releaseLease(lease);
  assert.equal(await one.takeLease('backup', at(1151)), undefined, 'who lost it cannot give it back');
  await other.releaseLease(taken);
  assert.ok(await one.takeLease('backup', at(1152)));
  assert.ok(await other.takeLease('backup', at(500)), 'the clock was set back far behind');
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  using file = new DatabaseSync(path);
  file.prepare('UPDATE job SET process_id = ? WHERE name = ?').run(child.pid ?? 0, 'backup');
  assert.ok(await one.takeLease('backup', at(501)), 'its process is gone');
});

test('of many who ask for a job at once one gets it', async (t) => {
  const path = await newPath(t);
  const all = [];
  for (let index = 0; index < 8; index++) all.push(await openHistory({ path }));
  const leases = await Promise.all(all.map((history) => history.takeLease('backup', { nowMs: 5, durationMs: 100 })));
  assert.equal(leases.filter((lease) => lease !== undefined).length, 1);
  assert.equal(await all[0]?.handledMs('backup'), undefined);
  await all[1]?.setHandledMs('backup', 7);
  await all[1]?.setHandledMs('backup', 8);
  assert.equal(await all[2]?.handledMs('backup'), 8);
  assert.equal(await all[2]?.takeLease('backup', { nowMs: 5, durationMs: 100 }), undefined, 'still held');
  for (const history of all) await history.close();
});
