import { HoldfastError } from '../errors.ts';
import type { CommandContext } from './command-context.ts';
import { paint, printable } from './format-value.ts';
import { printJson } from './print-result.ts';

/** Anything thrown, as the error that is shown. */
export function toHoldfastError(thrown: unknown): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  if (thrown instanceof Error && thrown.name === 'AbortError') {
    return new HoldfastError('operation.interrupted', { cause: thrown });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new HoldfastError('operation.failed', { ...(message === '' ? {} : { message }), cause: thrown });
}

function oneLine(text: string): string {
  return printable(text.trim().replace(/\s*[\r\n]+\s*/g, '; '));
}

/** Prints an error (one line and a hint on stderr, or one object on stdout) and returns the exit code. */
export function printError(context: CommandContext, thrown: unknown, json: boolean): number {
  const error = toHoldfastError(thrown);
  if (json) {
    const { code, message, hint } = error;
    printJson(context, { error: { code, message, hint, context: error.context } });
  } else {
    const prefix = paint(context, context.stderr, 'red', 'holdfast:');
    const code = paint(context, context.stderr, 'dim', `[${error.code}]`);
    context.stderr.write(`${prefix} ${oneLine(error.message)} ${code}\n`);
    context.stderr.write(`${paint(context, context.stderr, 'cyan', 'hint:')} ${oneLine(error.hint)}\n`);
  }
  if (context.environment['HOLDFAST_DEBUG'] === '1') context.stderr.write(`${debugText(error)}\n`);
  return error.exitCode;
}

function debugText(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${debugText(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
