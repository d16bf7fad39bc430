import { hostname } from 'node:os';
import type { Command } from 'commander';
import { delay } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { History } from '../history/history.ts';
import type { SchedulerEvent } from '../operation/scheduler.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatMoment, formatNumberOf, printable } from './format-value.ts';
import { wholeNumber } from './number-options.ts';
import { toHoldfastError } from './print-error.ts';
import { printJson, printLines, printNote } from './print-result.ts';
import { openConfiguredHistory } from './record.ts';
import { printRegistered, type RegisterReport } from './register-schedules.ts';
import { runForResult, runJob } from './run-job.ts';
import type { ListedSchedule } from './schedule-command.ts';

/** The configuration is looked at again after so long, and a queue that lost its schedules gets them back. */
const registerEveryMs = 5 * 60_000;

interface ServeOptions extends OutputOptions {
  readonly concurrency?: number;
}

/** Adds `holdfast serve`. */
export function addServeCommand(program: Command, context: CommandContext): void {
  program
    .command('serve')
    .description('run the jobs of holdfast.config.ts by their schedules, or let workers run them, until it is stopped')
    .option(
      '--concurrency <n>',
      'jobs of each queue that run at once (2 unless given); workers have one of their own',
      wholeNumber(1, 64),
    )
    .option('--json', 'print each event as JSON, one on a line')
    .action(async (options: ServeOptions) => {
      const schedules = await readSchedules(context);
      if (schedules.queue === 'bullmq') await keepRegistered(options, context);
      else await serve(schedules, options, context);
    });
}

/** Runs the jobs here. */
async function serve(
  { jobs, historyPath, prunes }: ListedSchedule,
  { json = false, concurrency = 2 }: ServeOptions,
  context: CommandContext,
): Promise<void> {
  if (jobs.length === 0) {
    throw new HoldfastError('config.invalid', { message: 'no job is scheduled', hint: 'see `holdfast schedule list`' });
  }
  const { readSchedule } = await import('../policy/schedule.ts');
  const { runScheduler } = await import('../operation/scheduler.ts');
  const { MemoryQueue } = await import('../queue/memory/memory-queue.ts');
  // Without it nobody would know what was missed, and two would run at once.
  const store = await openStore(historyPath, context);
  const { clock, signal } = context;
  const queue = new MemoryQueue({ clock });
  try {
    const works = [...new Set(jobs.map((job) => job.queue))].map((name) =>
      queue.work({
        queue: name,
        concurrency,
        signal,
        // A run that is under way cleans up behind itself, and is due again.
        graceMs: 0,
        run: ({ job, scheduledMs }, run) => runJob({ job, scheduledMs, prunes }, context, run.signal),
      }),
    );
    if (!json) printLines(context, [`${formatMoment(clock.nowMs())}  ${formatNumberOf(jobs.length, 'job')} scheduled`]);
    await runScheduler({
      jobs: jobs.map((job) => ({
        name: job.job,
        schedule: readSchedule(job.times),
        jitterMs: job.jitterMs,
        run: async (ending, scheduledMs) => {
          const id = await queue.add({ queue: job.queue, job: job.job, scheduledMs });
          await queue.result(job.queue, id, ending);
        },
      })),
      store,
      signal,
      clock,
      seed: hostname(),
      onEvent: (event) => (json ? printJson(context, event) : printEvent(event, context)),
    });
    await Promise.all(works);
  } finally {
    await queue.close();
    await store.close();
  }
}

async function openStore(path: string | undefined, context: CommandContext): Promise<History> {
  const { openHistory } = await import('../history/history.ts');
  if (path !== undefined) return await openHistory({ path });
  // Its URL is a secret, which no process tells another.
  const { loadConfig } = await import('../config/load-config.ts');
  return await openConfiguredHistory(await loadConfig('.', context.environment));
}

/** Workers run the jobs: here it is only seen to that the queue knows them. */
async function keepRegistered({ json = false }: ServeOptions, context: CommandContext): Promise<void> {
  const { signal, clock } = context;
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    try {
      const report = await runForResult<RegisterReport>(['schedule', 'register'], context, signal);
      const { added, changed, removed, missed } = report;
      if (json && (isFirst || [added, changed, removed, missed].some((jobs) => jobs.length > 0))) {
        printJson(context, { event: 'registered', timeMs: clock.nowMs(), ...report });
      } else if (!json) printRegistered(report, isFirst, context);
    } catch (error) {
      if (signal.aborted) return;
      // A queue that is away may be back; a configuration that is wrong says so at the start.
      if (isFirst && !(error instanceof HoldfastError && error.retryable)) throw error;
      const { code, message, hint } = toHoldfastError(error);
      if (json) printJson(context, { event: 'problem', timeMs: clock.nowMs(), error: { code, message, hint } });
      else printNote(context, `${message} [${code}]`);
    }
    await delay(registerEveryMs, signal);
  }
}

/**
 * The jobs that run by themselves. The configuration is read in a process of its own: what that takes (a compiler for TypeScript, the
 * schema, whatever the file imports) is some 40 MiB, which this one would keep for months.
 */
async function readSchedules(context: CommandContext): Promise<ListedSchedule> {
  const listed = await runForResult<ListedSchedule>(['schedule', 'list'], context, context.signal);
  return { ...listed, jobs: listed.jobs.filter(({ enabled }) => enabled) };
}

const texts = {
  started: 'started',
  ended: 'done',
  failed: 'failed',
  held: 'another process is at it',
  problem: 'the history cannot be used',
} as const satisfies Record<SchedulerEvent['event'], string>;

function printEvent({ event, job, timeMs, missed, scheduledMs, error }: SchedulerEvent, context: CommandContext): void {
  const late = missed && scheduledMs !== undefined ? `, missed at ${formatMoment(scheduledMs)}` : '';
  printLines(context, [`${formatMoment(timeMs)}  ${printable(job)}: ${texts[event]}${late}`]);
  if (error !== undefined) printNote(context, `${job}: ${error.message} [${error.code}]`);
}
