import type { Command } from 'commander';
import { HoldfastError } from '../errors.ts';
import type { SyncedArchive, SyncReport } from '../operation/sync.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatDuration, formatNumberOf, formatSize, paint, printable } from './format-value.ts';
import { addThreadsOption } from './number-options.ts';
import { withStorages } from './open-storages.ts';
import { formatFacts, formatTable, printJson, printLines, printNote } from './print-result.ts';
import { withProgress } from './progress-line.ts';
import { withoutUndefined } from './without-undefined.ts';

interface SyncCommandOptions extends OutputOptions {
  readonly from: string;
  readonly to: string;
  readonly dryRun?: boolean;
  readonly threads?: number;
}

/** Adds `holdfast sync`. */
export function addSyncCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('sync')
    .description('copy the archives that one storage lacks from another; needs no key')
    .requiredOption('--from <name>', 'the storage that has them')
    .requiredOption('--to <name>', 'the storage that may lack some')
    .option('--dry-run', 'say what would be copied, and write nothing')
    .option('--json', 'print the result as JSON');
  addThreadsOption(command).action(async (options: SyncCommandOptions) => {
    const report = await sync(options, context);
    if (options.json) printJson(context, { from: options.from, to: options.to, ...report });
    else printReport(options, report, context);
    context.exitCode = report.failedCount > 0 ? 3 : 0;
  });
}

async function sync(options: SyncCommandOptions, context: CommandContext): Promise<SyncReport> {
  const { from, to, dryRun, threads, json } = options;
  if (from === to) throw new HoldfastError('usage.invalid', { message: '--from and --to are the same storage' });
  const { syncStorages } = await import('../operation/sync.ts');
  return await withStorages([from, to], context, async ([source, target]) => {
    if (source === undefined || target === undefined) throw new HoldfastError('usage.invalid');
    const storages = { from: source.storage, to: target.storage };
    return await withProgress(context, json, (run) =>
      syncStorages({ ...storages, ...withoutUndefined({ dryRun, threads }), ...run }),
    );
  });
}

function printReport({ from, to }: SyncCommandOptions, report: SyncReport, context: CommandContext): void {
  const { archives, copiedCount, failedCount, presentCount, dryRun } = report;
  const count = formatNumberOf(dryRun ? archives.length : copiedCount, 'archive');
  const verdict = dryRun ? `${count} would be copied` : paint(context, context.stdout, 'green', `${count} copied`);
  const stateOf = ({ error, healed }: SyncedArchive) => {
    if (dryRun) return '';
    if (error !== undefined) return paint(context, context.stdout, 'red', error.code);
    return healed ? 'copied, healed' : 'copied';
  };
  const rows = archives.map((archive) => [printable(archive.name), formatSize(archive.sizeBytes), stateOf(archive)]);
  printLines(context, [
    `${paint(context, context.stdout, 'bold', `${from} to ${to}`)}: ${verdict}`,
    ...(rows.length > 0 ? formatTable(context, ['archive', '>size', 'state'], rows) : []),
    ...formatFacts(context, [
      ['there', formatNumberOf(presentCount, 'archive')],
      ['failed', failedCount > 0 ? formatNumberOf(failedCount, 'archive') : ''],
      ['time', formatDuration(report.durationMs)],
    ]),
  ]);
  for (const { name, error } of archives) {
    if (error !== undefined) printNote(context, `${name}: ${error.message} [${error.code}]`);
  }
}
