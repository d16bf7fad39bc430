/** The policy against a brute-force reading of its rules, which shares no code with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { retentionOracle } from '../testing/retention-oracle.ts';
import { judgeRetention, type RetentionArchive, type RetentionPolicy } from './retention.ts';

const zones = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kathmandu', 'Pacific/Apia', 'Australia/Lord_Howe'];
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
        const expected = retentionOracle(archives, policy, context);
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
