import type { Command } from 'commander';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { paint, printable } from './format-value.ts';
import { gather } from './key-options.ts';
import { withStorages } from './open-storages.ts';
import { printJson, printLines } from './print-result.ts';

interface PinCommandOptions extends OutputOptions {
  readonly storage?: readonly string[];
}

/** Adds `holdfast pin` and `holdfast unpin`. */
export function addPinCommands(program: Command, context: CommandContext): void {
  addOne(program, context, { name: 'pin', pinned: true, description: 'keep prune from removing an archive' });
  addOne(program, context, { name: 'unpin', pinned: false, description: 'let prune remove a pinned archive again' });
}

function addOne(
  program: Command,
  context: CommandContext,
  { name, pinned, description }: { readonly name: string; readonly pinned: boolean; readonly description: string },
): void {
  program
    .command(name)
    .description(description)
    .argument('<name>', 'its name on the storages')
    .option('--storage <name>', 'a storage of holdfast.config.ts (all enabled ones unless given; repeatable)', gather)
    .option('--json', 'print the result as JSON')
    .action(async (archive: string, options: PinCommandOptions) => {
      const { pinArchive, unpinArchive } = await import('../operation/pin.ts');
      const change = pinned ? pinArchive : unpinArchive;
      await withStorages(options.storage, context, async (storages) => {
        for (const { storage } of storages) await change({ storage, name: archive });
        const labels = storages.map((opened) => opened.name);
        if (options.json) return printJson(context, { archive, pinned, storages: labels });
        const verdict = paint(context, context.stdout, 'green', pinned ? 'pinned' : 'not pinned');
        printLines(context, [`${printable(archive)}: ${verdict} on ${labels.map(printable).join(', ')}`]);
      });
    });
}
