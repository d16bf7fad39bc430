import { drillJob } from '../config/job-names.ts';
import { type ErrorCode, errorTable, HoldfastError } from '../errors.ts';
import type { Progress } from '../operation/options.ts';
import type { CommandContext } from './command-context.ts';
import { printNote } from './print-result.ts';

/** One run of a job of the schedule. */
export interface JobToRun {
  readonly job: string;
  /** The moment that it is for. */
  readonly scheduledMs: number;
  /** Whether the retention follows it. */
  readonly prunes: boolean;
}

/** A backup as the command line makes it, in a process of its own; then what the retention does not keep is removed. */
export async function runJob(
  { job, scheduledMs, prunes }: JobToRun,
  context: CommandContext,
  signal: AbortSignal,
  onProgress?: (progress: Progress) => void,
): Promise<void> {
  if (job === drillJob) {
    await runDone(['drill', '--json'], context, signal, onProgress);
    return;
  }
  const words = ['backup', '--job', job, '--scheduled-at', String(scheduledMs), '--json'];
  const exitCode = await runDone(words, context, signal, onProgress);
  if (exitCode !== 0) {
    printNote(context, `${job}: the backup is suspect, or something was left out: see \`holdfast runs\``);
  }
  // What must not be removed after such a run, the history tells.
  if (prunes) await runDone(['prune', '--yes', '--json'], context, signal);
}

/** Gives the exit code of a command that did its work, in whole or in part; throws the error of one that failed. */
export async function runDone(
  words: readonly string[],
  context: CommandContext,
  signal: AbortSignal,
  onProgress?: (progress: Progress) => void,
): Promise<number> {
  const { exitCode, output } = await context.runCommand(words, signal, onProgress);
  if (exitCode === 0 || exitCode === 3) return exitCode;
  throw errorOf(words[0] ?? '', exitCode, output);
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

/** The error that a command printed as JSON. */
function errorOf(command: string, exitCode: number, output: string): HoldfastError {
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
