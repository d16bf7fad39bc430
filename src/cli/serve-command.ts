import { hostname } from 'node:os';
import type { Command } from 'commander';
import { type ErrorCode, errorTable, HoldfastError } from '../errors.ts';
import type { ScheduledJob, SchedulerEvent } from '../operation/scheduler.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatMoment, formatNumberOf, printable } from './format-value.ts';
import { toHoldfastError } from './print-error.ts';
import { printJson, printLines, printNote } from './print-result.ts';
import type { ListedSchedule } from './schedule-command.ts';

/** Adds `holdfast serve`. */
export function addServeCommand(program: Command, context: CommandContext): void {
  program
    .command('serve')
    .description('run the jobs of holdfast.config.ts by their schedules, until it is stopped')
    .option('--json', 'print each event as JSON, one on a line')
    .action(async (options: OutputOptions) => {
      await serve(options, context);
    });
}

async function serve({ json = false }: OutputOptions, context: CommandContext): Promise<void> {
  const { clock, signal } = context;
  const first = await readSchedules(context);
  if (first.jobs.length === 0) throw nothingScheduled();
  const { runScheduler } = await import('../operation/scheduler.ts');
  // Without it nobody would know what was missed, and two would run at once.
  const { openHistory } = await import('../history/history.ts');
  const store = await openHistory({ path: first.historyPath });
  const telling = new Telling(context);
  const onEvent = (event: ServeEvent) => (json ? printJson(context, event) : printEvent(event, context));
  let stopListening: (() => void) | undefined;
  try {
    if (!json) printScheduled(first, context);
    await runScheduler({
      jobs: await scheduledJobs(first, telling, context),
      store,
      signal,
      clock,
      seed: hostname(),
      onEvent: (event) => {
        onEvent(event);
        if (event.event === 'overdue') telling.tellOverdue(event);
      },
      onReady: (replaceJobs) => {
        const reload = async () => {
          onEvent(
            await reloaded(first, context, async (listed) =>
              replaceJobs(await scheduledJobs(listed, telling, context)),
            ),
          );
        };
        stopListening = context.onHangup?.(() => telling.keep(reload()));
      },
    });
    await telling.settle();
  } finally {
    stopListening?.();
    await store.close();
  }
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
  { historyPath }: ListedSchedule,
  context: CommandContext,
  replace: (listed: ListedSchedule) => Promise<void>,
): Promise<ServeEvent> {
  const { clock } = context;
  try {
    const listed = await readSchedules(context);
    if (listed.jobs.length === 0) throw nothingScheduled();
    if (listed.historyPath !== historyPath) {
      throw new HoldfastError('config.invalid', {
        message: 'the history is elsewhere now, and who holds which job is written in it',
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
  telling: Telling,
  context: CommandContext,
): Promise<ScheduledJob[]> {
  const { readSchedule } = await import('../policy/schedule.ts');
  return jobs.map(({ job, times, jitterMs }) => ({
    name: job,
    schedule: readSchedule(times),
    jitterMs,
    run: async (ending, { scheduledMs, missed }) => {
      if (missed) telling.tellMissed({ job, scheduledMs });
      await runJob(job, prunes, { ...context, signal: ending });
    },
  }));
}

/** Tells people of runs that did not take place when they should have, beside the jobs; that fails no job. */
class Telling {
  readonly #context: CommandContext;
  readonly #running = new Set<Promise<void>>();

  constructor(context: CommandContext) {
    this.#context = context;
  }

  tellMissed({ job, scheduledMs = 0 }: Pick<SchedulerEvent, 'job' | 'scheduledMs'>): void {
    this.keep(this.#tell(['notify', 'missed', '--job', job, '--due', String(scheduledMs), '--json']));
  }

  tellOverdue({ job, scheduledMs = 0 }: Pick<SchedulerEvent, 'job' | 'scheduledMs'>): void {
    this.keep(this.#tell(['notify', 'missed', '--overdue', '--job', job, '--due', String(scheduledMs), '--json']));
  }

  /** Work that is waited for in the end. */
  keep(work: Promise<void>): void {
    const kept = work.finally(() => this.#running.delete(kept));
    this.#running.add(kept);
  }

  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #tell(words: readonly string[]): Promise<void> {
    try {
      await runCommand(words, this.#context);
    } catch (thrown) {
      const { code, message } = toHoldfastError(thrown);
      if (code !== 'operation.interrupted') printNote(this.#context, `nobody was told: ${message} [${code}]`);
    }
  }
}

/**
 * The jobs that run by themselves. The configuration is read in a process of its own: what that takes (a compiler for TypeScript, the
 * schema, whatever the file imports) is some 40 MiB, which this one would keep for months.
 */
async function readSchedules(context: CommandContext): Promise<ListedSchedule> {
  const { exitCode, output } = await context.runCommand(['schedule', 'list', '--json'], context.signal);
  if (exitCode !== 0) throw errorIn(output) ?? endedWith('schedule', exitCode);
  const listed: ListedSchedule = JSON.parse(output);
  return { ...listed, jobs: listed.jobs.filter(({ enabled }) => enabled) };
}

function endedWith(command: string, exitCode: number): HoldfastError {
  return new HoldfastError('operation.failed', { message: `holdfast ${command} ended with ${exitCode}` });
}

/** A backup as the command line makes it; then what the retention does not keep is removed. */
async function runJob(name: string, prunes: boolean, context: CommandContext): Promise<void> {
  if (name === 'drill') {
    await runCommand(['drill', '--json'], context);
    return;
  }
  const exitCode = await runCommand(['backup', '--job', name, '--json'], context);
  if (exitCode !== 0)
    printNote(context, `${name}: the backup is suspect, or something was left out: see \`holdfast runs\``);
  // What must not be removed after such a run, the history tells.
  if (prunes) await runCommand(['prune', '--yes', '--json'], context);
}

/** Gives the exit code of a command that did its work, in whole or in part; throws the error of one that failed. */
async function runCommand(words: readonly string[], context: CommandContext): Promise<number> {
  const { exitCode, output } = await context.runCommand(words, context.signal);
  if (exitCode === 0 || exitCode === 3) return exitCode;
  throw errorIn(output) ?? endedWith(words[0] ?? '', exitCode);
}

/** The error that a command printed as JSON. */
function errorIn(output: string): HoldfastError | undefined {
  let parsed: { readonly error?: { readonly code: ErrorCode; readonly message: string; readonly hint: string } };
  try {
    parsed = JSON.parse(output);
  } catch {
    // It ended without a word: its exit code is all there is to tell.
    return undefined;
  }
  const error = parsed?.error;
  return error !== undefined && error.code in errorTable ? new HoldfastError(error.code, error) : undefined;
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
