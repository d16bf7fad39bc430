import { HoldfastError } from '../errors.ts';
import type { ScheduleTimes } from '../policy/schedule.ts';
import type { HoldfastConfig } from './config-schema.ts';
import { drillJob, mainJob, scrubJob } from './job-names.ts';
import { isMediaEnabled } from './media-given.ts';
import { nearestName } from './nearest-name.ts';
import { defaultQueue } from './queue-settings.ts';

/** A job of the schedule. */
export interface ConfiguredJob {
  /** `backup`, `backup:<alias>` for a database that has a `scheduleOverride`, `drill`, or `scrub`. */
  readonly name: string;
  /** The database that it is for alone. */
  readonly alias?: string;
  /** Whether it runs by itself. */
  readonly enabled: boolean;
  readonly times: ScheduleTimes;
  readonly jitterMs: number;
  /** The queue that it waits in. */
  readonly queue: string;
}

/** The jobs that a configuration means: one for everything, and one for each enabled database that has a schedule of its own. */
export function configuredJobs(config: HoldfastConfig): ConfiguredJob[] {
  const { schedule = {}, databases = [], commands = [], files = [], media = {} } = config;
  const { timezone, jitterMinutes = 0, cron, intervalHours, dailyTime, queue = defaultQueue } = schedule;
  const enabled = config.enabled !== false && schedule.enabled !== false;
  const jitterMs = jitterMinutes * 60_000;
  const backedUp = databases.filter((database) => database.enabled !== false);
  const own = backedUp.flatMap(({ alias, scheduleOverride: override }): ConfiguredJob[] => {
    if (override === undefined) return [];
    const { enabled: isOn = true, queue: own = queue, ...times } = override;
    const name = `${mainJob}:${alias}`;
    return [{ name, alias, enabled: enabled && isOn, times: { ...times, timezone }, jitterMs, queue: own }];
  });
  const hasMain =
    own.length < backedUp.length ||
    files.length > 0 ||
    Object.values(media).some(isMediaEnabled) ||
    commands.some((command) => command.enabled !== false);
  const main = { name: mainJob, enabled, times: { cron, intervalHours, dailyTime, timezone }, jitterMs, queue };
  return hasMain ? [main, ...own] : own;
}

/** All jobs that run by themselves: those that back up, and the drill and the scrub where they have schedules. */
export function scheduledJobs(config: HoldfastConfig): ConfiguredJob[] {
  const jobs = configuredJobs(config);
  const { schedule = {}, drill, scrub } = config;
  if (jobs.length === 0) return jobs;
  const { timezone, jitterMinutes = 0, queue: queueOfAll = defaultQueue } = schedule;
  const jitterMs = jitterMinutes * 60_000;
  const proofs = [
    [drillJob, drill],
    [scrubJob, scrub],
  ] as const;
  const scheduled = proofs.flatMap(([name, settings]): ConfiguredJob[] => {
    if (settings?.schedule === undefined) return [];
    const { enabled: isOn = true, queue = queueOfAll, ...times } = settings.schedule;
    const enabled = config.enabled !== false && settings.enabled !== false && isOn;
    return [{ name, enabled, times: { ...times, timezone }, jitterMs, queue }];
  });
  return [...jobs, ...scheduled];
}

/** The names of all queues that jobs wait in. */
export function queueNames(config: HoldfastConfig): string[] {
  return [...new Set(scheduledJobs(config).map(({ queue }) => queue))].sort();
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
  return { ...config, databases: databases.filter((one) => one.alias === alias), commands: [], files: [], media: {} };
}
