import { basename, dirname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { LoadedConfig } from '../config/load-config.ts';
import type { LogSettings } from '../config/log-settings.ts';
import type { ConfiguredJob } from '../config/scheduled-jobs.ts';
import type { WebSettings } from '../config/web-settings.ts';
import { HoldfastError } from '../errors.ts';
import type { RunRecord } from '../history/run-record.ts';
import type { ScheduleTimes } from '../policy/schedule.ts';
import type { ExportFormat } from '../policy/schedule-export.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatMoment, printable } from './format-value.ts';
import { formatTable, printJson, printLines, printNote } from './print-result.ts';
import { findHistory, historyPath } from './record.ts';
import { withoutUndefined } from './without-undefined.ts';

const shownRuns = 3;

/** Adds `holdfast schedule`. */
export function addScheduleCommand(program: Command, context: CommandContext): void {
  const command = program.command('schedule').description('what runs by itself, and when');
  command
    .command('list')
    .description('list the jobs of holdfast.config.ts, their next runs and their last one')
    .option('--json', 'print the result as JSON')
    .action(async (options: OutputOptions) => {
      const { loaded, jobs } = await loadJobs(context);
      const listed = await describeJobs(jobs, loaded, context);
      if (options.json) {
        const prunes = loaded.config.retention?.enabled !== false;
        const { log = {}, web } = loaded.config;
        const path = historyPath(loaded);
        const queue = (await isShared(loaded)) ? 'bullmq' : 'memory';
        const optional = withoutUndefined({ historyPath: path, web });
        const result: ListedSchedule = { jobs: listed, prunes, queue, log, ...optional };
        printJson(context, result);
      } else printJobs(listed, context);
    });
  command
    .command('register')
    .description('let the queue know the jobs, for workers to run; `holdfast serve` does it by itself')
    .option('--json', 'print the result as JSON')
    .action(async (options: OutputOptions) => {
      const { loaded, jobs } = await loadJobs(context);
      const { printRegistered, registerSchedules } = await import('./register-schedules.ts');
      const report = await registerSchedules(jobs, loaded, context);
      if (options.json) printJson(context, report);
      else printRegistered(report, true, context);
    });
  command
    .command('export')
    .description('print the jobs for another scheduler, in place of `holdfast serve`')
    .addOption(
      new Option('--format <format>', 'whose words they are put in')
        .choices(['systemd', 'cron', 'kubernetes'])
        .makeOptionMandatory(),
    )
    .option('--json', 'print the result as JSON')
    .action(async ({ format, json }: OutputOptions & { readonly format: ExportFormat }) => {
      const { loaded, jobs } = await loadJobs(context);
      const { readSchedule } = await import('../policy/schedule.ts');
      const { exportSchedule } = await import('../policy/schedule-export.ts');
      const exported = jobs
        .filter(({ enabled }) => enabled)
        .map(({ name, times, jitterMs }) => ({ name, schedule: readSchedule(times), jitterMs }));
      if (exported.length === 0) {
        throw new HoldfastError('config.invalid', {
          message: 'no job is scheduled',
          hint: 'see `holdfast schedule list`',
        });
      }
      const prunes = loaded.config.retention?.enabled !== false;
      const folder = resolve(dirname(loaded.file));
      const text = exportSchedule(exported, { format, folder, fileName: basename(loaded.file), prunes });
      if (json) printJson(context, { format, text });
      else context.stdout.write(text);
    });
}

async function isShared({ config }: LoadedConfig): Promise<boolean> {
  const { isSharedQueue } = await import('../config/queue-settings.ts');
  return isSharedQueue(config);
}

/** The jobs of the configuration in this folder. */
async function loadJobs(
  context: CommandContext,
): Promise<{ readonly loaded: LoadedConfig; readonly jobs: readonly ConfiguredJob[] }> {
  const { loadConfig } = await import('../config/load-config.ts');
  const { scheduledJobs } = await import('../config/scheduled-jobs.ts');
  const loaded = await loadConfig('.', context.environment);
  return { loaded, jobs: scheduledJobs(loaded.config) };
}

/** What `holdfast schedule list --json` prints. */
export interface ListedSchedule {
  readonly jobs: readonly ListedJob[];
  /** Whether `holdfast serve` lets the retention follow each backup. */
  readonly prunes: boolean;
  /** Where jobs wait. */
  readonly queue: 'memory' | 'bullmq';
  /** The file of the history; absent where it is in PostgreSQL: its URL holds a password. */
  readonly historyPath?: string;
  /** How `holdfast serve` logs. */
  readonly log: LogSettings;
  /** The web admin, where the configuration names one. */
  readonly web?: WebSettings;
}

interface ListedJob {
  readonly job: string;
  readonly enabled: boolean;
  /** For people. */
  readonly schedule: string;
  readonly times: ScheduleTimes;
  readonly jitterMs: number;
  readonly queue: string;
  readonly timezone: string;
  /** Without jitter. */
  readonly nextMs: readonly number[];
  readonly lastMs?: number;
  readonly lastState?: RunRecord['state'];
}

async function describeJobs(
  jobs: readonly ConfiguredJob[],
  loaded: LoadedConfig,
  context: CommandContext,
): Promise<ListedJob[]> {
  const { nextRuns, readSchedule } = await import('../policy/schedule.ts');
  const history = await findHistory(loaded, context);
  const runs = (await history?.runs()) ?? [];
  await history?.close();
  return jobs.map(({ name, enabled, times, jitterMs, queue }) => {
    const schedule = readSchedule(times);
    const last = runs.find(({ job }) => job === name);
    return {
      job: name,
      enabled,
      schedule: schedule.text,
      times,
      jitterMs,
      queue,
      timezone: schedule.timezone,
      nextMs: enabled ? nextRuns(schedule, context.clock.nowMs(), shownRuns) : [],
      ...withoutUndefined({ lastMs: last?.startedMs, lastState: last?.state }),
    };
  });
}

function printJobs(jobs: readonly ListedJob[], context: CommandContext): void {
  if (jobs.length === 0) {
    printNote(context, 'the configuration names nothing to back up');
    return;
  }
  const rows = jobs.map(({ job, enabled, schedule, timezone, nextMs, lastMs, lastState }) => [
    printable(job),
    schedule,
    timezone,
    enabled ? nextMs.slice(0, 1).map(formatMoment).join() : 'disabled',
    lastMs === undefined ? 'never' : `${formatMoment(lastMs)}, ${lastState}`,
  ]);
  printLines(context, formatTable(context, ['job', 'when', 'zone', 'next', 'last'], rows));
}
