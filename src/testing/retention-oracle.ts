/** The retention's rules by brute force, for tests: it shares no code with what it checks. */
import type { RetentionArchive, RetentionContext, RetentionPolicy } from '../policy/retention.ts';

const formats = new Map<string, Intl.DateTimeFormat>();
const shownBefore = new Map<string, Map<number, string>>();
const weeks = new Map<string, string>();

/** `2026-03-29 02:30:00 GMT+1`, as the zone shows it. */
function shown(timeMs: number, zone: string): string {
  const before = shownBefore.get(zone) ?? new Map<number, string>();
  shownBefore.set(zone, before);
  let text = before.get(timeMs);
  if (text !== undefined) return text;
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'long', hourCycle: 'h23' });
  formats.set(zone, format);
  text = format.format(timeMs);
  before.set(timeMs, text);
  return text;
}

/** The Thursday of the ISO week names it. */
function isoWeek(date: string): string {
  const known = weeks.get(date);
  if (known !== undefined) return known;
  const day = new Date(`${date}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7) + 3);
  const week = day.toISOString().slice(0, 10);
  weeks.set(date, week);
  return week;
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

/** The archives that a policy keeps, by the words of its rules. */
export function retentionOracle(
  all: readonly RetentionArchive[],
  policy: RetentionPolicy,
  { nowMs, timezone, hold }: RetentionContext,
): ReadonlySet<RetentionArchive> {
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
