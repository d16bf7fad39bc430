import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openHistory } from '../../history/history.ts';
import type { RunArchiveState } from '../../history/run-record.ts';
import { RunDigest } from './run-digest.ts';

const hourMs = 3_600_000;

async function newHistory(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-digest-'));
  const history = await openHistory({ path: join(folder, 'history.db') });
  t.after(async () => {
    await history.close();
    await rm(folder, { recursive: true });
  });
  const begin = (startedMs: number, kind: 'backup' | 'verify' | 'prune' = 'backup') =>
    history.begin({ kind, job: 'backup', database: 'shop', startedMs });
  const end = (id: string, endedMs: number, state?: RunArchiveState) => {
    const archives = state === undefined ? [] : [{ url: '/b/x', state }];
    return history.end(id, { state: 'succeeded', endedMs, phases: [], archives });
  };
  return { history, begin, end };
}

test('what is held is what the history has: after runs are added, end, and are added further back', async (t) => {
  const { history, begin, end } = await newHistory(t);
  const digest = new RunDigest(history);
  const started = async () => {
    await digest.refresh();
    return digest.runs.map(({ startedMs, state }) => `${startedMs / hourMs} ${state}`);
  };
  assert.deepEqual(await started(), []);
  const first = await begin(100 * hourMs);
  assert.deepEqual(await started(), ['100 running']);
  await end(first, 101 * hourMs);
  assert.deepEqual(await started(), ['100 succeeded']);
  const { version } = digest;
  await digest.refresh();
  assert.equal(digest.version, version, 'nothing changed');
  await begin(99.5 * hourMs);
  assert.deepEqual(await started(), ['99.5 running', '100 succeeded'], 'a clock that is behind');
  await begin(1 * hourMs);
  assert.deepEqual(await started(), ['1 running', '99.5 running', '100 succeeded'], 'the history was rebuilt');
  await history.database.deleteFrom('run').where('id', '=', first).execute();
  assert.deepEqual(await started(), ['1 running', '99.5 running']);
  assert.deepEqual(
    digest.backupsOf('backup', 'shop').map(({ startedMs }) => startedMs / hourMs),
    [99.5, 1],
    'as they began, whatever the clock said',
  );
});

test('of a place the last word counts, and what is removed is forgotten', async (t) => {
  const { history, begin, end } = await newHistory(t);
  const digest = new RunDigest(history);
  const after = async (kind: 'backup' | 'verify' | 'prune', startedMs: number, state: RunArchiveState) => {
    await end(await begin(startedMs, kind), startedMs + 1, state);
    await digest.refresh();
    const { isProven, isSuspect, isDamaged, provenMs, wholeMs } = digest.place('/b/x');
    return { isProven, isSuspect, isDamaged, provenMs, wholeMs };
  };
  const none = { isProven: false, isSuspect: false, isDamaged: false, provenMs: undefined, wholeMs: undefined };
  assert.deepEqual(await after('backup', 10, 'suspect'), { ...none, isSuspect: true });
  assert.deepEqual(await after('verify', 20, 'proven'), {
    ...none,
    isProven: true,
    isSuspect: true,
    provenMs: 21,
    wholeMs: 21,
  });
  assert.deepEqual(await after('verify', 30, 'damaged'), { ...none, isSuspect: true, isDamaged: true });
  assert.deepEqual(await after('prune', 40, 'removed'), none);
});

test('a history that is longer than one reading is read whole', async (t) => {
  const { history } = await newHistory(t);
  const row = {
    kind: 'backup',
    job: 'backup',
    database: 'shop',
    state: 'succeeded',
    ended_ms: null,
    process_id: 1,
    process_space: 'x',
    size_bytes: 1,
    plain_size_bytes: null,
    entry_count: null,
    row_count: null,
    healed_blocks: null,
    phases: '[]',
    error: null,
  };
  // Many of one moment: where one reading ends, the next goes on.
  const rows = Array.from({ length: 4500 }, (_, index) => ({
    ...row,
    id: `${index}`.padStart(5, '0'),
    started_ms: Math.floor(index / 3000),
    sequence: index + 1,
  }));
  for (let at = 0; at < rows.length; at += 500) {
    await history.database
      .insertInto('run')
      .values(rows.slice(at, at + 500))
      .execute();
  }
  const digest = new RunDigest(history);
  await digest.refresh();
  assert.deepEqual(
    digest.runs.map(({ id }) => id),
    rows.map(({ id }) => id),
  );
});
