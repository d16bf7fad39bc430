import type { Command } from 'commander';
import type { TransferReport } from '../operation/push.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatDuration, formatRate, formatSize, paint, printable } from './format-value.ts';
import { gather } from './key-options.ts';
import { addThreadsOption } from './number-options.ts';
import { withArchive, withStorage } from './open-storages.ts';
import { formatFacts, printJson, printLines } from './print-result.ts';
import { withProgress } from './progress-line.ts';
import { withoutUndefined } from './without-undefined.ts';

interface TransferCommandOptions extends OutputOptions {
  readonly storage: string;
  readonly from?: readonly string[];
  readonly overwrite?: boolean;
  readonly dryRun?: boolean;
  readonly threads?: number;
}

function addTransferOptions(command: Command): Command {
  command
    .requiredOption('--storage <name>', 'the storage of holdfast.config.ts')
    .option('--from <archive>', 'another replica to heal from, a file (repeatable)', gather)
    .option('--overwrite', 'allow to replace what is there')
    .option('--dry-run', 'check the archive, and write nothing')
    .option('--json', 'print the result as JSON');
  return addThreadsOption(command);
}

/** Adds `holdfast push`. */
export function addPushCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('push')
    .description('put an archive on a storage, healed where it is damaged, and read it back; needs no key')
    .argument('<file>', 'path of the archive, or its name on a storage')
    .option('--name <name>', "the object's name (the file's unless given)")
    .option('--archive-storage <name>', 'the storage of holdfast.config.ts that the archive is on');
  addTransferOptions(command).action(
    async (
      archive: string,
      options: TransferCommandOptions & { readonly name?: string; readonly archiveStorage?: string },
    ) => {
      const { name, from, overwrite, dryRun, threads, json, archiveStorage } = options;
      const { pushBackup } = await import('../operation/push.ts');
      const given = withoutUndefined({ name, from, overwrite, dryRun, threads });
      const report = await withStorage(options.storage, context, ({ storage }) =>
        withArchive(archive, archiveStorage, context, (location) =>
          withProgress(context, json, (run) => pushBackup({ archive: location, storage, ...given, ...run })),
        ),
      );
      print({ archive, storage: options.storage }, report, options, context);
    },
  );
}

/** Adds `holdfast pull`. */
export function addPullCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('pull')
    .description('bring an archive from a storage to a file, healed where it is damaged; needs no key')
    .argument('<name>', 'its name on the storage')
    .requiredOption('--output <path>', 'the file to write');
  addTransferOptions(command).action(
    async (archive: string, options: TransferCommandOptions & { readonly output: string }) => {
      const { output, from, overwrite, dryRun, threads, json } = options;
      const { pullBackup } = await import('../operation/push.ts');
      const given = withoutUndefined({ from, overwrite, dryRun, threads });
      const report = await withStorage(options.storage, context, ({ storage }) =>
        withProgress(context, json, (run) => pullBackup({ name: archive, storage, output, ...given, ...run })),
      );
      print({ archive, storage: options.storage }, report, options, context);
    },
  );
}

function print(
  place: { readonly archive: string; readonly storage: string },
  report: TransferReport,
  options: TransferCommandOptions,
  context: CommandContext,
): void {
  if (options.json) {
    printJson(context, { ...place, ...report });
    return;
  }
  const { dryRun, healed, sizeBytes, durationMs } = report;
  const done = healed ? 'written, healed on the way' : 'written';
  const verdict = dryRun ? 'would be written' : paint(context, context.stdout, 'green', done);
  const rate = formatRate(sizeBytes, durationMs);
  printLines(context, [
    `${paint(context, context.stdout, 'bold', printable(report.output))}: ${verdict}`,
    ...formatFacts(context, [
      ['archive', report.archiveId ?? 'a plain dump, as it was'],
      ['size', formatSize(sizeBytes)],
      ['state', dryRun && healed ? 'damaged where it is; it would be healed' : ''],
      ['time', `${formatDuration(durationMs)}${dryRun || rate === '' ? '' : ` (${rate})`}`],
    ]),
  ]);
}
