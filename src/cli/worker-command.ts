import type { Command } from 'commander';
import { timeoutSignal } from '../clock.ts';
import type { BullmqQueue } from '../queue/bullmq/bullmq-queue.ts';
import type { QueuedJob, WorkerEvent } from '../queue/queue.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatMoment, formatNumberOf, printable } from './format-value.ts';
import { gather } from './key-options.ts';
import { wholeNumber } from './number-options.ts';
import { toHoldfastError } from './print-error.ts';
import { printJson, printLines, printNote } from './print-result.ts';
import { runDone, runJob } from './run-job.ts';

/** So long a process may take that tells of a job. */
const tellingLimitMs = 5 * 60_000;

interface WorkerOptions extends OutputOptions {
  readonly queue?: readonly string[];
  readonly concurrency?: number;
  readonly grace?: number;
}

/** Adds `holdfast worker`. */
export function addWorkerCommand(program: Command, context: CommandContext): void {
  program
    .command('worker')
    .description('run the jobs that wait in a queue, until it is stopped; any number of workers share them')
    .option('--queue <name>', 'only jobs of this queue (all of holdfast.config.ts unless given; repeatable)', gather)
    .option('--concurrency <n>', 'jobs of each queue that run at once (1 unless given)', wholeNumber(1, 64))
    .option(
      '--grace <seconds>',
      'how long jobs that run may go on when it is stopped, before they are interrupted and left to others (60 unless given)',
      wholeNumber(0, 86_400),
    )
    .option('--json', 'print each event as JSON, one on a line')
    .action((options: WorkerOptions) => work(options, context));
}

async function work(options: WorkerOptions, context: CommandContext): Promise<void> {
  const { loadConfig } = await import('../config/load-config.ts');
  const { openSharedQueue } = await import('../config/queue-settings.ts');
  const { queueNames } = await import('../config/scheduled-jobs.ts');
  const { config, file } = await loadConfig('.', context.environment);
  const names = options.queue ?? queueNames(config);
  noteUnknownQueues(names, queueNames(config), context);
  const queue = await openSharedQueue(config, file);
  const { clock } = context;
  try {
    if (!options.json) {
      const jobs = formatNumberOf(options.concurrency ?? 1, 'job');
      printLines(context, [`${formatMoment(clock.nowMs())}  at ${printable(names.join(', '))}, ${jobs} at once`]);
    }
    const prunes = config.retention?.enabled !== false;
    await workAll(queue, { names, prunes, options }, context);
  } finally {
    await queue.close();
  }
}

/** A queue that is misspelt would be worked at for ever, and nothing would come. */
function noteUnknownQueues(names: readonly string[], known: readonly string[], context: CommandContext): void {
  for (const name of names) {
    if (known.includes(name)) continue;
    printNote(context, `no job of the configuration waits in the queue ${name}: they wait in ${known.join(', ')}`);
  }
}

/** Works at all queues; where one cannot be worked at, at none. */
async function workAll(
  queue: BullmqQueue,
  given: { readonly names: readonly string[]; readonly prunes: boolean; readonly options: WorkerOptions },
  context: CommandContext,
): Promise<void> {
  const { names, prunes, options } = given;
  const { concurrency = 1, grace = 60, json = false } = options;
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const works = names.map(async (name) => {
    try {
      await queue.work({
        queue: name,
        concurrency,
        signal,
        graceMs: grace * 1000,
        run: async (queued, run) => {
          const { job, scheduledMs } = queued;
          const telling = tellLate(queue, queued, context);
          try {
            await runJob({ job, scheduledMs, prunes }, context, run.signal, {
              onProgress: ({ phase, doneBytes, totalBytes }) => run.report({ phase, doneBytes, totalBytes }),
            });
          } finally {
            await telling;
          }
        },
        giveUp: (job) => tellGivenUp(job, context),
        onEvent: (event) => tell({ queue: name, ...event }, json, context),
      });
    } catch (error) {
      failed.abort();
      throw error;
    }
  });
  const results = await Promise.allSettled(works);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function tellGivenUp(job: QueuedJob, context: CommandContext): Promise<void> {
  await tellPeople('given-up', job, context);
}

/** A job that begins an hour after its time, or later. One that serves tells of it as well, where none begins it. */
async function tellLate(queue: BullmqQueue, job: QueuedJob, context: CommandContext): Promise<void> {
  try {
    if (!(await queue.isNewlyLate(job))) return;
  } catch {
    // The queue is away, which the worker tells itself; the run goes on.
    return;
  }
  await tellPeople('missed', job, context);
}

/** In a process of its own, as all that jobs do: this one keeps no configuration in memory. */
async function tellPeople(
  what: 'given-up' | 'missed',
  { job, scheduledMs }: QueuedJob,
  context: CommandContext,
): Promise<void> {
  const words = ['notify', what, '--job', job, '--due', String(scheduledMs), '--json'];
  try {
    // A worker that is told to end meanwhile still tells of it: nobody else may.
    await runDone(words, context, timeoutSignal(tellingLimitMs));
  } catch (thrown) {
    const { code, message } = toHoldfastError(thrown);
    printNote(context, `${job}: nobody was told: ${message} [${code}]`);
  }
}

const texts = {
  started: 'started',
  ended: 'done',
  failed: 'failed',
  cancelled: 'cancelled',
  postponed: 'it runs elsewhere; tried again',
  returned: 'interrupted, and left to another worker',
  stalled: 'its worker gave no sign of life: it waits again',
  problem: 'the queue does not answer; tried again',
} as const satisfies Record<WorkerEvent['event'], string>;

function tell(event: WorkerEvent & { readonly queue: string }, json: boolean, context: CommandContext): void {
  const timeMs = context.clock.nowMs();
  if (json) {
    printJson(context, { ...event, timeMs });
    return;
  }
  const what = event.job ?? event.id ?? event.queue;
  printLines(context, [`${formatMoment(timeMs)}  ${printable(what)}: ${texts[event.event]}`]);
  const isTold = event.event === 'failed' || event.event === 'problem';
  if (isTold && event.error !== undefined) printNote(context, `${what}: ${event.error}`);
}
