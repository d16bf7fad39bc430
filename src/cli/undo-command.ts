import type { Command } from 'commander';
import { HoldfastError } from '../errors.ts';
import type { UndoReport } from '../operation/undo.ts';
import { askYes, terminalForQuestion } from './ask.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatDuration, paint, printable } from './format-value.ts';
import { formatFacts, printJson, printLines } from './print-result.ts';
import { lockTimeoutOption, variable } from './source-options.ts';
import { withoutUndefined } from './without-undefined.ts';

interface UndoCommandOptions extends OutputOptions {
  readonly to?: string;
  readonly toEnv?: string;
  readonly files?: string;
  readonly lockTimeout?: number;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** Adds `holdfast undo`. */
export function addUndoCommand(program: Command, context: CommandContext): void {
  program
    .command('undo')
    .description('bring back what the last restore replaced, and keep what is there: a second undo takes it back')
    .option('--to <url>', 'the database that was restored, such as sqlite:shop.db')
    .option('--to-env <variable>', 'an environment variable that holds this URL')
    .option('--files <path>', 'the folder or file that was restored')
    .addOption(lockTimeoutOption())
    .option('--yes', 'do not ask')
    .option('--dry-run', 'say what would be done, and change nothing')
    .option('--json', 'print the result as JSON')
    .action(async (options: UndoCommandOptions) => {
      const { toEnv } = options;
      await undo(toEnv === undefined ? options : { ...options, to: variable(toEnv, context) }, context);
    });
}

async function undo(options: UndoCommandOptions, context: CommandContext): Promise<void> {
  const { to, files, lockTimeout, json, dryRun = false } = options;
  if ((to === undefined) === (files === undefined)) {
    throw new HoldfastError('usage.invalid', {
      message: 'it is not said what is to be brought back',
      hint: 'give --to with the URL of a database, or --files with a path',
    });
  }
  const terminal = options.yes || dryRun ? undefined : terminalForQuestion(context, 'an undo');
  try {
    const { undoRestore } = await import('../operation/undo.ts');
    const timeoutMs = lockTimeout === undefined ? undefined : lockTimeout * 1000;
    const run = (dry: boolean) =>
      undoRestore({ ...withoutUndefined({ to, files, timeoutMs }), dryRun: dry, signal: context.signal });
    if (terminal !== undefined) {
      terminal.output.write(`This would be brought back:\n${formatChange(await run(true), context).join('\n')}\n`);
      if (!(await askYes(terminal, 'Undo?', context.signal))) {
        throw new HoldfastError('operation.interrupted', {
          message: 'not confirmed: nothing was changed',
          hint: 'answer y to undo',
        });
      }
    }
    const report = await run(dryRun);
    if (json) return printJson(context, report);
    const verdict = report.dryRun ? 'would be brought back' : paint(context, context.stdout, 'green', 'brought back');
    printLines(context, [
      `${paint(context, context.stdout, 'bold', printable(report.target))}: ${verdict}`,
      ...formatChange(report, context),
      ...formatFacts(context, [['time', formatDuration(report.durationMs)]]),
    ]);
  } finally {
    terminal?.close();
  }
}

function formatChange({ restored, undo: kept }: UndoReport, context: CommandContext): string[] {
  return formatFacts(context, [
    ['from', printable(restored)],
    ['undo', kept === undefined ? '' : printable(kept)],
  ]);
}
