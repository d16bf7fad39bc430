import { HoldfastError } from '../errors.ts';
import { printError } from './print-error.ts';
import { openProcessContext } from './process-context.ts';
import { runCommandLine } from './program.ts';

/** Runs the command line of this process; the exit code is set, and the process ends once nothing is under way. */
export async function main(commandLine: readonly string[]): Promise<void> {
  const context = openProcessContext();
  const json = commandLine.includes('--json');
  // Whether the result is cut or the run fails first, neither hides the other.
  const endWith = (exitCode: number) => {
    process.exitCode = Math.max(Number(process.exitCode ?? 0), exitCode);
  };
  // A result that nobody reads any more (`| head`) is no failure; the run itself goes on to its end.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') endWith(printError(context, error, false));
  });
  // Nor does a run end half-way because what it tells comes to nobody: the terminal closed, the program that listened died, the log is full.
  process.stderr.on('error', () => undefined);
  process.on('uncaughtException', (thrown) => {
    const cause = new HoldfastError('operation.failed', { message: thrown.message, cause: thrown });
    process.exit(printError(context, cause, json));
  });
  endWith(await runCommandLine(commandLine, context));
}
