import type { Command } from 'commander';
import type { StorageCheckReport, StorageCheckStep } from '../operation/check-storage.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatCount, formatDuration, formatNumberOf, paint, printable } from './format-value.ts';
import { withStorage } from './open-storages.ts';
import { formatFacts, formatTable, printJson, printLines, printNote } from './print-result.ts';

interface CheckCommandOptions extends OutputOptions {
  readonly many?: boolean;
}

/** Adds `holdfast storage`. */
export function addStorageCommand(program: Command, context: CommandContext): void {
  const storage = program.command('storage').description('look at the storages of the configuration');
  storage
    .command('check')
    .description('try on a storage all that Holdfast needs of one, below a fresh prefix that is removed again')
    .argument('<name>', 'a storage of holdfast.config.ts')
    .option('--many', 'also write and list more than a thousand objects')
    .option('--json', 'print the result as JSON')
    .action(async (name: string, options: CheckCommandOptions) => {
      const { checkStorage } = await import('../operation/check-storage.ts');
      const { signal, clock } = context;
      const report = await withStorage(name, context, (opened) =>
        checkStorage({ storage: opened.storage, manyObjects: options.many === true, signal, clock }),
      );
      if (options.json) printJson(context, { storage: name, ...report });
      else printReport(name, report, context);
      context.exitCode = report.passed ? 0 : 1;
    });
}

function printReport(name: string, report: StorageCheckReport, context: CommandContext): void {
  const { steps, passed, leftovers } = report;
  const colours = { passed: 'green', failed: 'red', unsupported: 'yellow', skipped: 'dim' } as const;
  // The rights one by one; of the contract what did not pass.
  const shown = steps.filter(({ part, state }) => part === 'rights' || state === 'failed' || state === 'unsupported');
  const count = (state: StorageCheckStep['state']) => steps.filter((step) => step.state === state).length;
  const contract = steps.filter(({ part }) => part === 'contract');
  const durationMs = steps.reduce((sum, step) => sum + step.durationMs, 0);
  printLines(context, [
    `${paint(context, context.stdout, 'bold', printable(name))}: ${
      passed
        ? paint(context, context.stdout, 'green', 'all works')
        : paint(context, context.stdout, 'red', 'not all works')
    }`,
    ...formatTable(
      context,
      ['tried', 'result', 'why'],
      shown.map(({ name: tried, state, error }) => [
        printable(tried),
        paint(context, context.stdout, colours[state], state),
        error === undefined ? '' : printable(`${error.message} [${error.code}]`),
      ]),
    ),
    ...formatFacts(context, [
      ['place', `${report.backend}: ${printable(report.place)}`],
      [
        'contract',
        contract.length === 0 ? 'not tried, since not all of these passed' : formatNumberOf(contract.length, 'case'),
      ],
      ['passed', formatCount(count('passed'))],
      ['failed', count('failed') > 0 ? formatCount(count('failed')) : ''],
      ['time', formatDuration(durationMs)],
    ]),
  ]);
  for (const warning of report.warnings) printNote(context, warning);
  const hints = new Set(steps.flatMap(({ state, error }) => (state === 'failed' && error ? [error.hint] : [])));
  for (const hint of hints) printNote(context, `what to do: ${hint}`);
  for (const left of leftovers) printNote(context, `could not be removed: ${left}`);
}
