import { once } from 'node:events';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { type ErrorCode, errorTable, HoldfastError } from '../errors.ts';
import type { SchedulerEvent } from '../operation/scheduler.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatMoment, formatNumberOf, printable } from './format-value.ts';
import { printJson, printLines, printNote } from './print-result.ts';
import type { ListedSchedule } from './schedule-command.ts';
import { type ServedWeb, serveWeb, webAddress } from './serve-web.ts';

/** Adds `holdfast serve`. */
export function addServeCommand(program: Command, context: CommandContext): void {
  program
    .command('serve')
    .description('run the jobs of holdfast.config.ts by their schedules, until it is stopped')
    .option('--web [address]', 'serve the web admin at HOST:PORT (127.0.0.1:8420 unless the configuration says)')
    .option('--json', 'print each event as JSON, one on a line')
    .action(async (options: ServeOptions) => {
      await serve(options, context);
    });
}

interface ServeOptions extends OutputOptions {
  /** `true` where the address is left out. */
  readonly web?: string | true;
}

async function serve({ json = false, web }: ServeOptions, context: CommandContext): Promise<void> {
  const listed = await readSchedules(context);
  const { jobs, historyPath, prunes } = listed;
  const address = webAddress(web, listed.web);
  if (jobs.length === 0 && address === undefined) {
    throw new HoldfastError('config.invalid', { message: 'no job is scheduled', hint: 'see `holdfast schedule list`' });
  }
  const { readSchedule } = await import('../policy/schedule.ts');
  const { runScheduler } = await import('../operation/scheduler.ts');
  // Without it nobody would know what was missed, and two would run at once.
  const { openHistory } = await import('../history/history.ts');
  const store = await openHistory({ path: historyPath });
  const { clock, signal } = context;
  let served: ServedWeb | undefined;
  try {
    if (address !== undefined) {
      served = await serveWeb(
        {
          address,
          settings: listed.web ?? {},
          isScheduling: jobs.length > 0,
          say: (text) => (json ? printJson(context, { event: 'web', message: text }) : printLines(context, [text])),
          note: (text) => printNote(context, text),
        },
        context,
      );
    }
    if (!json) printLines(context, [`${formatMoment(clock.nowMs())}  ${formatNumberOf(jobs.length, 'job')} scheduled`]);
    await runScheduler({
      jobs: jobs.map((job) => ({
        name: job.job,
        schedule: readSchedule(job.times),
        jitterMs: job.jitterMs,
        run: (ending) => runJob(job.job, prunes, { ...context, signal: ending }),
      })),
      store,
      signal,
      clock,
      seed: hostname(),
      onEvent: (event) => (json ? printJson(context, event) : printEvent(event, context)),
    });
    // Without a job there is nothing to wait for but the end.
    if (served !== undefined && jobs.length === 0 && !signal.aborted) await once(signal, 'abort');
  } finally {
    await served?.close();
    await store.close();
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
  problem: 'the history cannot be used',
} as const satisfies Record<SchedulerEvent['event'], string>;

function printEvent({ event, job, timeMs, missed, scheduledMs, error }: SchedulerEvent, context: CommandContext): void {
  const late = missed && scheduledMs !== undefined ? `, missed at ${formatMoment(scheduledMs)}` : '';
  printLines(context, [`${formatMoment(timeMs)}  ${printable(job)}: ${texts[event]}${late}`]);
  if (error !== undefined) printNote(context, `${job}: ${error.message} [${error.code}]`);
}
