import { jitterMs, readSchedule, type ScheduleTimes } from '../../policy/schedule.ts';

/** When a job repeats, as a scheduler of BullMQ keeps it: JSON, so that no other reader takes it for cron of its own meaning. */
export interface RepeatedTimes {
  readonly times: ScheduleTimes;
  readonly jitterMs: number;
}

/** The text that a scheduler has for its pattern; alike for alike times. */
export function repeatPattern({ times, jitterMs: most }: RepeatedTimes): string {
  const { cron, intervalHours, dailyTime, timezone } = times;
  return JSON.stringify({ cron, intervalHours, dailyTime, timezone, jitterMs: most });
}

/** The next moment of a pattern after another; undefined where there is none. */
export function nextOfPattern(pattern: string, job: string, afterMs: number): number | undefined {
  const { jitterMs: most, ...times }: ScheduleTimes & { readonly jitterMs: number } = JSON.parse(pattern);
  const next = readSchedule(times).nextMs(afterMs);
  return next === undefined ? undefined : next + jitterMs(job, next, most);
}
