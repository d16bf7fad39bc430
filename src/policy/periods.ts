import { localTime } from './local-time.ts';
import type { RetentionArchive, RetentionPolicy } from './retention.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;

/** An archive and the reasons to keep it. */
interface Marked {
  readonly archive: RetentionArchive;
  readonly reasons: string[];
}

/** A rule that keeps the newest archive of each of so many periods. */
export interface PeriodRule {
  /** Marks the archives, newest first, that the rule keeps; only those of them that `wanted` says. */
  mark(members: readonly Marked[], wanted?: (member: Marked) => boolean): void;
}

type PeriodOf = (archive: RetentionArchive, localMs: number) => string | number;

/** The rules of a policy in a zone. A period without an archive takes no place. */
export function periodRules(policy: RetentionPolicy, timezone: string): readonly PeriodRule[] {
  const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly } = policy;
  const zone = localTime(timezone);
  // Where the clock is set back an hour comes twice: those are two hours.
  const hour: PeriodOf = ({ createdMs }, localMs) => `${Math.floor(localMs / hourMs)} ${zone.offsetMs(createdMs)}`;
  const day: PeriodOf = (_, localMs) => Math.floor(localMs / dayMs);
  // 1970-01-01 was a Thursday; weeks begin on Monday (ISO 8601).
  const week: PeriodOf = (_, localMs) => Math.floor((Math.floor(localMs / dayMs) + 3) / 7);
  const month: PeriodOf = (_, localMs) => {
    const date = new Date(localMs);
    return date.getUTCFullYear() * 12 + date.getUTCMonth();
  };
  const year: PeriodOf = (_, localMs) => new Date(localMs).getUTCFullYear();
  const rules: readonly (readonly [string, number, PeriodOf])[] = [
    ['last', keepLast, ({ name }) => name],
    ['hourly', keepHourly, hour],
    ['daily', keepDaily, day],
    ['weekly', keepWeekly, week],
    ['monthly', keepMonthly, month],
    ['yearly', keepYearly, year],
  ];
  return rules.map(([label, count, periodOf]) => ({
    mark: (members, wanted = () => true) => {
      const seen = new Set<string | number>();
      for (const member of members) {
        if (seen.size >= count) break;
        const period = periodOf(member.archive, zone.toLocalMs(member.archive.createdMs));
        if (seen.has(period)) continue;
        seen.add(period);
        if (wanted(member)) member.reasons.push(`${label} ${seen.size}/${count}`);
      }
    },
  }));
}
