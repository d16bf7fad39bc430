import type { Command } from 'commander';
import type { RepairReport } from '../operation/options.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatCount, formatDuration, paint, printable } from './format-value.ts';
import { addThreadsOption } from './number-options.ts';
import {
  addReplicaOptions,
  archiveStorageOption,
  type ReplicaOptions,
  withArchive,
  withReplicas,
} from './open-storages.ts';
import { formatFacts, printJson, printLines } from './print-result.ts';
import { recordedArchive, withRecord } from './record.ts';
import { formatBlockRanges } from './verify-command.ts';
import { withoutUndefined } from './without-undefined.ts';

interface RepairCommandOptions extends OutputOptions, ReplicaOptions {
  readonly storage?: string;
  readonly output?: string;
  readonly partial?: boolean;
  readonly dryRun?: boolean;
  readonly archiveId?: string;
  readonly threads?: number;
}

/** Adds `holdfast repair`. */
export function addRepairCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('repair')
    .description('heal an archive from its parity, its copies and other replicas; needs no key')
    .argument('<archive>', 'path of the archive, or its name on a storage')
    .addOption(archiveStorageOption())
    .option('--output <path>', 'write the healed archive here (in place unless given)')
    .option('--partial', 'write what can be had even where blocks are lost')
    .option('--dry-run', 'look, and write nothing')
    .option('--archive-id <hex>', 'which archive, where a file holds several')
    .option('--json', 'print the result as JSON');
  addThreadsOption(addReplicaOptions(command)).action(async (archive: string, options: RepairCommandOptions) => {
    const { json, storage, from: _from, fromStorage: _fromStorage, ...given } = options;
    const { repairArchive } = await import('../operation/repair.ts');
    const { repairOutcome } = await import('../operation/run-outcomes.ts');
    const report = await withArchive(archive, storage, context, (location) =>
      withReplicas(archive, options, context, (from) => {
        const recorded = recordedArchive(location, storage);
        return withRecord(
          context,
          { kind: 'repair', archives: [recorded], json, dryRun: given.dryRun },
          (run) => repairArchive({ archive: location, from, ...withoutUndefined(given), ...run }),
          (result) => repairOutcome(recorded, result),
        );
      }),
    );
    const dryRun = options.dryRun ?? false;
    if (json) printJson(context, { archive, ...withoutUndefined({ storage }), dryRun, ...report });
    else printLines(context, formatReport(archive, dryRun, report, context));
    context.exitCode = exitCodeOf(report);
  });
}

/** What is lost and was written all the same (`--partial`) is a run that left something out. */
function exitCodeOf(report: RepairReport): number {
  if (report.state !== 'lost') return 0;
  return report.written ? 3 : 11;
}

function formatReport(archive: string, dryRun: boolean, report: RepairReport, context: CommandContext): string[] {
  const { state, blocks, written } = report;
  const verdicts = {
    intact: paint(context, context.stdout, 'green', written ? 'written whole' : 'intact, nothing to repair'),
    repaired: paint(context, context.stdout, 'green', dryRun ? 'can be repaired fully' : 'repaired'),
    lost: paint(context, context.stdout, 'red', written ? 'written, with blocks lost' : 'damaged beyond repair'),
  };
  return [
    `${paint(context, context.stdout, 'bold', printable(archive))}: ${verdicts[state]}`,
    ...formatFacts(context, [
      ['damaged', `${formatCount(blocks.damaged)} of ${formatCount(blocks.perCopy * blocks.copies)} blocks`],
      ['solved', blocks.solved > 0 ? `${formatCount(blocks.solved)} from parity` : ''],
      ['lost', blocks.lost > 0 ? `${formatCount(blocks.lost)}: ${formatBlockRanges(report.lostBlocks)}` : ''],
      ['written', written ? printable(report.output) : ''],
      ['time', formatDuration(report.durationMs)],
    ]),
  ];
}
