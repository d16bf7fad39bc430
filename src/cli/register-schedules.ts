import { drillJob, scrubJob } from '../config/job-names.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import type { ConfiguredJob } from '../config/scheduled-jobs.ts';
import type { BullmqQueue, RepeatedJob, RepeatReport } from '../queue/bullmq/bullmq-queue.ts';
import type { CommandContext } from './command-context.ts';
import { formatMoment, formatNumberOf, printable } from './format-value.ts';
import { notify } from './notify-run.ts';
import { printLines } from './print-result.ts';
import { openConfiguredHistory } from './record.ts';

/** What `holdfast schedule register --json` prints. */
export interface RegisterReport extends RepeatReport {
  /** Jobs that were missed while the queue did not know them, and wait now. */
  readonly missed: readonly string[];
  /** Jobs that have not begun an hour after their time, of which people were told now. */
  readonly overdue: readonly string[];
}

/** Lets the queue know the jobs that run by themselves, and no others. */
export async function registerSchedules(
  jobs: readonly ConfiguredJob[],
  loaded: LoadedConfig,
  context: CommandContext,
): Promise<RegisterReport> {
  const { openSharedQueue } = await import('../config/queue-settings.ts');
  const queue = await openSharedQueue(loaded.config, loaded.file);
  try {
    const enabled = jobs.filter((job) => job.enabled).map(({ name: job, ...rest }) => ({ job, ...rest }));
    // Once a job repeats nobody looks for what it missed: where that fails, the job stays unknown, and the next call looks again.
    const missed = await findMissed(await queue.unrepeated(enabled), loaded, context);
    for (const job of missed) await queue.add(job);
    const report = await queue.repeat(enabled);
    const overdue = await tellOverdue(queue, loaded, context);
    return { ...report, missed: missed.map(({ job }) => job), overdue };
  } finally {
    await queue.close();
  }
}

/** Where no worker runs, or all are busy, nobody else sees that jobs wait. */
async function tellOverdue(queue: BullmqQueue, loaded: LoadedConfig, context: CommandContext): Promise<string[]> {
  const { queueNames } = await import('../config/scheduled-jobs.ts');
  const { missedNotification } = await import('../notify/run-notifications.ts');
  const reason = 'It has not begun yet: no worker is free for it, or none runs.';
  const overdue: string[] = [];
  for (const name of queueNames(loaded.config)) {
    for (const queued of await queue.jobs(name)) {
      const { state, job, scheduledMs } = queued;
      if ((state !== 'scheduled' && state !== 'waiting') || !(await queue.isNewlyLate(queued))) continue;
      overdue.push(job);
      await notify(loaded, context, (given) => [missedNotification({ job, dueMs: scheduledMs, reason }, given)]);
    }
  }
  return overdue;
}

/**
 * A queue that lost what it had, or has just taken over, does not know what was due meanwhile; the history knows the last run. Throws
 * `history.unavailable`.
 */
async function findMissed(
  unknown: readonly Pick<RepeatedJob, 'job' | 'queue' | 'times'>[],
  loaded: LoadedConfig,
  context: CommandContext,
) {
  if (unknown.length === 0) return [];
  const { latestDueMs, readSchedule } = await import('../policy/schedule.ts');
  const history = await openConfiguredHistory(loaded);
  try {
    const missed: { readonly queue: string; readonly job: string; readonly scheduledMs: number }[] = [];
    for (const { job, queue, times } of unknown) {
      const kind = job === drillJob || job === scrubJob ? job : 'backup';
      const [last] = await history.runs({ kind, job, limit: 1 });
      // One that was never run has missed nothing.
      if (last === undefined) continue;
      const sinceMs = last.scheduledMs ?? last.startedMs;
      const scheduledMs = latestDueMs(readSchedule(times), sinceMs, context.clock.nowMs());
      if (scheduledMs !== undefined) missed.push({ queue, job, scheduledMs });
    }
    return missed;
  } finally {
    await history.close();
  }
}

/** Says what changed; the first time also that nothing did. */
export function printRegistered(report: RegisterReport, isFirst: boolean, context: CommandContext): void {
  const { added, changed, kept, missed, overdue } = report;
  const parts = [
    ...(isFirst ? [`${formatNumberOf(added.length + changed.length + kept.length, 'job')} in the queue`] : []),
    ...(['added', 'changed', 'removed'] as const).flatMap((what) =>
      report[what].length > 0 ? [`${report[what].map(printable).join(', ')} ${what}`] : [],
    ),
    ...(missed.length > 0 ? [`${missed.map(printable).join(', ')} missed, and waiting now`] : []),
    ...(overdue.length > 0 ? [`${overdue.map(printable).join(', ')} overdue: see whether a worker runs`] : []),
  ];
  if (parts.length > 0) printLines(context, [`${formatMoment(context.clock.nowMs())}  ${parts.join('; ')}`]);
}
