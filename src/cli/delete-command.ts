import type { Command } from 'commander';
import { HoldfastError } from '../errors.ts';
import { askYes, terminalForQuestion } from './ask.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatMoment, formatSize, paint, printable } from './format-value.ts';
import { gather } from './key-options.ts';
import { type OpenedStorage, withStorages } from './open-storages.ts';
import { formatTable, printJson, printLines } from './print-result.ts';

interface DeleteCommandOptions extends OutputOptions {
  readonly storage: readonly string[];
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** Adds `holdfast delete`. */
export function addDeleteCommand(program: Command, context: CommandContext): void {
  program
    .command('delete')
    .description('remove an archive from storages, for good')
    .argument('<name>', 'its name there')
    .requiredOption('--storage <name>', 'a storage of holdfast.config.ts (repeatable)', gather)
    .option('--yes', 'do not ask')
    .option('--dry-run', 'say what would be removed, and change nothing')
    .option('--json', 'print the result as JSON')
    .action(async (name: string, options: DeleteCommandOptions) => {
      await withStorages(options.storage, context, (storages) => remove(name, storages, options, context));
    });
}

async function remove(
  name: string,
  storages: readonly OpenedStorage[],
  options: DeleteCommandOptions,
  context: CommandContext,
): Promise<void> {
  const { json, dryRun = false } = options;
  const terminal = options.yes || dryRun ? undefined : terminalForQuestion(context, 'a deletion');
  try {
    // All are looked up first: a name that is wrong removes nothing anywhere.
    const found = [];
    for (const { name: label, storage } of storages) {
      const { sizeBytes, modifiedMs } = await storage.stat(name);
      found.push({ storage: label, output: storage.url(name), sizeBytes, modifiedMs });
    }
    const table = formatTable(
      context,
      ['storage', 'archive', '>size', 'modified'],
      found.map((one) => [one.storage, printable(one.output), formatSize(one.sizeBytes), formatMoment(one.modifiedMs)]),
    );
    if (terminal !== undefined) {
      terminal.output.write(`This would be removed for good:\n${table.join('\n')}\n`);
      if (!(await askYes(terminal, 'Delete?', context.signal))) {
        throw new HoldfastError('operation.interrupted', {
          message: 'not confirmed: nothing was removed',
          hint: 'answer y to delete',
        });
      }
    }
    if (!dryRun) for (const { storage } of storages) await storage.delete(name);
    if (json) return printJson(context, { archive: name, dryRun, objects: found });
    const verdict = dryRun ? 'would be removed' : paint(context, context.stdout, 'green', 'removed');
    printLines(context, [`${paint(context, context.stdout, 'bold', printable(name))}: ${verdict}`, ...table]);
  } finally {
    terminal?.close();
  }
}
