/** Which archives are kept: grandfather-father-son in a time zone, for each database on each storage. */
import { periodRules } from './periods.ts';

/** How many archives are kept. Every rule keeps what it names; an archive goes when none names it. */
export interface RetentionPolicy {
  /** The newest so many. */
  readonly keepLast: number;
  /** The newest of each of so many hours, days, ISO weeks, months and years that have one; the present one counts. */
  readonly keepHourly: number;
  readonly keepDaily: number;
  readonly keepWeekly: number;
  readonly keepMonthly: number;
  readonly keepYearly: number;
  /** All that are younger than this. */
  readonly keepWithinMs: number;
  /** Most bytes of all archives of a storage. */
  readonly maxTotalSizeBytes?: number;
}

/** An archive, as far as it matters. */
export interface RetentionArchive {
  readonly storage: string;
  /** What is backed up in it, by the name that archives of one kind share. */
  readonly database: string;
  readonly name: string;
  readonly createdMs: number;
  readonly sizeBytes: number;
  /** Whether someone asked to keep it. */
  readonly isPinned?: boolean;
  /** Whether its contents were read and found right, the last time that anyone looked. */
  readonly isProven?: boolean;
  /** Whether it holds far less than the one before, or is damaged: it takes no place from another. */
  readonly isDoubtful?: boolean;
  /** Until when the storage refuses to remove it. */
  readonly lockedUntilMs?: number;
}

/** The moment and its circumstances. */
export interface RetentionContext {
  readonly nowMs: number;
  /** Such as `Europe/Berlin`. */
  readonly timezone: string;
  /** Why nothing of a database is removed from a storage now: its last run failed, or is suspect. */
  readonly hold?: (database: string, storage: string) => string | undefined;
}

/** What becomes of an archive, and why. Without a reason it goes because no rule keeps it. */
export interface RetentionVerdict<Archive extends RetentionArchive = RetentionArchive> {
  readonly archive: Archive;
  readonly keep: boolean;
  /** `daily 3/7`, `newest`; where it goes for its size, `size cap`. */
  readonly reasons: readonly string[];
}

/** A storage that holds more than `maxTotalSizeBytes`, though all that may go would be gone. */
export interface UnmetCap {
  readonly storage: string;
  readonly totalSizeBytes: number;
  readonly maxTotalSizeBytes: number;
}

/** What {@link judgeRetention} says. */
export interface RetentionJudgement<Archive extends RetentionArchive = RetentionArchive> {
  /** One for each archive, in the order given. */
  readonly verdicts: readonly RetentionVerdict<Archive>[];
  readonly unmetCaps: readonly UnmetCap[];
}

interface Entry<Archive extends RetentionArchive> {
  readonly archive: Archive;
  readonly reasons: string[];
  /** Kept whatever its size. */
  isProtected: boolean;
  keep: boolean;
}

/**
 * Judges archives. Besides what the rules keep these always stay: the newest of each database on each storage, the newest good and the newest proven one,
 * pinned and locked ones, those dated after now (the clock was wrong once, and nobody knows when), and all of a database that is on
 * hold. Doubtful archives are judged as well, but good ones as if the doubtful were not there. A size cap removes the oldest of a storage
 * first, among those that only rules keep.
 */
export function judgeRetention<Archive extends RetentionArchive>(
  archives: readonly Archive[],
  policy: RetentionPolicy,
  context: RetentionContext,
): RetentionJudgement<Archive> {
  const entries = archives.map(
    (archive): Entry<Archive> => ({ archive, reasons: [], isProtected: false, keep: false }),
  );
  const series = Map.groupBy(entries, ({ archive }) => JSON.stringify([archive.storage, archive.database]));
  for (const members of series.values()) judgeSeries(members.sort(newestFirst), policy, context);
  for (const entry of entries) entry.keep = entry.reasons.length > 0;
  const unmetCaps: UnmetCap[] = [];
  const { maxTotalSizeBytes } = policy;
  if (maxTotalSizeBytes !== undefined) {
    for (const [storage, members] of Map.groupBy(entries, ({ archive }) => archive.storage)) {
      const totalSizeBytes = applyCap(members, maxTotalSizeBytes);
      if (totalSizeBytes > maxTotalSizeBytes) unmetCaps.push({ storage, totalSizeBytes, maxTotalSizeBytes });
    }
  }
  return { verdicts: entries.map(({ archive, keep, reasons }) => ({ archive, keep, reasons })), unmetCaps };
}

/** Of two with one moment the later name comes first, so that the order never depends on that of a listing. */
function newestFirst(left: Entry<RetentionArchive>, right: Entry<RetentionArchive>): number {
  const difference = right.archive.createdMs - left.archive.createdMs;
  return difference === 0 ? compareText(right.archive.name, left.archive.name) : difference;
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function judgeSeries<Archive extends RetentionArchive>(
  members: readonly Entry<Archive>[],
  policy: RetentionPolicy,
  context: RetentionContext,
): void {
  const { nowMs, timezone, hold } = context;
  const present = members.filter(({ archive }) => archive.createdMs <= nowMs);
  protect(members, present, nowMs);
  const good = present.filter(({ archive }) => archive.isDoubtful !== true);
  for (const rule of periodRules(policy, timezone)) {
    rule.mark(good);
    // Where good ones are missing, the doubtful ones are all there is of a period.
    if (good.length < present.length) rule.mark(present, ({ archive }) => archive.isDoubtful === true);
  }
  for (const { archive, reasons } of present) {
    if (policy.keepWithinMs > 0 && nowMs - archive.createdMs < policy.keepWithinMs) reasons.push('within');
  }
  const first = members[0]?.archive;
  const reason = first && hold?.(first.database, first.storage);
  if (reason !== undefined) for (const entry of members) keepFor(entry, reason);
}

function keepFor(entry: Entry<RetentionArchive>, reason: string): void {
  entry.reasons.push(reason);
  entry.isProtected = true;
}

function protect(
  members: readonly Entry<RetentionArchive>[],
  present: readonly Entry<RetentionArchive>[],
  nowMs: number,
): void {
  const newest = present[0];
  if (newest !== undefined) keepFor(newest, 'newest');
  const good = present.find(({ archive }) => archive.isDoubtful !== true);
  if (good !== undefined && good !== newest) keepFor(good, 'newest good');
  const proven = present.find(({ archive }) => archive.isProven === true && archive.isDoubtful !== true);
  if (proven !== undefined) keepFor(proven, 'newest proven');
  for (const entry of members) {
    const { isPinned, lockedUntilMs = 0, createdMs } = entry.archive;
    if (createdMs > nowMs) keepFor(entry, 'dated after now');
    if (isPinned === true) keepFor(entry, 'pinned');
    if (lockedUntilMs > nowMs) keepFor(entry, `locked until ${new Date(lockedUntilMs).toISOString()}`);
  }
}

/** Lets the oldest go until the rest fits; gives the bytes that stay. */
function applyCap(members: readonly Entry<RetentionArchive>[], maxTotalSizeBytes: number): number {
  const kept = members.filter(({ keep }) => keep);
  let total = kept.reduce((sum, { archive }) => sum + archive.sizeBytes, 0);
  const oldestFirst = kept
    .filter(({ isProtected }) => !isProtected)
    .sort((a, b) => newestFirst(b, a) || compareText(a.archive.database, b.archive.database));
  for (const entry of oldestFirst) {
    if (total <= maxTotalSizeBytes) break;
    entry.keep = false;
    entry.reasons.splice(0, entry.reasons.length, 'size cap');
    total -= entry.archive.sizeBytes;
  }
  return total;
}
