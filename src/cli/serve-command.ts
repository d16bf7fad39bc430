import { hostname } from 'node:os';
import type { Command } from 'commander';
import { HoldfastError } from '../errors.ts';
import type { History } from '../history/history.ts';
import type { ScheduledJob, SchedulerEvent } from '../operation/scheduler.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatMoment, formatNumberOf, printable } from './format-value.ts';
import { wholeNumber } from './number-options.ts';
import { toHoldfastError } from './print-error.ts';
import { printJson, printLines, printNote } from './print-result.ts';
import { openConfiguredHistory } from './record.ts';
import { runForResult } from './run-job.ts';
import type { ListedSchedule } from './schedule-command.ts';
import { ServedQueues } from './served-queues.ts';
import { Telling } from './telling.ts';

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
      const listed = await readSchedules(context);
      if (listed.queue !== 'bullmq') return await serve(listed, options, context);
      const { keepRegistered } = await import('./keep-registered.ts');
      await keepRegistered(options.json ?? false, context);
    });
}

/** Runs the jobs here. */
async function serve(first: ListedSchedule, options: ServeOptions, context: CommandContext): Promise<void> {
  const { json = false, concurrency = 2 } = options;
  const { clock, signal } = context;
  if (first.jobs.length === 0) throw nothingScheduled();
  const { runScheduler } = await import('../operation/scheduler.ts');
  // Without it nobody would know what was missed, and two would run at once.
  const store = await openStore(first.historyPath, context);
  const telling = new Telling(context);
  const queues = await ServedQueues.open({ concurrency }, context);
  const onEvent = (event: ServeEvent) => (json ? printJson(context, event) : printEvent(event, context));
  let stopListening: (() => void) | undefined;
  try {
    if (!json) printScheduled(first, context);
    await runScheduler({
      jobs: await scheduledJobs(first, queues, telling),
      store,
      signal,
      clock,
      seed: hostname(),
      onEvent: (event) => {
        onEvent(event);
        if (event.event === 'overdue') telling.tellOverdue(event);
      },
      onReady: (replaceJobs) => {
        const replace = async (listed: ListedSchedule) => replaceJobs(await scheduledJobs(listed, queues, telling));
        const reload = async () => onEvent(await reloaded(first, context, replace));
        stopListening = context.onHangup?.(() => telling.keep(reload()));
      },
    });
    await queues.settle();
    await telling.settle();
  } finally {
    stopListening?.();
    await queues.close();
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

/** What `serve` prints. */
type ServeEvent =
  | SchedulerEvent
  | {
      /** After a SIGHUP: the configuration was read again, or could not be, and all is as it was. */
      readonly event: 'reloaded' | 'reload-failed';
      readonly timeMs: number;
      readonly jobs?: readonly string[];
      readonly error?: SchedulerEvent['error'];
    };

function nothingScheduled(): HoldfastError {
  return new HoldfastError('config.invalid', { message: 'no job is scheduled', hint: 'see `holdfast schedule list`' });
}

function printScheduled({ jobs }: ListedSchedule, context: CommandContext): void {
  printLines(context, [`${formatMoment(context.clock.nowMs())}  ${formatNumberOf(jobs.length, 'job')} scheduled`]);
}

/** Reads the configuration again. One that is not valid, or schedules nothing, changes nothing. */
async function reloaded(
  first: ListedSchedule,
  context: CommandContext,
  replace: (listed: ListedSchedule) => Promise<void>,
): Promise<ServeEvent> {
  const { clock } = context;
  try {
    const listed = await readSchedules(context);
    if (listed.jobs.length === 0) throw nothingScheduled();
    if (listed.historyPath !== first.historyPath || listed.queue !== first.queue) {
      throw new HoldfastError('config.invalid', {
        message: 'the history or the queue is elsewhere now, and who holds which job is written there',
        hint: 'restart `holdfast serve`',
      });
    }
    await replace(listed);
    return { event: 'reloaded', timeMs: clock.nowMs(), jobs: listed.jobs.map(({ job }) => job) };
  } catch (thrown) {
    const { code, message, hint } = toHoldfastError(thrown);
    return { event: 'reload-failed', timeMs: clock.nowMs(), error: { code, message, hint } };
  }
}

async function scheduledJobs(
  { jobs, prunes }: ListedSchedule,
  queues: ServedQueues,
  telling: Telling,
): Promise<ScheduledJob[]> {
  const { readSchedule } = await import('../policy/schedule.ts');
  return jobs.map(({ job, times, jitterMs, queue }) => ({
    name: job,
    schedule: readSchedule(times),
    jitterMs,
    run: async (ending, { scheduledMs, missed }) => {
      if (missed) telling.tellMissed({ job, scheduledMs });
      await queues.run(queue, { job, scheduledMs, prunes }, ending);
    },
  }));
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
  overdue: 'overdue: another run of it is still at work',
  problem: 'the history cannot be used',
  reloaded: 'the configuration was read again',
  'reload-failed': 'the configuration is kept as it was',
} as const satisfies Record<ServeEvent['event'], string>;

function printEvent(event: ServeEvent, context: CommandContext): void {
  const { timeMs, error } = event;
  const job = 'job' in event ? event.job : 'serve';
  const isLate = 'missed' in event && event.missed === true && event.scheduledMs !== undefined;
  const late = isLate ? `, missed at ${formatMoment(event.scheduledMs ?? 0)}` : '';
  printLines(context, [`${formatMoment(timeMs)}  ${printable(job)}: ${texts[event.event]}${late}`]);
  if (error !== undefined) printNote(context, `${job}: ${error.message} [${error.code}]`);
}
