import { HoldfastError } from '../errors.ts';
import type { ScheduleTimes } from '../policy/schedule.ts';
import type { HoldfastConfig } from './config-schema.ts';
import { nearestName } from './nearest-name.ts';

/** The job that backs up all that has no schedule of its own, into one archive. */
export const mainJob = 'backup';

/** The job that proves the newest backups by restoring them. */
export const drillJob = 'drill';

/** A job of the schedule. */
export interface ConfiguredJob {
  /** `backup`, `backup:<alias>` for a database that has a `scheduleOverride`, or `drill`. */
  readonly name: string;
  /** The database that it is for alone. */
  readonly alias?: string;
  /** Whether it runs by itself. */
  readonly enabled: boolean;
  readonly times: ScheduleTimes;
  readonly jitterMs: number;
}

/** The jobs that a configuration means: one for everything, and one for each enabled database that has a schedule of its own. */
export function configuredJobs(config: HoldfastConfig): ConfiguredJob[] {
  const { schedule = {}, databases = [], commands = [], files = [] } = config;
  const { timezone, jitterMinutes = 0, cron, intervalHours, dailyTime } = schedule;
  const enabled = config.enabled !== false && schedule.enabled !== false;
  const jitterMs = jitterMinutes * 60_000;
  const backedUp = databases.filter((database) => database.enabled !== false);
  const own = backedUp.flatMap(({ alias, scheduleOverride: override }): ConfiguredJob[] => {
    if (override === undefined) return [];
    const { enabled: isOn = true, ...times } = override;
    return [{ name: `${mainJob}:${alias}`, alias, enabled: enabled && isOn, times: { ...times, timezone }, jitterMs }];
  });
  const hasMain =
    own.length < backedUp.length || files.length > 0 || commands.some((command) => command.enabled !== false);
  const main = { name: mainJob, enabled, times: { cron, intervalHours, dailyTime, timezone }, jitterMs };
  return hasMain ? [main, ...own] : own;
}

/** All jobs that run by themselves: those that back up, and the drill where it has a schedule. */
export function scheduledJobs(config: HoldfastConfig): ConfiguredJob[] {
  const jobs = configuredJobs(config);
  const { schedule = {}, drill } = config;
  if (drill?.schedule === undefined || jobs.length === 0) return jobs;
  const { timezone, jitterMinutes = 0 } = schedule;
  const { enabled: isOn = true, ...times } = drill.schedule;
  const enabled = config.enabled !== false && drill.enabled !== false && isOn;
  return [...jobs, { name: drillJob, enabled, times: { ...times, timezone }, jitterMs: jitterMinutes * 60_000 }];
}

/** The configuration with only what a job backs up. Throws `usage.invalid` where there is no such job. */
export function configOfJob(config: HoldfastConfig, name: string): HoldfastConfig {
  const jobs = configuredJobs(config);
  const job = jobs.find((one) => one.name === name);
  if (job === undefined) {
    const names = jobs.map((one) => one.name);
    const nearest = nearestName(name, names);
    throw new HoldfastError('usage.invalid', {
      message: `there is no job ${name}`,
      hint: nearest === undefined ? `the configuration has ${names.join(', ')}` : `did you mean ${nearest}?`,
      context: { job: name, jobs: names },
    });
  }
  const { alias } = job;
  const databases = config.databases ?? [];
  if (alias === undefined) {
    return { ...config, databases: databases.filter(({ scheduleOverride }) => scheduleOverride === undefined) };
  }
  return { ...config, databases: databases.filter((one) => one.alias === alias), commands: [], files: [] };
}
