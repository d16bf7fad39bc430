/** The policy against a brute-force reading of its rules, which shares no code with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { judgeRetention, type RetentionArchive, type RetentionContext, type RetentionPolicy } from './retention.ts';

const zones = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kathmandu', 'Pacific/Apia', 'Australia/Lord_Howe'];
const formats = new Map(
  zones.map((zone) => [
    zone,
    new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'long', hourCycle: 'h23' }),
  ]),
);

/** `2026-03-29 02:30:00 GMT+1`, as the zone shows it. */
function shown(timeMs: number, zone: string): string {
  return formats.get(zone)?.format(timeMs) ?? '';
}

/** The Thursday of the ISO week names it. */
function isoWeek(date: string): string {
  const day = new Date(`${date}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7) + 3);
  return day.toISOString().slice(0, 10);
}

const periods: Record<string, (archive: RetentionArchive, zone: string) => string> = {
  last: ({ name }) => name,
  hourly: ({ createdMs }, zone) => shown(createdMs, zone).replace(/:\d\d:\d\d /, ' '),
  daily: ({ createdMs }, zone) => shown(createdMs, zone).slice(0, 10),
  weekly: ({ createdMs }, zone) => isoWeek(shown(createdMs, zone).slice(0, 10)),
  monthly: ({ createdMs }, zone) => shown(createdMs, zone).slice(0, 7),
  yearly: ({ createdMs }, zone) => shown(createdMs, zone).slice(0, 4),
};

function isNewer(left: RetentionArchive, right: RetentionArchive): boolean {
  return left.createdMs > right.createdMs || (left.createdMs === right.createdMs && left.name > right.name);
}

/** Whether a rule keeps an archive among others: it is the newest of its period, and few periods are newer. */
function isNewestOfFew(
  archive: RetentionArchive,
  others: readonly RetentionArchive[],
  periodOf: (archive: RetentionArchive) => string,
  count: number,
): boolean {
  const newer = others.filter((other) => isNewer(other, archive)).map(periodOf);
  return !newer.includes(periodOf(archive)) && new Set(newer).size < count;
}

function oracle(
  all: readonly RetentionArchive[],
  policy: RetentionPolicy,
  { nowMs, timezone, hold }: RetentionContext,
): Set<RetentionArchive> {
  const counts: Record<string, number> = {
    last: policy.keepLast,
    hourly: policy.keepHourly,
    daily: policy.keepDaily,
    weekly: policy.keepWeekly,
    monthly: policy.keepMonthly,
    yearly: policy.keepYearly,
  };
  const isProtected = (archive: RetentionArchive): boolean => {
    const { createdMs, lockedUntilMs = 0, isPinned, database, storage } = archive;
    if (createdMs > nowMs || isPinned || lockedUntilMs > nowMs || hold?.(database, storage)) return true;
    const same = all.filter((other) => other.database === database && other.storage === storage);
    const newest = (wanted: (other: RetentionArchive) => boolean) =>
      wanted(archive) && !same.some((other) => wanted(other) && other.createdMs <= nowMs && isNewer(other, archive));
    return (
      newest(() => true) ||
      newest((other) => !other.isDoubtful) ||
      newest((other) => !other.isDoubtful && other.isProven === true)
    );
  };
  const isKeptByRule = (archive: RetentionArchive): boolean => {
    if (nowMs - archive.createdMs < policy.keepWithinMs) return true;
    const rivals = all
      .filter((other) => other.database === archive.database && other.storage === archive.storage)
      .filter((other) => other.createdMs <= nowMs && (archive.isDoubtful || !other.isDoubtful));
    return Object.entries(periods).some(([rule, periodOf]) =>
      isNewestOfFew(archive, rivals, (one) => periodOf(one, timezone), counts[rule] ?? 0),
    );
  };
  const kept = new Set(all.filter((archive) => isProtected(archive) || isKeptByRule(archive)));
  const limit = policy.maxTotalSizeBytes ?? Number.POSITIVE_INFINITY;
  for (const storage of new Set(all.map((archive) => archive.storage))) {
    for (;;) {
      const here = [...kept].filter((archive) => archive.storage === storage);
      if (here.reduce((sum, archive) => sum + archive.sizeBytes, 0) <= limit) break;
      const removable = here.filter((archive) => !isProtected(archive));
      const oldest = removable.find((archive) =>
        removable.every((other) => other === archive || isNewer(other, archive)),
      );
      if (oldest === undefined) break;
      kept.delete(oldest);
    }
  }
  return kept;
}

const startMs = Date.UTC(2026, 2, 28);
const count = fc.integer({ min: 0, max: 4 });
const policies: fc.Arbitrary<RetentionPolicy> = fc
  .record({
    keepLast: count,
    keepHourly: count,
    keepDaily: count,
    keepWeekly: count,
    keepMonthly: count,
    keepYearly: count,
    keepWithinMs: fc.constantFrom(0, 3_600_000, 40 * 86_400_000),
    cap: fc.option(fc.integer({ min: 0, max: 500 }), { nil: undefined }),
  })
  .map(({ cap, ...policy }) => ({ ...policy, ...(cap === undefined ? {} : { maxTotalSizeBytes: cap }) }));
/** Close together, days apart and years apart, before and after now. */
const moments = fc.oneof(
  fc.integer({ min: -48 * 60, max: 3 * 60 }).map((minutes) => startMs + minutes * 60_000),
  fc.integer({ min: -90 * 24, max: 48 }).map((hours) => startMs + hours * 3_600_000),
  fc.integer({ min: -3 * 365, max: 1 }).map((days) => startMs + days * 86_400_000),
);
const archiveLists = fc
  .array(
    fc.record({
      storage: fc.constantFrom('a', 'b'),
      database: fc.constantFrom('shop', 'crm'),
      createdMs: moments,
      sizeBytes: fc.integer({ min: 0, max: 60 }),
      isPinned: fc.integer({ max: 9, min: 0 }).map((value) => value === 0),
      isProven: fc.boolean(),
      isDoubtful: fc.integer({ max: 3, min: 0 }).map((value) => value === 0),
      lockedUntilMs: fc.integer({ max: 9, min: 0 }).map((value) => (value === 0 ? startMs + 1 : startMs)),
    }),
    { maxLength: 40 },
  )
  .map((archives) => archives.map((archive, index): RetentionArchive => ({ ...archive, name: `${index}` })));

test('what is kept is what a brute-force reading of the rules keeps', () => {
  fc.assert(
    fc.property(
      archiveLists,
      policies,
      fc.constantFrom(...zones),
      fc.boolean(),
      (archives, policy, timezone, isHeld) => {
        const hold = (database: string, storage: string) =>
          isHeld && database === 'crm' && storage === 'b' ? 'the last run failed' : undefined;
        const context = { nowMs: startMs, timezone, hold };
        const { verdicts } = judgeRetention(archives, policy, context);
        const kept = new Set(verdicts.filter(({ keep }) => keep).map(({ archive }) => archive));
        const expected = oracle(archives, policy, context);
        assert.deepEqual(
          archives.filter((archive) => kept.has(archive)),
          archives.filter((archive) => expected.has(archive)),
        );
        for (const { keep, reasons } of verdicts) if (keep) assert.notEqual(reasons.length, 0);
      },
    ),
    { numRuns: process.env['SLOW'] === '1' ? 20_000 : 400 },
  );
});

test('the order of a listing changes nothing, and what was kept is kept when nothing new came', () => {
  fc.assert(
    fc.property(archiveLists, policies, (archives, { maxTotalSizeBytes: _, ...policy }) => {
      const context = { nowMs: startMs, timezone: 'Europe/Berlin' };
      const namesKept = (list: readonly RetentionArchive[]) =>
        judgeRetention(list, policy, context)
          .verdicts.filter(({ keep }) => keep)
          .map(({ archive }) => archive)
          .sort((a, b) => Number(a.name) - Number(b.name));
      const kept = namesKept(archives);
      assert.deepEqual(namesKept([...archives].reverse()), kept);
      assert.deepEqual(namesKept(kept), kept);
    }),
    { numRuns: 100 },
  );
});
