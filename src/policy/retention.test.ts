import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeRetention, type RetentionArchive, type RetentionPolicy } from './retention.ts';

const none: RetentionPolicy = {
  keepLast: 0,
  keepHourly: 0,
  keepDaily: 0,
  keepWeekly: 0,
  keepMonthly: 0,
  keepYearly: 0,
  keepWithinMs: 0,
};

interface Case {
  readonly policy: Partial<RetentionPolicy>;
  readonly now: string;
  readonly timezone?: string;
  readonly hold?: string;
}

/** Lines of `2026-11-21T02:00Z reasons`, or `remove`; before the reasons, marks of the archive in brackets. */
function checkTable({ policy, now, timezone = 'UTC', hold }: Case, table: string): void {
  const rows = table
    .trim()
    .split('\n')
    .map((line) => /^\s*(\S+)\s+(?:\[(.*)\] )?(.*)$/.exec(line) ?? [])
    .map(([, moment = '', marks = '', expected = '']) => ({ moment, marks: marks.split(' '), expected }));
  const archives = rows.map(({ moment, marks }): RetentionArchive => {
    const createdMs = Date.parse(moment);
    assert.ok(!Number.isNaN(createdMs), moment);
    return {
      storage: 'local',
      database: 'shop',
      name: moment,
      createdMs,
      sizeBytes: 10,
      isPinned: marks.includes('pinned'),
      isProven: marks.includes('proven'),
      isDoubtful: marks.includes('doubtful'),
      ...(marks.includes('locked') ? { lockedUntilMs: Date.parse('2100-01-01T00:00Z') } : {}),
    };
  });
  const context = { nowMs: Date.parse(now), timezone, ...(hold === undefined ? {} : { hold: () => hold }) };
  const { verdicts } = judgeRetention(archives, { ...none, ...policy }, context);
  assert.deepEqual(
    verdicts.map(
      ({ archive, keep, reasons }) =>
        `${archive.name} ${keep ? reasons.join(', ') : ['remove', ...reasons].join(': ')}`,
    ),
    rows.map(({ moment, expected }) => `${moment} ${expected}`),
  );
}

test('days, weeks and months: the newest of each, over a leap day', () => {
  checkTable(
    { policy: { keepDaily: 3, keepWeekly: 3, keepMonthly: 2 }, now: '2028-03-02T12:00Z' },
    `
    2028-03-02T02:00Z newest, daily 1/3, weekly 1/3, monthly 1/2
    2028-03-01T02:00Z daily 2/3
    2028-02-29T22:00Z daily 3/3, monthly 2/2
    2028-02-29T02:00Z remove
    2028-02-28T02:00Z remove
    2028-02-27T02:00Z weekly 2/3
    2028-02-20T02:00Z weekly 3/3
    2028-02-13T02:00Z remove
    2028-01-31T02:00Z remove
    `,
  );
});

test('ISO weeks go over the end of a year; years without an archive take no place', () => {
  checkTable(
    { policy: { keepWeekly: 2, keepYearly: 3 }, now: '2027-01-04T12:00Z' },
    `
    2027-01-04T00:00Z newest, weekly 1/2, yearly 1/3
    2027-01-03T23:00Z weekly 2/2
    2026-12-31T23:00Z yearly 2/3
    2026-12-28T00:00Z remove
    2022-05-01T00:00Z yearly 3/3
    2021-05-01T00:00Z remove
    `,
  );
});

test('a day is one of the zone: of 23 and 25 hours where its clock changes', () => {
  checkTable(
    { policy: { keepDaily: 3 }, now: '2026-03-30T12:00Z', timezone: 'Europe/Berlin' },
    `
    2026-03-30T00:30Z newest, daily 1/3
    2026-03-29T21:59Z daily 2/3
    2026-03-28T23:00Z remove
    2026-03-28T22:59Z daily 3/3
    `,
  );
  checkTable(
    { policy: { keepDaily: 2 }, now: '2026-10-27T12:00Z', timezone: 'Europe/Berlin' },
    `
    2026-10-25T22:59Z newest, daily 1/2
    2026-10-24T22:00Z remove
    2026-10-24T21:59Z daily 2/2
    `,
  );
});

test('the hour that comes twice is two hours', () => {
  checkTable(
    { policy: { keepHourly: 3 }, now: '2026-10-25T02:00Z', timezone: 'Europe/Berlin' },
    `
    2026-10-25T01:45Z newest, hourly 1/3
    2026-10-25T01:30Z remove
    2026-10-25T00:30Z hourly 2/3
    2026-10-24T23:30Z hourly 3/3
    2026-10-24T22:30Z remove
    `,
  );
});

test('a day that a zone left out takes no place', () => {
  checkTable(
    { policy: { keepDaily: 2 }, now: '2011-12-31T12:00Z', timezone: 'Pacific/Apia' },
    `
    2011-12-30T10:00Z newest, daily 1/2
    2011-12-30T09:59Z daily 2/2
    2011-12-29T09:59Z remove
    `,
  );
});

test('what is dated after now stays, and takes no place from what was made at its right time', () => {
  const table = `
    2030-01-01T00:00Z dated after now
    2026-06-03T00:00Z newest, daily 1/1
    2026-06-02T00:00Z remove
    `;
  checkTable({ policy: { keepDaily: 1 }, now: '2026-06-03T12:00Z' }, table);
  // A clock that is set back makes all that is there one of the future.
  checkTable({ policy: { keepDaily: 1 }, now: '2020-01-01T00:00Z' }, table.replace(/(Z) .*/g, '$1 dated after now'));
});

test('last and within', () => {
  checkTable(
    { policy: { keepLast: 2, keepWithinMs: 3 * 86_400_000 }, now: '2026-06-10T00:00Z' },
    `
    2026-06-09T00:00Z newest, last 1/2, within
    2026-06-07T00:00:01Z last 2/2, within
    2026-06-07T00:00:00Z remove
    `,
  );
});

test('the newest, the newest proven, pinned and locked ones stay without a rule', () => {
  checkTable(
    { policy: {}, now: '2026-06-10T00:00Z' },
    `
    2026-06-09T00:00Z newest
    2026-06-08T00:00Z remove
    2026-06-07T00:00Z [proven] newest proven
    2026-06-06T00:00Z [proven] remove
    2026-06-05T00:00Z [pinned] pinned
    2026-06-04T00:00Z [locked] locked until 2100-01-01T00:00:00.000Z
    `,
  );
});

test('a doubtful archive takes no place from a good one', () => {
  checkTable(
    { policy: { keepDaily: 2 }, now: '2026-06-10T00:00Z' },
    `
    2026-06-09T02:00Z [doubtful] newest, daily 1/2
    2026-06-09T01:00Z newest good, daily 1/2
    2026-06-08T01:00Z [doubtful] daily 2/2
    2026-06-07T01:00Z [doubtful proven] remove
    2026-06-06T01:00Z daily 2/2
    2026-06-05T01:00Z remove
    `,
  );
});

test('nothing goes while a database is on hold', () => {
  checkTable(
    { policy: { keepDaily: 1, maxTotalSizeBytes: 0 }, now: '2026-06-10T00:00Z', hold: 'the last run failed' },
    `
    2026-06-09T00:00Z newest, daily 1/1, the last run failed
    2026-06-08T00:00Z the last run failed
    `,
  );
});

test('a size cap lets the oldest go that only rules keep, and says when that is not enough', () => {
  const now = '2026-06-10T00:00Z';
  const kept = `
    2026-06-09T00:00Z newest, daily 1/4
    2026-06-08T00:00Z daily 2/4
    2026-06-07T00:00Z remove: size cap
    2026-06-06T00:00Z [pinned] pinned, daily 4/4
    `;
  checkTable({ policy: { keepDaily: 4, maxTotalSizeBytes: 30 }, now }, kept);
  checkTable({ policy: { keepDaily: 4, maxTotalSizeBytes: 39 }, now }, kept);
  const archive = { storage: 's', database: 'd', createdMs: Date.parse(now), sizeBytes: 10 };
  const archives = [
    { ...archive, name: 'a' },
    { ...archive, name: 'b' },
    { ...archive, name: 'c', storage: 't' },
  ];
  const { verdicts, unmetCaps } = judgeRetention(
    archives,
    { ...none, keepLast: 9, maxTotalSizeBytes: 9 },
    { nowMs: Date.parse(now), timezone: 'UTC' },
  );
  assert.deepEqual(
    verdicts.map(({ keep }) => keep),
    [false, true, true],
  );
  assert.deepEqual(unmetCaps, [
    { storage: 's', totalSizeBytes: 10, maxTotalSizeBytes: 9 },
    { storage: 't', totalSizeBytes: 10, maxTotalSizeBytes: 9 },
  ]);
});

test('each database on each storage is judged by itself', () => {
  const archives = ['a', 'b'].flatMap((storage) =>
    ['shop', 'crm'].map((database, index) => ({ storage, database, name: 'x', createdMs: index, sizeBytes: 1 })),
  );
  const { verdicts } = judgeRetention(archives, { ...none, keepLast: 1 }, { nowMs: 9, timezone: 'UTC' });
  assert.deepEqual(
    verdicts.map(({ reasons }) => reasons),
    archives.map(() => ['newest', 'last 1/1']),
  );
});

test('ten thousand archives of 27 years', () => {
  const nowMs = Date.UTC(2026, 5, 30, 12);
  const archives = Array.from({ length: 10_000 }, (_, index) => ({
    storage: 's',
    database: 'd',
    name: `${index}`,
    createdMs: nowMs - index * 86_400_000,
    sizeBytes: 1,
  }));
  const policy = { ...none, keepDaily: 7, keepWeekly: 4, keepMonthly: 3, keepYearly: 100 };
  const { verdicts } = judgeRetention(archives, policy, { nowMs, timezone: 'America/New_York' });
  const kept = verdicts.filter(({ keep }) => keep).map(({ archive }) => archive.name);
  // Of the 7 days of today the last Sunday is one; then three more Sundays, two ends of months, and 27 ends of years.
  assert.equal(kept.length, 7 + 2 + 2 + 27);
  assert.deepEqual(kept.slice(0, 10), ['0', '1', '2', '3', '4', '5', '6', '9', '16', '30']);
});

/** Archives of a storage, judged with a policy; gives the names of those that stay, with why. */
function keptOf(archives: readonly Partial<RetentionArchive>[], policy: Partial<RetentionPolicy>, nowMs: number) {
  const whole = archives.map((given, index): RetentionArchive => {
    return { storage: 's', database: 'd', name: `n${index}`, createdMs: 0, sizeBytes: 10, ...given };
  });
  const { verdicts, unmetCaps } = judgeRetention(whole, { ...none, ...policy }, { nowMs, timezone: 'UTC' });
  return { verdicts: verdicts.map(({ archive, keep, reasons }) => [archive.name, keep, reasons.join()]), unmetCaps };
}

test('of archives of one moment the later name is the newest, whatever the order they come in', () => {
  for (const names of [
    ['a', 'b', 'c'],
    ['c', 'b', 'a'],
    ['b', 'c', 'a'],
    ['b', 'a', 'c'],
  ]) {
    const { verdicts } = keptOf(
      names.map((name) => ({ name })),
      { keepLast: 2 },
      1,
    );
    assert.deepEqual(verdicts.sort(), [
      ['a', false, ''],
      ['b', true, 'last 2/2'],
      ['c', true, 'newest,last 1/2'],
    ]);
  }
});

test('a cap that is met exactly is met', () => {
  const two = [{ createdMs: 1 }, { createdMs: 2 }];
  assert.deepEqual(keptOf(two, { keepLast: 2, maxTotalSizeBytes: 20 }, 9).unmetCaps, []);
  assert.deepEqual(keptOf(two, { keepLast: 2, maxTotalSizeBytes: 10 }, 9).unmetCaps, []);
  const unmet = { storage: 's', totalSizeBytes: 10, maxTotalSizeBytes: 9 };
  assert.deepEqual(keptOf(two, { keepLast: 2, maxTotalSizeBytes: 9 }, 9).unmetCaps, [unmet]);
});

test('of databases with archives of one name and moment a cap takes the first by name', () => {
  const copies = ['y', 'x', 'z'].map((database) => ({ database, name: 'same', createdMs: 5 }));
  const newer = ['x', 'y', 'z'].map((database) => ({ database, name: 'new', createdMs: 6 }));
  for (const archives of [
    [...copies, ...newer],
    [...copies.toReversed(), ...newer],
  ]) {
    const whole = archives.map((given) => ({ storage: 's', sizeBytes: 10, ...given }));
    const policy = { ...none, keepLast: 2, maxTotalSizeBytes: 50 };
    const { verdicts } = judgeRetention(whole, policy, { nowMs: 9, timezone: 'UTC' });
    const removed = verdicts.filter(({ keep }) => !keep).map(({ archive }) => archive.database);
    assert.deepEqual(removed, ['x']);
  }
});

test('within a time is shorter than it, and a lock ends when it says', () => {
  const archives = [
    { name: 'old', createdMs: 100 },
    { name: 'new', createdMs: 101 },
    { name: 'newest', createdMs: 150 },
  ];
  const { verdicts } = keptOf(archives, { keepWithinMs: 100 }, 200);
  assert.deepEqual(verdicts, [
    ['old', false, ''],
    ['new', true, 'within'],
    ['newest', true, 'newest,within'],
  ]);
  assert.deepEqual(keptOf([{ createdMs: 200 }], { keepWithinMs: 1 }, 200).verdicts, [['n0', true, 'newest,within']]);
  const locked = [{ createdMs: 1, lockedUntilMs: 200 }, { createdMs: 2, lockedUntilMs: 0 }, { createdMs: 3 }];
  assert.deepEqual(
    keptOf(locked, {}, 200).verdicts.map(([, keep]) => keep),
    [false, false, true],
  );
  assert.equal(keptOf(locked, {}, 199).verdicts[0]?.[2], 'locked until 1970-01-01T00:00:00.200Z');
  // Nobody locked it, and the clock stands at the beginning of time.
  assert.equal(keptOf([{ createdMs: 0 }], {}, 0).verdicts[0]?.[2], 'newest');
});

test('days, hours and months begin on the dot', () => {
  const day = Date.UTC(2026, 4, 5);
  const hour = 3_600_000;
  const kept = (times: number[], policy: Partial<RetentionPolicy>) =>
    keptOf(
      times.map((createdMs) => ({ createdMs })),
      policy,
      day * 2,
    ).verdicts.map(([, keep]) => keep);
  assert.deepEqual(kept([day - 1, day], { keepDaily: 2 }), [true, true]);
  assert.deepEqual(kept([day, day + 24 * hour - 1], { keepDaily: 2 }), [false, true]);
  assert.deepEqual(kept([day + hour - 1, day + hour], { keepHourly: 2 }), [true, true]);
  assert.deepEqual(kept([day + hour, day + 2 * hour - 1], { keepHourly: 2 }), [false, true]);
  // A month of one year is not that of another, nor is the sum of year and month.
  const months = [
    Date.UTC(2024, 11, 5),
    Date.UTC(2025, 0, 5),
    Date.UTC(2025, 10, 5),
    Date.UTC(2025, 11, 5),
    Date.UTC(2026, 0, 5),
  ];
  assert.deepEqual(kept(months, { keepMonthly: 5 }), [true, true, true, true, true]);
  assert.deepEqual(kept([Date.UTC(2025, 0, 5), Date.UTC(2024, 1, 5), Date.UTC(2023, 2, 5)], { keepMonthly: 3 }), [
    true,
    true,
    true,
  ]);
});

test('years and months together are told apart', () => {
  const archives = [{ createdMs: Date.UTC(2013, 1, 5) }, { createdMs: Date.UTC(2025, 0, 5) }];
  const { verdicts } = keptOf(archives, { keepMonthly: 2 }, Date.UTC(2026, 0, 1));
  assert.deepEqual(
    verdicts.map(([, keep]) => keep),
    [true, true],
  );
});

test('a hold of a database keeps its only archive too', () => {
  checkTable({ policy: {}, now: '2026-03-02T12:00Z', hold: 'on hold' }, '2026-03-01T02:00Z newest, on hold');
});
