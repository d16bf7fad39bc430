import { drillJob, scrubJob } from '../config/job-names.ts';
import { type ErrorCode, errorTable, HoldfastError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Progress } from '../operation/options.ts';
import { systemRandom } from '../random.ts';
import type { CommandContext } from './command-context.ts';
import { logCommandLine } from './log-options.ts';
import { printNote } from './print-result.ts';
import { runIdVariable } from './record.ts';

/** One run of a job of the schedule. */
export interface JobToRun {
  readonly job: string;
  /** The moment that it is for. */
  readonly scheduledMs: number;
  /** Whether the retention follows it. */
  readonly prunes: boolean;
  /** What the history calls it; made here unless given. */
  readonly runId?: string;
}

/** What a command that runs jobs lets them use. */
export interface JobOutput {
  readonly onProgress?: (progress: Progress) => void;
  /** Takes what the commands write to their stderr, which else goes to that of this process. */
  readonly log?: Log;
}

/** As the history names runs; the last digits count the runs of one command. */
export function newRunId(): string {
  return `${Buffer.from(systemRandom.bytes(10)).toString('hex')}0000`;
}

/** A backup as the command line makes it, in a process of its own; then what the retention does not keep is removed. Or a drill, or a scrub. */
export async function runJob(
  { job, scheduledMs, prunes, runId = newRunId() }: JobToRun,
  context: CommandContext,
  signal: AbortSignal,
  output: JobOutput = {},
): Promise<void> {
  if (job === drillJob || job === scrubJob) {
    const prove = () => runDone([job, '--json'], context, signal, { ...output, fields: { job, runId } });
    await tellingIfKilled({ job, scheduledMs }, prove, context, output);
    return;
  }
  const words = ['backup', '--job', job, '--scheduled-at', String(scheduledMs), '--json'];
  const run = () => runDone(words, context, signal, { ...output, fields: { job, runId } });
  const exitCode = await tellingIfKilled({ job, scheduledMs }, run, context, output);
  if (exitCode !== 0) {
    const message = 'the backup is suspect, or something was left out: see `holdfast runs`';
    if (output.log === undefined) printNote(context, `${job}: ${message}`);
    else output.log.warn(message, { job, runId, exitCode });
  }
  // What must not be removed after such a run, the history tells.
  if (prunes) {
    const fields = { job, runId: newRunId() };
    await runDone(['prune', '--yes', '--json'], context, signal, { ...output, fields });
  }
}

/** A process that was killed, as when memory runs out, can tell nobody of it itself. */
async function tellingIfKilled(
  { job, scheduledMs }: Pick<JobToRun, 'job' | 'scheduledMs'>,
  run: () => Promise<number>,
  context: CommandContext,
  { log }: JobOutput,
): Promise<number> {
  try {
    return await run();
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError) || thrown.context['endedBy'] === undefined) throw thrown;
    const by = String(thrown.context['endedBy']);
    const words = ['notify', 'killed', '--job', job, '--due', String(scheduledMs), '--by', by, '--json'];
    await runDone(words, context, context.signal, log === undefined ? {} : { log }).catch((error: unknown) => {
      const text = `nobody was told: ${error instanceof Error ? error.message : error}`;
      if (log === undefined) printNote(context, text);
      else log.warn(text, { job });
    });
    throw thrown;
  }
}

/** Gives the exit code of a command that did its work, in whole or in part; throws the error of one that failed. */
export async function runDone(
  words: readonly string[],
  context: CommandContext,
  signal: AbortSignal,
  options: JobOutput & { readonly fields?: { readonly job: string; readonly runId: string } } = {},
): Promise<number> {
  const { onProgress, log, fields } = options;
  const [command = ''] = words;
  log?.debug(`holdfast ${command} begins`, { ...fields, command });
  const { exitCode, output } = await context.runCommand(words, signal, {
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(log === undefined ? {} : { onErrorLine: (line: string) => logCommandLine(line, log, { ...fields, command }) }),
    ...(fields === undefined ? {} : { environment: { [runIdVariable]: fields.runId } }),
  });
  log?.debug(`holdfast ${command} ended`, { ...fields, command, exitCode });
  if (exitCode === 0 || exitCode === 3) return exitCode;
  throw errorOf(command, exitCode, output);
}

/** Runs a command whose result is one object. Throws the error that it printed. */
export async function runForResult<Result>(
  words: readonly string[],
  context: CommandContext,
  signal: AbortSignal,
): Promise<Result> {
  const { exitCode, output } = await context.runCommand([...words, '--json'], signal);
  if (exitCode !== 0) throw errorOf(words[0] ?? '', exitCode, output);
  return JSON.parse(output);
}

/** What a scrub found is its result, and no error: its exit code says how bad it is. */
const foundByScrub: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  10: ['operation.failed', 'the scrub found damage that can be repaired, and could not write it back'],
  11: ['archive.damaged', 'the scrub found an archive that is damaged beyond repair'],
};

/** The error that a command printed as JSON. */
function errorOf(command: string, exitCode: number, output: string): HoldfastError {
  const found = command === 'scrub' ? foundByScrub[exitCode] : undefined;
  if (found !== undefined) {
    const [code, message] = found;
    return new HoldfastError(code, { message, hint: '`holdfast scrub --dry-run` names the archives' });
  }
  const ended = new HoldfastError('operation.failed', { message: `holdfast ${command} ended with ${exitCode}` });
  let parsed: { readonly error?: { readonly code: ErrorCode; readonly message: string; readonly hint: string } };
  try {
    parsed = JSON.parse(output);
  } catch {
    // It ended without a word: its exit code is all there is to tell.
    return ended;
  }
  const error = parsed?.error;
  return error !== undefined && error.code in errorTable ? new HoldfastError(error.code, error) : ended;
}
