import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { requireProgram } from '../../test/services/find-program.ts';
import { leftOut } from '../../test/services/service-packages.ts';
import { processSpaceTag } from '../disk/process-life.ts';
import { type History, openHistory } from '../history/history.ts';
import type { RunArchive, RunKind, RunState } from '../history/run-record.ts';
import { readSchedule } from '../policy/schedule.ts';
import { metricsText } from './metrics.ts';

async function newHistory(t: TestContext): Promise<{ history: History; path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-metrics-'));
  const path = join(folder, 'history.db');
  const history = await openHistory({ path });
  t.after(async () => {
    await history.close();
    await rm(folder, { recursive: true });
  });
  return { history, path };
}

interface Told {
  readonly kind?: RunKind;
  readonly database?: string;
  readonly state?: RunState;
  readonly archives?: readonly RunArchive[];
  readonly healedBlocks?: number;
}

/** A run that began at a second and took two. */
async function tell(history: History, second: number, { kind = 'backup', state = 'succeeded', ...run }: Told) {
  const { database, archives = [], healedBlocks } = run;
  const startedMs = second * 1000;
  const id = await history.begin({ kind, startedMs, ...(database === undefined ? {} : { database }) });
  const heals = healedBlocks === undefined ? {} : { healedBlocks };
  await history.end(id, { state, endedMs: startedMs + 2000, phases: [], archives, ...heals });
}

const at = (storage: string, name: string, state: RunArchive['state'], sizeBytes?: number): RunArchive => ({
  url: `${storage}://secret-host/${name}`,
  storage,
  name,
  state,
  ...(sizeBytes === undefined ? {} : { sizeBytes }),
});

const schedule = readSchedule({ intervalHours: 24, timezone: 'UTC' });

/** The samples, without what explains them. */
async function samples(history: History): Promise<string[]> {
  const jobs = [{ name: 'backup', schedule }];
  const text = await metricsText({ facts: await history.facts(), jobs, nowMs: 1000, version: '1.2.3' });
  assert.doesNotMatch(text, /secret-host/);
  if (leftOut('promtool') === false) {
    const checked = spawnSync(requireProgram('promtool'), ['check', 'metrics'], { input: text, encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  }
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

test('an empty history tells no times, and nothing that looks like a zero', async (t) => {
  const { history } = await newHistory(t);
  assert.deepEqual(await samples(history), [
    'holdfast_build_info{version="1.2.3"} 1',
    'holdfast_next_run_timestamp_seconds{job_name="backup"} 86400',
  ]);
});

test('runs, archives and proofs are told by database and storage', async (t) => {
  const { history } = await newHistory(t);
  await tell(history, 100, {
    database: 'shop',
    archives: [at('near', 'a', 'proven', 10), at('far', 'a', 'proven', 10)],
  });
  await tell(history, 200, { database: 'crm', archives: [at('near', 'c', 'written', 7)] });
  await tell(history, 300, {
    database: 'shop',
    state: 'incomplete',
    archives: [at('near', 'b', 'written', 20), at('far', 'b', 'failed')],
  });
  await tell(history, 400, { kind: 'scrub', healedBlocks: 5, archives: [at('far', 'a', 'whole')] });
  // A verification tells no database: the archive does.
  await tell(history, 500, { kind: 'verify', archives: [at('near', 'b', 'proven')] });
  await tell(history, 600, { kind: 'prune', archives: [at('near', 'a', 'removed', 10)] });
  await tell(history, 700, { database: 'shop', state: 'failed', archives: [at('near', 'd', 'failed')] });
  const found = await samples(history);
  const expect = (name: string, ...lines: string[]) =>
    assert.deepEqual(found.filter((line) => line.startsWith(`holdfast_${name}{`)).sort(), [
      ...lines.map((line) => `holdfast_${name}{${line}`).sort(),
    ]);
  expect(
    'last_success_timestamp_seconds',
    'database="crm",storage="near"} 202',
    'database="shop",storage="far"} 102',
    'database="shop",storage="near"} 302',
  );
  expect(
    'last_success_size_bytes',
    'database="crm",storage="near"} 7',
    'database="shop",storage="far"} 10',
    'database="shop",storage="near"} 20',
  );
  expect('last_proof_timestamp_seconds', 'database="shop",storage="far"} 102', 'database="shop",storage="near"} 502');
  expect(
    'runs_total',
    'kind="backup",database="crm",state="succeeded"} 1',
    'kind="backup",database="shop",state="failed"} 1',
    'kind="backup",database="shop",state="incomplete"} 1',
    'kind="backup",database="shop",state="succeeded"} 1',
    'kind="prune",database="",state="succeeded"} 1',
    'kind="scrub",database="",state="succeeded"} 1',
    'kind="verify",database="",state="succeeded"} 1',
  );
  expect('healed_blocks_total', 'kind="backup"} 0', 'kind="prune"} 0', 'kind="scrub"} 5', 'kind="verify"} 0');
  expect(
    'storage_size_bytes',
    'storage="far",state="whole"} 10',
    'storage="near",state="proven"} 20',
    'storage="near",state="written"} 7',
  );
  expect(
    'storage_archives',
    'storage="far",state="whole"} 1',
    'storage="near",state="proven"} 1',
    'storage="near",state="written"} 1',
  );
  assert.ok(found.includes('holdfast_last_run_state{kind="backup",database="shop",state="failed"} 1'));
  assert.ok(found.includes('holdfast_last_run_timestamp_seconds{kind="backup",database="shop"} 702'));
  assert.ok(found.includes('holdfast_last_run_duration_seconds{kind="backup",database="shop"} 2'));
});

test('a suspect archive is no success, and one of several databases counts for its own', async (t) => {
  const { history } = await newHistory(t);
  await tell(history, 100, { database: 'shop', archives: [at('near', 'a', 'proven', 10)] });
  await tell(history, 200, { database: 'shop', state: 'suspect', archives: [at('near', 'b', 'suspect', 1)] });
  await tell(history, 300, { archives: [{ ...at('near', 'c', 'proven', 3), database: 'crm' }] });
  const found = await samples(history);
  assert.ok(found.includes('holdfast_last_success_timestamp_seconds{database="shop",storage="near"} 102'));
  assert.ok(found.includes('holdfast_last_success_timestamp_seconds{database="crm",storage="near"} 302'));
  assert.ok(found.includes('holdfast_storage_archives{storage="near",state="suspect"} 1'));
});

test('a run whose process is gone has died; one that is under way is no end', async (t) => {
  const { history, path } = await newHistory(t);
  await tell(history, 100, { database: 'shop' });
  const dead = await history.begin({ kind: 'backup', database: 'shop', startedMs: 200_000 });
  await history.begin({ kind: 'scrub', startedMs: 300_000 });
  using file = new DatabaseSync(path);
  file.prepare('UPDATE run SET process_id = 4194305, process_space = ? WHERE id = ?').run(processSpaceTag(), dead);
  const found = await samples(history);
  assert.ok(found.includes('holdfast_runs_total{kind="backup",database="shop",state="died"} 1'));
  assert.ok(found.includes('holdfast_last_run_state{kind="backup",database="shop",state="died"} 1'));
  assert.ok(found.includes('holdfast_last_run_timestamp_seconds{kind="backup",database="shop"} 200'));
  assert.ok(found.includes('holdfast_runs_running{kind="scrub",database=""} 1'));
  assert.ok(!found.some((line) => line.includes('kind="scrub"') && line.includes('last_run')));
});

test('names are escaped', async (t) => {
  const { history } = await newHistory(t);
  await tell(history, 100, { database: 'a"b\\c\nd', archives: [at('near', 'a', 'proven', 1)] });
  const found = await samples(history);
  assert.ok(found.includes('holdfast_last_success_size_bytes{database="a\\"b\\\\c\\nd",storage="near"} 1'));
});
