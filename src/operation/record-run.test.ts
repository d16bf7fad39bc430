import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import { openHistory } from '../history/history.ts';
import { FilesSource } from '../source/files/files-source.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { createBackup } from './backup.ts';
import { rebuildHistory } from './rebuild-history.ts';
import { recordRun } from './record-run.ts';
import { backupOutcome, scrubOutcome, verifyOutcome } from './run-outcomes.ts';
import { runStats } from './run-stats.ts';
import { scrubStorages } from './scrub.ts';
import { validateBackup } from './verify.ts';

const progress = { doneBytes: 0, totalBytes: 0 };

test('phases are timed, and what is known at the beginning is kept to the end', async () => {
  const [history, clock] = [await openHistory({ path: ':memory:' }), new FakeClock(1000)];
  const archives = [{ url: 'near/a', name: 'a', storage: 'near', state: 'pending' }] as const;
  const result = await recordRun(
    { history, kind: 'backup', job: 'backup', database: 'shop', archives, clock },
    async (onProgress) => {
      onProgress({ ...progress, phase: 'read' });
      clock.advance(5);
      onProgress({ ...progress, phase: 'read' });
      clock.advance(5);
      onProgress({ ...progress, phase: 'verify' });
      clock.advance(7);
      return 'done';
    },
    () => ({ state: 'succeeded', sizeBytes: 9, archives: [{ url: 'near/a', state: 'proven' }] }),
  );
  assert.equal(result, 'done');
  const [run] = await history.runs();
  await history.close();
  assert.deepEqual(run, {
    id: run?.id,
    kind: 'backup',
    job: 'backup',
    database: 'shop',
    state: 'succeeded',
    startedMs: 1000,
    endedMs: 1017,
    sizeBytes: 9,
    phases: [
      { name: 'read', durationMs: 10 },
      { name: 'verify', durationMs: 7 },
    ],
    archives: [{ url: 'near/a', name: 'a', state: 'proven' }],
  });
});

test('a failure and an interruption are recorded, and thrown on', async () => {
  const history = await openHistory({ path: ':memory:' });
  const fail = (error: Error) =>
    recordRun(
      { history, kind: 'backup', archives: [{ url: 'x', state: 'pending' }] },
      () => Promise.reject(error),
      () => assert.fail(),
    );
  await assert.rejects(fail(new HoldfastError('storage.full')), { code: 'storage.full' });
  await assert.rejects(fail(new HoldfastError('operation.interrupted')), { code: 'operation.interrupted' });
  await assert.rejects(fail(new TypeError('oh')), TypeError);
  const runs = await history.runs();
  await history.close();
  assert.deepEqual(runs.map(({ state, error, archives }) => [state, error?.code, archives[0]?.state].join()).sort(), [
    'failed,operation.failed,failed',
    'failed,storage.full,failed',
    'interrupted,operation.interrupted,failed',
  ]);
});

test('a history that cannot be written changes nothing, and is told', async () => {
  const refuse = () => Promise.reject(new HoldfastError('history.unavailable'));
  const problems: unknown[] = [];
  const onProblem = (error: unknown) => void problems.push(error);
  const outcome = () => ({ state: 'succeeded', archives: [] }) as const;
  const work = async () => 7;
  assert.equal(
    await recordRun({ history: { begin: refuse, end: refuse }, kind: 'scrub', onProblem }, work, outcome),
    7,
  );
  assert.equal(problems.length, 1);
  const begin = async () => 'id';
  assert.equal(await recordRun({ history: { begin, end: refuse }, kind: 'scrub', onProblem }, work, outcome), 7);
  assert.equal(problems.length, 2);
  assert.equal(await recordRun({ history: undefined, kind: 'scrub' }, work, outcome), 7);
});

test('a history that is back at the end of a run has it all the same', async () => {
  const history = await openHistory({ path: ':memory:' });
  const clock = new FakeClock(1000);
  let tries = 0;
  const begin: typeof history.begin = (run) => {
    tries += 1;
    return tries === 1 ? Promise.reject(new HoldfastError('history.unavailable')) : history.begin(run);
  };
  const end: typeof history.end = (id, run) => history.end(id, run);
  const onProblem = () => assert.fail('nothing was lost');
  const work = async () => clock.advance(4000);
  await recordRun({ history: { begin, end }, kind: 'scrub', clock, onProblem }, work, () => ({
    state: 'succeeded',
    archives: [],
  }));
  assert.deepEqual(
    (await history.runs()).map(({ startedMs, endedMs, state }) => [startedMs, endedMs, state]),
    [[1000, 5000, 'succeeded']],
  );
  await history.close();
});

const name = 'shop_20261121T020000Z_default.holdfast';

/** One backup on two storages, recorded. */
async function newWorld(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-record-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'a.txt'), 'hello');
  const clock = new FakeClock(Date.UTC(2026, 10, 21, 2));
  const near = new MemoryStorage();
  const storages = [
    { name: 'near', storage: near },
    { name: 'far', storage: new MemoryStorage() },
  ];
  const output = storages.map(({ name: label, storage }) => ({ storage, name, label }));
  const history = await openHistory({ path: ':memory:' });
  t.after(() => history.close());
  const sources = [new FilesSource({ path: folder, name: 'shop' })];
  const report = await recordRun(
    { history, kind: 'backup', database: 'shop', clock },
    (onProgress) => createBackup({ sources, output, encryption: 'none', clock, threads: 0, onProgress }),
    (made) => backupOutcome([made]),
  );
  return { clock, near, storages, history, report };
}

test('a backup, a verification and a scrub are recorded with what they found', async (t) => {
  const { clock, near, storages, history, report } = await newWorld(t);
  const location = { storage: near, name };
  await recordRun(
    { history, kind: 'verify', clock },
    () => validateBackup({ archive: location, threads: 0 }),
    (found) => verifyOutcome({ url: near.url(name), state: 'found' }, found),
  );
  await recordRun(
    { history, kind: 'scrub', clock },
    () => scrubStorages({ storages, threads: 0 }),
    (found) => scrubOutcome(storages, found),
  );
  const runs = await history.runs();
  const backup = runs.find(({ kind }) => kind === 'backup');
  assert.deepEqual(
    backup?.archives.map(({ storage, state, archiveId }) => [storage, state, archiveId]),
    [
      ['near', 'proven', report.archiveId],
      ['far', 'proven', report.archiveId],
    ],
  );
  assert.ok(backup?.phases.some((phase) => phase.name === 'read'));
  const states = runs.map(({ kind, state, archives }) => `${kind} ${state} ${archives.map((one) => one.state).join()}`);
  assert.deepEqual(states.sort(), [
    'backup succeeded proven,proven',
    'scrub succeeded whole,whole',
    'verify succeeded proven',
  ]);
});

test('a history that is lost is built again from the storages; no archive is lost with it', async (t) => {
  const { near, storages, history, report } = await newWorld(t);
  const known = await rebuildHistory({ history, storages });
  assert.deepEqual(known, { addedCount: 0, knownCount: 2, unreadableCount: 0, differingDumps: [], failedStorages: [] });
  const again = await openHistory({ path: ':memory:' });
  t.after(() => again.close());
  const broken = await near.writer('x_20261122T020000Z_default.holdfast', { copies: 1 });
  await broken.write(new Uint8Array(5000));
  await broken.commit();
  const rebuilt = await rebuildHistory({ history: again, storages });
  assert.deepEqual([rebuilt.addedCount, rebuilt.unreadableCount], [3, 1]);
  const [unreadable, found] = await again.runs();
  assert.equal(found?.startedMs, Date.UTC(2026, 10, 21, 2));
  assert.equal(found?.database, 'shop');
  assert.deepEqual(
    found?.archives.map(({ storage, state, archiveId }) => [storage, state, archiveId]),
    [
      ['near', 'found', report.archiveId],
      ['far', 'found', report.archiveId],
    ],
  );
  assert.equal(unreadable?.startedMs, Date.UTC(2026, 10, 22, 2));
  assert.equal(unreadable?.archives[0]?.error?.code, 'archive.not_an_archive');
});

test('sums tell what is not good, and when the last good one was', () => {
  const run = { kind: 'backup', database: 'shop', phases: [], archives: [] } as const;
  const { kinds, databases } = runStats([
    { ...run, id: '5', state: 'running', startedMs: 500 },
    { ...run, id: '4', state: 'failed', startedMs: 400, endedMs: 410 },
    { ...run, id: '3', state: 'incomplete', startedMs: 300, endedMs: 320, sizeBytes: 10 },
    { ...run, id: '2', state: 'suspect', startedMs: 200, endedMs: 210, sizeBytes: 99 },
    { ...run, id: '1', state: 'succeeded', startedMs: 100, endedMs: 140, sizeBytes: 20 },
  ]);
  const expected = {
    kind: 'backup',
    runCount: 5,
    doneCount: 2,
    failedCount: 2,
    lastState: 'running',
    lastMs: 500,
    lastGoodMs: 320,
    averageDurationMs: 30,
    averageSizeBytes: 15,
    healedBlocks: 0,
  };
  assert.deepEqual(kinds, [expected]);
  assert.deepEqual(databases, [{ database: 'shop', ...expected }]);
});
