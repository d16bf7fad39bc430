/** When jobs run. Pure functions of settings and moments. */
import { createHash } from 'node:crypto';
import { Cron } from 'croner';
import { systemTimezone } from './local-time.ts';

/** When nothing else is said. */
export const defaultCron = '0 2 * * *';

/** When a job runs: one of the three, {@link defaultCron} where none is set. */
export interface ScheduleTimes {
  readonly cron?: string | undefined;
  readonly intervalHours?: number | undefined;
  /** `HH:MM`. */
  readonly dailyTime?: string | undefined;
  /** This machine's unless set. */
  readonly timezone?: string | undefined;
}

/** A schedule that was read. */
export interface Schedule {
  /** For people: `0 2 * * *`, `every 6 h`. */
  readonly text: string;
  readonly timezone: string;
  /** The pattern of crontab; absent for hours that are counted. */
  readonly cron?: string;
  readonly intervalHours?: number;
  /** The first moment after another; undefined where there is none any more. */
  nextMs(afterMs: number): number | undefined;
}

const hourMs = 3_600_000;

function openCron(pattern: string, timezone: string): Cron {
  return new Cron(pattern, { timezone, paused: true, mode: '5-part' });
}

/** What is wrong with a pattern of crontab, as a sentence; undefined where nothing is. */
export function cronProblem(pattern: string): string | undefined {
  try {
    return openCron(pattern, 'UTC').nextRun(new Date(0)) === null ? 'it never runs' : undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
    return `must be five fields, such as ${defaultCron}: ${reason}`;
  }
}

/**
 * Reads a schedule whose settings were checked. A time of day that the zone leaves out, where its clock is set forward, runs when the gap
 * ends; one that comes twice runs the first time only. Patterns of every hour or every few minutes run by elapsed time. Hours that are
 * counted begin at 1970-01-01T00:00Z.
 */
export function readSchedule({ cron, intervalHours, dailyTime, timezone = systemTimezone() }: ScheduleTimes): Schedule {
  if (intervalHours !== undefined) {
    const stepMs = intervalHours * hourMs;
    const nextMs = (afterMs: number) => (Math.floor(afterMs / stepMs) + 1) * stepMs;
    return { text: `every ${intervalHours} h`, timezone: 'UTC', intervalHours, nextMs };
  }
  const [hour, minute] = (dailyTime ?? '').split(':').map(Number);
  const pattern = dailyTime === undefined ? (cron ?? defaultCron) : `${minute} ${hour} * * *`;
  const opened = openCron(pattern, timezone);
  return {
    text: dailyTime === undefined ? pattern : `daily at ${dailyTime}`,
    timezone,
    cron: pattern,
    nextMs: (afterMs) => opened.nextRun(new Date(afterMs))?.getTime(),
  };
}

/** The next moments after one, so many at most. */
export function nextRuns(schedule: Schedule, afterMs: number, count: number): number[] {
  const found: number[] = [];
  let next = schedule.nextMs(afterMs);
  while (next !== undefined && found.length < count) {
    found.push(next);
    next = schedule.nextMs(next);
  }
  return found;
}

/** How much later a run begins: 0 to the most, always alike for one job and moment, different for others. */
export function jitterMs(seed: string, scheduledMs: number, mostMs: number): number {
  if (mostMs === 0) return 0;
  const share = createHash('sha256').update(`${seed}\0${scheduledMs}`).digest().readUInt32BE() / 2 ** 32;
  return Math.floor(share * mostMs);
}

/** A run that begins this much after its time was missed. */
export const missedAfterMs = 5 * 60_000;
/** One that has not begun so long after its time is overdue: whoever keeps it from beginning takes long. */
export const overdueAfterMs = 60 * 60_000;

/** A set-back of the clock by up to this much repeats no run; more, and what was done counts for nothing. */
const toleratedSetBackMs = hourMs;
/** So far back the last of many missed runs is looked for at first. */
const shortLookBackMs = 8 * 24 * hourMs;

/**
 * The moment up to which a job is done, as far as the clock allows: one that lies far in the future was written when the clock was wrong,
 * and would keep the job from running until then.
 */
export function trustedHandledMs(handledMs: number, nowMs: number): number {
  return handledMs > nowMs + toleratedSetBackMs ? nowMs : handledMs;
}

/** The latest moment of a schedule after one and up to now: several that were missed are caught up with once. */
export function latestDueMs(schedule: Schedule, handledMs: number, nowMs: number): number | undefined {
  return (
    latestBetween(schedule, Math.max(handledMs, nowMs - shortLookBackMs), nowMs) ??
    latestBetween(schedule, handledMs, nowMs)
  );
}

function latestBetween(schedule: Schedule, afterMs: number, nowMs: number): number | undefined {
  let latest: number | undefined;
  for (let next = schedule.nextMs(afterMs); next !== undefined && next <= nowMs; next = schedule.nextMs(next)) {
    latest = next;
  }
  return latest;
}
