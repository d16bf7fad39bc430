import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cronProblem,
  jitterMs,
  latestDueMs,
  missedAfterMs,
  nextRuns,
  overdueAfterMs,
  readSchedule,
  type ScheduleTimes,
  trustedHandledMs,
} from './schedule.ts';

const berlin = 'Europe/Berlin';

/** Settings, the moment after which they are asked for, and what comes. */
const table: readonly (readonly [ScheduleTimes, string, readonly string[]])[] = [
  [{ timezone: 'UTC' }, '2026-11-21T02:00Z', ['2026-11-22T02:00Z', '2026-11-23T02:00Z']],
  [{ cron: '*/20 9 * * 1', timezone: 'UTC' }, '2026-11-23T09:25Z', ['2026-11-23T09:40Z', '2026-11-30T09:00Z']],
  [{ cron: '0 0 29 2 *', timezone: 'UTC' }, '2026-01-01T00:00Z', ['2028-02-29T00:00Z', '2032-02-29T00:00Z']],
  [{ dailyTime: '23:05', timezone: berlin }, '2026-07-01T00:00Z', ['2026-07-01T21:05Z', '2026-07-02T21:05Z']],
  // The gap: 02:30 is not there, and the run begins when it ends.
  [{ dailyTime: '02:30', timezone: berlin }, '2026-03-28T01:30Z', ['2026-03-29T01:00Z', '2026-03-30T00:30Z']],
  // The repeat: 02:30 comes twice, and runs once.
  [{ dailyTime: '02:30', timezone: berlin }, '2026-10-24T12:00Z', ['2026-10-25T00:30Z', '2026-10-26T01:30Z']],
  // Midnight may be missing too.
  [
    { dailyTime: '00:00', timezone: 'America/Sao_Paulo' },
    '2018-11-03T12:00Z',
    ['2018-11-04T03:00Z', '2018-11-05T02:00Z'],
  ],
  // Every hour is every hour, 25 of them on that day.
  [
    { cron: '0 * * * *', timezone: berlin },
    '2026-10-24T23:30Z',
    ['2026-10-25T00:00Z', '2026-10-25T01:00Z', '2026-10-25T02:00Z'],
  ],
  [{ intervalHours: 5 }, '1970-01-01T05:00Z', ['1970-01-01T10:00Z', '1970-01-01T15:00Z']],
  [{ intervalHours: 168, timezone: berlin }, '2026-11-21T00:00Z', ['2026-11-26T00:00Z', '2026-12-03T00:00Z']],
];

test('the next runs, over changes of the clock and leap days', () => {
  for (const [times, after, expected] of table) {
    const runs = nextRuns(readSchedule(times), Date.parse(after), expected.length);
    assert.deepEqual(
      runs.map((timeMs) => new Date(timeMs).toISOString().replace(':00.000Z', 'Z')),
      expected,
      JSON.stringify(times),
    );
  }
});

test('a time of day runs once a day in every zone, for two years', () => {
  for (const timezone of [berlin, 'America/St_Johns', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Pacific/Auckland']) {
    for (const dailyTime of ['00:00', '01:30', '02:15', '03:00']) {
      const runs = nextRuns(readSchedule({ dailyTime, timezone }), Date.UTC(2026, 0, 1), 730);
      const days = runs.map((timeMs) => new Intl.DateTimeFormat('sv-SE', { timeZone: timezone }).format(timeMs));
      assert.equal(new Set(days).size, 730, `${timezone} ${dailyTime}`);
    }
  }
});

test('a pattern that is not one, or never comes, is told', () => {
  assert.equal(cronProblem('0 2 * * *'), undefined);
  assert.equal(cronProblem('0 0 30 2 *'), 'it never runs');
  for (const pattern of ['', 'daily', '61 * * * *', '* * *', '* * * * * *']) {
    assert.match(cronProblem(pattern) ?? '', /must be five fields/, pattern);
  }
});

test('of many that were missed the latest is due, and none that was done', () => {
  const daily = readSchedule({ dailyTime: '02:00', timezone: 'UTC' });
  const day = (number: number, hour = 2) => Date.UTC(2026, 0, number, hour);
  assert.equal(latestDueMs(daily, day(1), day(2, 1)), undefined);
  assert.equal(latestDueMs(daily, day(1), day(2)), day(2));
  assert.equal(latestDueMs(daily, day(1), day(300, 5)), day(300));
  assert.equal(latestDueMs(daily, day(300), day(300, 5)), undefined);
  const yearly = readSchedule({ cron: '0 0 1 1 *', timezone: 'UTC' });
  assert.equal(latestDueMs(yearly, day(1, 0) - 1, day(300)), day(1, 0));
});

test('a clock that was set back a little repeats nothing; one that was far wrong stops nothing', () => {
  const now = Date.UTC(2026, 0, 1);
  assert.equal(trustedHandledMs(now + 3_600_000, now), now + 3_600_000);
  assert.equal(trustedHandledMs(now + 3_600_001, now), now);
  assert.equal(trustedHandledMs(now - 5, now), now - 5);
});

test('jitter is alike for one run, and spread over the time', () => {
  const all = Array.from({ length: 200 }, (_, index) => jitterMs('host/backup', index, 60_000));
  assert.equal(jitterMs('host/backup', 7, 60_000), all[7]);
  assert.ok(all.every((value) => value >= 0 && value < 60_000));
  assert.ok(new Set(all).size > 190 && Math.min(...all) < 5000 && Math.max(...all) > 55_000);
  assert.equal(jitterMs('host/backup', 7, 0), 0);
});

test('a schedule in words', () => {
  assert.equal(readSchedule({ cron: '0 4 * * *', timezone: 'UTC' }).text, '0 4 * * *');
  assert.equal(readSchedule({ dailyTime: '04:05', timezone: 'UTC' }).text, 'daily at 04:05');
  assert.equal(readSchedule({ intervalHours: 6 }).text, 'every 6 h');
});

test('a run is missed five minutes after its time, and one that has not begun overdue after an hour', () => {
  const dueMs = Date.parse('2026-11-21T02:00Z');
  const told = [missedAfterMs, overdueAfterMs].map((afterMs) => new Date(dueMs + afterMs).toISOString());
  assert.deepEqual(told, ['2026-11-21T02:05:00.000Z', '2026-11-21T03:00:00.000Z']);
});
