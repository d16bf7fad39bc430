import { z } from 'zod';
import { isTimezone } from '../policy/local-time.ts';
import { cronProblem } from '../policy/schedule.ts';
import { nearestName } from './nearest-name.ts';
import { queueNameSchema } from './queue-settings.ts';

const times = {
  /** `false` runs nothing by itself. */
  enabled: z.boolean().optional(),
  /** Five fields, as of crontab. */
  cron: z.string().optional(),
  /** Every so many hours, counted from 1970-01-01T00:00Z, so that each machine means the same moments. */
  intervalHours: z.int().min(1).max(168).optional(),
  /** `HH:MM`, of the zone. */
  dailyTime: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day: 02:00')
    .optional(),
  /** The queue that the job waits in: `default` unless set. */
  queue: queueNameSchema.optional(),
} as const;

const timezone = z
  .string()
  .superRefine((name, context) => {
    if (isTimezone(name)) return;
    const nearest = nearestName(name, Intl.supportedValuesOf('timeZone'));
    const advice = nearest === undefined ? 'such as Europe/Berlin' : `did you mean ${nearest}?`;
    context.addIssue({ code: 'custom', message: `there is no time zone ${JSON.stringify(name)} (${advice})` });
  })
  .optional();

interface Times {
  readonly cron?: string | undefined;
  readonly intervalHours?: number | undefined;
  readonly dailyTime?: string | undefined;
}

function checkTimes({ cron, intervalHours, dailyTime }: Times, context: z.core.$RefinementCtx): void {
  const given = Object.entries({ cron, intervalHours, dailyTime }).filter(([, value]) => value !== undefined);
  if (given.length > 1) {
    const names = given.map(([name]) => name).join(' and ');
    context.addIssue({ code: 'custom', message: `${names} are both set: only one of them says when` });
  }
  const problem = cron === undefined ? undefined : cronProblem(cron);
  if (problem !== undefined) context.addIssue({ code: 'custom', path: ['cron'], message: problem });
}

/** When backups run by themselves: `0 2 * * *` unless one of the three is set. */
export const scheduleSchema = z
  .strictObject({
    ...times,
    /** Such as `Europe/Berlin`: of the schedule, and of the days and weeks of the retention. This machine's unless set. */
    timezone,
    /** Each run begins up to so many minutes later, always as many for one run, so that not all machines begin at once; 0 unless set. */
    jitterMinutes: z.int().min(0).max(720).optional(),
  })
  .superRefine(checkTimes);

/** When one database is backed up by itself, into archives of its own, and not with the others. */
export const scheduleOverrideSchema = z.strictObject(times).superRefine(checkTimes);
