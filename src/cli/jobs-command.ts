import type { Command } from 'commander';
import { HoldfastError } from '../errors.ts';
import type { BullmqQueue } from '../queue/bullmq/bullmq-queue.ts';
import type { QueuedJob } from '../queue/queue.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatMoment, formatSize, paint, printable } from './format-value.ts';
import { gather } from './key-options.ts';
import { formatTable, printJson, printLines, printNote } from './print-result.ts';

interface JobsOptions extends OutputOptions {
  readonly queue?: readonly string[];
}

const queueOption = ['--queue <name>', 'only this queue (all of holdfast.config.ts unless given; repeatable)'] as const;

/** Adds `holdfast jobs`. */
export function addJobsCommand(program: Command, context: CommandContext): void {
  const command = program.command('jobs').description('what waits, runs and failed in the queues');
  command
    .command('list', { isDefault: true })
    .description('list the jobs that run, wait, are scheduled, failed or were done, with their ids')
    .option(...queueOption, gather)
    .option('--json', 'print the result as JSON')
    .action(async (options: JobsOptions) => {
      const jobs = await withQueues(options, context, async (queue, names) => {
        const found: QueuedJob[] = [];
        for (const name of names) found.push(...(await queue.jobs(name)));
        return found;
      });
      if (options.json) printJson(context, jobs);
      else printJobs(jobs, context);
    });
  command
    .command('cancel <id>')
    .description('take a job out that waits, or end one that runs in good order')
    .option(...queueOption, gather)
    .option('--json', 'print the result as JSON')
    .action(async (id: string, options: JobsOptions) => {
      const cancelled = await withQueues(options, context, (queue, names) => cancel(queue, names, id));
      if (options.json) printJson(context, { id, ...cancelled });
      else {
        const text = cancelled.result === 'removed' ? 'taken out' : 'its worker is told to end it';
        printLines(context, [`${printable(id)}: ${text}`]);
      }
    });
}

async function withQueues<Result>(
  { queue: given }: JobsOptions,
  context: CommandContext,
  work: (queue: BullmqQueue, names: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const { loadConfig } = await import('../config/load-config.ts');
  const { openSharedQueue } = await import('../config/queue-settings.ts');
  const { queueNames } = await import('../config/scheduled-jobs.ts');
  const { config, file } = await loadConfig('.', context.environment);
  const queue = await openSharedQueue(config, file);
  try {
    return await work(queue, given ?? queueNames(config));
  } finally {
    await queue.close();
  }
}

/** The job is in one of the queues. */
async function cancel(queue: BullmqQueue, names: readonly string[], id: string) {
  let missing: unknown;
  for (const name of names) {
    try {
      return { queue: name, result: await queue.cancel(name, id) };
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'queue.job_not_found') throw error;
      missing = error;
    }
  }
  throw missing ?? new HoldfastError('queue.job_not_found');
}

const colours = {
  running: 'cyan',
  waiting: 'yellow',
  scheduled: 'dim',
  failed: 'red',
  succeeded: 'green',
} as const satisfies Record<QueuedJob['state'], string>;

function printJobs(jobs: readonly QueuedJob[], context: CommandContext): void {
  if (jobs.length === 0) {
    printNote(context, 'no jobs');
    return;
  }
  const rows = jobs.map((job) => [
    paint(context, context.stdout, colours[job.state], job.state),
    printable(job.queue),
    printable(job.job),
    formatMoment(job.scheduledMs),
    printable(job.worker ?? ''),
    printable(job.error ?? progressOf(job)),
    printable(job.id),
  ]);
  printLines(context, formatTable(context, ['state', 'queue', 'job', 'for', 'worker', 'what', 'id'], rows));
}

function progressOf({ state, progress }: QueuedJob): string {
  if (state !== 'running' || progress === undefined) return '';
  const { phase, doneBytes, totalBytes } = progress;
  const share = totalBytes > 0 ? ` ${Math.floor(Math.min(1, doneBytes / totalBytes) * 100)}%` : '';
  return `${phase}${share}, ${formatSize(doneBytes)}`;
}
