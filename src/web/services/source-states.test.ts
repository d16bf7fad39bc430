import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openTestAdmin } from '../../../test/web/test-admin.ts';
import { openHistory } from '../../history/history.ts';
import type { RunArchiveState, RunState } from '../../history/run-record.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

const unreadable = { code: 'source.unreadable', message: 'the server does not answer', hint: 'start it' } as const;

async function newShop(t: TestContext, config: object = {}) {
  const admin = await openTestAdmin(t, { config: { schedule: { cron: '0 2 * * *', timezone: 'UTC' }, ...config } });
  const history = await openHistory({ path: join(admin.folder, '.holdfast', 'history.db') });
  t.after(() => history.close());
  const { services } = admin.opened;
  const run = async (state: RunState, archive?: RunArchiveState) => {
    const startedMs = admin.clock.nowMs();
    const id = await history.begin({ kind: 'backup', job: 'backup', database: 'photos', startedMs });
    const stamp = new Date(startedMs).toISOString().replace(/\D/g, '');
    const name = `photos_${stamp.slice(0, 8)}_${stamp.slice(8, 14)}_default.holdfast`;
    const url = join(admin.folder, 'backups', name);
    const archives = archive === undefined ? [] : [{ url, storage: 'local', name, state: archive }];
    if (archive !== undefined) {
      await mkdir(join(admin.folder, 'backups'), { recursive: true });
      await writeFile(url, 'x'.repeat(1000));
      await services.archives.refresh();
    }
    admin.clock.advance(60_000);
    const error = state === 'failed' ? { error: unreadable } : {};
    await history.end(id, { state, endedMs: admin.clock.nowMs(), sizeBytes: 1000, phases: [], archives, ...error });
  };
  const state = async () => {
    await services.archives.refresh();
    const { sources } = await services.overview();
    const [source] = sources;
    return `${source?.state} ${source?.reason}`;
  };
  return { admin, run, state, services };
}

test('a source is well until its schedule has passed it by, and says why it is not', async (t) => {
  const { admin, run, state, services } = await newShop(t);
  assert.equal(await state(), 'late never_backed_up');
  await run('succeeded', 'proven');
  assert.equal(await state(), 'well backed_up');
  const [source] = (await services.overview()).sources;
  assert.equal(source?.nextRunMs, Date.UTC(2026, 10, 29, 2));
  assert.equal(source?.schedule, '0 2 * * *');
  assert.deepEqual(source?.recentSizesBytes, [1000]);
  admin.clock.setNowMs(Date.UTC(2026, 10, 29, 3));
  assert.equal(await state(), 'well backed_up', 'an hour of grace');
  admin.clock.setNowMs(Date.UTC(2026, 10, 29, 3) + 60_001);
  assert.equal(await state(), 'late overdue');
  await run('failed');
  assert.equal(await state(), 'failing last_run_failed');
  assert.deepEqual((await services.overview()).sources[0]?.error, unreadable);
  await run('interrupted');
  assert.equal(await state(), 'failing last_run_interrupted');
  await run('suspect', 'suspect');
  assert.equal(await state(), 'suspect last_run_suspect');
  await run('succeeded', 'proven');
  assert.equal(await state(), 'well backed_up');
  await run('succeeded', 'damaged');
  assert.equal(await state(), 'suspect last_archive_damaged');
});

test('a source whose contents nobody read is unproven, and a proof grows old', async (t) => {
  const { admin, run, state } = await newShop(t);
  await run('succeeded', 'written');
  assert.equal(await state(), 'unproven never_proven');
  admin.clock.advance(hourMs);
  await run('succeeded', 'proven');
  assert.equal(await state(), 'well backed_up');
  for (let day = 0; day < 36; day++) {
    admin.clock.advance(dayMs);
    await run('succeeded', 'written');
  }
  assert.equal(await state(), 'unproven proof_is_old');
});

test('without a schedule only age makes it late', async (t) => {
  const { admin, run, state } = await newShop(t, { schedule: { enabled: false } });
  await run('succeeded', 'proven');
  admin.clock.advance(35 * hourMs);
  assert.equal(await state(), 'well backed_up');
  admin.clock.advance(2 * hourMs);
  assert.equal(await state(), 'late not_scheduled');
});

test('the calendar has what was good, failed and missed, and what is kept of each day', async (t) => {
  const { admin, run, services } = await newShop(t);
  await run('failed');
  admin.clock.advance(dayMs);
  await run('failed');
  await run('succeeded', 'proven');
  admin.clock.advance(3 * dayMs);
  await run('incomplete', 'proven');
  await services.archives.refresh();
  const days = await services.calendar({ days: 6 });
  assert.deepEqual(
    days.map(({ day, result, goodCount, failedCount }) => `${day} ${result} ${goodCount} ${failedCount}`),
    [
      '2026-11-27 none 0 0',
      '2026-11-28 failed 0 1',
      '2026-11-29 good 1 1',
      '2026-11-30 missed 0 0',
      '2026-12-01 missed 0 0',
      '2026-12-02 incomplete 1 0',
    ],
  );
  assert.ok(days[2]?.kept.includes('daily'));
  const { jobs, storages } = await services.trends({ days: 6 });
  assert.deepEqual(
    jobs[0]?.points.map(({ sizeBytes, durationMs }) => [sizeBytes, durationMs]),
    [[1000, 60_000]],
  );
  assert.deepEqual(
    storages[0]?.points.map(({ totalSizeBytes }) => totalSizeBytes),
    [0, 0, 1000, 1000, 1000, 2000],
  );
});
