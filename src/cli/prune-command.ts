import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type { PrunedArchive, PruneOptions, PruneReport } from '../operation/prune.ts';
import { askYes, terminalForQuestion } from './ask.ts';
import type { CommandContext, OutputOptions, Terminal } from './command-context.ts';
import { formatMoment, formatNumberOf, formatSize, paint, printable } from './format-value.ts';
import { gather } from './key-options.ts';
import { type OpenedStorage, openChosenStorages } from './open-storages.ts';
import { formatTable, printJson, printLines, printNote } from './print-result.ts';
import { findHistory, openConfiguredHistory, withRecord } from './record.ts';

interface PruneCommandOptions extends OutputOptions {
  readonly storage?: readonly string[];
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** Adds `holdfast prune`. */
export function addPruneCommand(program: Command, context: CommandContext): void {
  program
    .command('prune')
    .description('remove the archives that the retention of holdfast.config.ts does not keep; needs no key')
    .option('--storage <name>', 'a storage of holdfast.config.ts (all enabled ones unless given; repeatable)', gather)
    .option('--dry-run', 'say what would be kept, why, and what removed; change nothing')
    .option('--yes', 'do not ask')
    .option('--json', 'print the result as JSON')
    .action(async (options: PruneCommandOptions) => {
      const { loadConfig } = await import('../config/load-config.ts');
      const loaded = await loadConfig('.', context.environment);
      const opened = await openChosenStorages(loaded, options.storage, context);
      try {
        context.exitCode = await prune(loaded, opened, options, context);
      } finally {
        for (const { storage } of opened) await storage.close();
      }
    });
}

async function prune(
  loaded: LoadedConfig,
  storages: readonly OpenedStorage[],
  options: PruneCommandOptions,
  context: CommandContext,
): Promise<number> {
  const { config } = loaded;
  const { dryRun = false, yes = false, json } = options;
  const { retentionPolicy } = await import('../config/retention-settings.ts');
  const policy = retentionPolicy(config);
  if (policy === undefined) {
    throw new HoldfastError('config.invalid', {
      message: 'retention.enabled is false: nothing is removed',
      hint: 'enable it, or remove single archives with `holdfast delete`',
    });
  }
  const { configuredEnvironment } = await import('../config/configured-environment.ts');
  const { pruneStorages } = await import('../operation/prune.ts');
  const { pruneOutcome } = await import('../operation/run-outcomes.ts');
  const facts = await factsFor(loaded, dryRun, context);
  const terminal = yes || dryRun ? undefined : terminalForQuestion(context, 'a removal');
  try {
    const pruneOptions: PruneOptions = {
      storages,
      policy,
      dryRun,
      ...(facts && { facts }),
      ...(config.schedule?.timezone === undefined ? {} : { timezone: config.schedule.timezone }),
      environment: configuredEnvironment(config, context.environment),
      ...(config.filenameTemplate === undefined ? {} : { filenameTemplate: config.filenameTemplate }),
      ...(terminal && { confirm: (archives) => confirm(archives, terminal, context) }),
      clock: context.clock,
      signal: context.signal,
    };
    const report = await withRecord(
      context,
      { kind: 'prune', json, dryRun, loaded },
      () => pruneStorages(pruneOptions),
      (result) => pruneOutcome(storages, result),
    );
    if (json) printJson(context, report.archives);
    else printReport(report, context);
    printNotes(report, context);
    return report.failedStorages.length > 0 || report.archives.some(({ error }) => error !== undefined) ? 3 : 0;
  } finally {
    terminal?.close();
  }
}

/**
 * What the history knows. Where something is to be removed it has to be readable: it may know that the last run failed. A dry run says
 * what it can without it.
 */
async function factsFor(loaded: LoadedConfig, dryRun: boolean, context: CommandContext) {
  const history = dryRun ? await findHistory(loaded, context) : await openConfiguredHistory(loaded);
  if (history === undefined) return undefined;
  try {
    const { retentionFacts } = await import('../operation/retention-facts.ts');
    return retentionFacts(await history.runs(), { nowMs: context.clock.nowMs() });
  } finally {
    await history.close();
  }
}

async function confirm(
  archives: readonly PrunedArchive[],
  terminal: Terminal,
  context: CommandContext,
): Promise<boolean> {
  const doomed = archives.filter(({ keep }) => !keep);
  const size = formatSize(doomed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  const table = formatArchives(doomed, context).join('\n');
  terminal.output.write(`This would be removed for good, ${size}:\n${table}\n`);
  if (await askYes(terminal, 'Remove?', context.signal)) return true;
  throw new HoldfastError('operation.interrupted', {
    message: 'not confirmed: nothing was removed',
    hint: 'answer y to remove',
  });
}

function formatArchives(archives: readonly PrunedArchive[], context: CommandContext): string[] {
  return formatTable(
    context,
    ['storage', 'database', 'archive', 'created', '>size', 'why'],
    archives.map((archive) => [
      printable(archive.storage),
      printable(archive.database),
      printable(archive.name),
      formatMoment(archive.createdMs),
      formatSize(archive.sizeBytes),
      formatVerdict(archive, context),
    ]),
  );
}

function formatVerdict({ keep, reasons, error }: PrunedArchive, context: CommandContext): string {
  const why = reasons.join(', ');
  if (keep) return why;
  const verdict = why === '' ? 'remove' : `remove: ${why}`;
  return paint(context, context.stdout, error === undefined ? 'yellow' : 'red', verdict);
}

function printReport({ archives, dryRun }: PruneReport, context: CommandContext): void {
  const gone = archives.filter(({ keep, removed }) => (dryRun ? !keep : removed));
  const size = formatSize(gone.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  const verdict = `${formatNumberOf(gone.length, 'archive')} ${dryRun ? 'would be removed' : 'removed'}, ${size}`;
  printLines(context, [
    `${paint(context, context.stdout, 'bold', formatNumberOf(archives.length, 'archive'))}: ${verdict}`,
    ...(archives.length > 0 ? formatArchives(archives, context) : []),
  ]);
}

function printNotes({ archives, unknownNames, unmetCaps, failedStorages }: PruneReport, context: CommandContext): void {
  for (const { storage, name, error } of archives) {
    if (error !== undefined) printNote(context, `${storage}: ${name}: ${error.message} [${error.code}]`);
  }
  for (const { storage, error } of failedStorages) printNote(context, `${storage}: ${error.message} [${error.code}]`);
  for (const { storage, totalSizeBytes, maxTotalSizeBytes } of unmetCaps) {
    const [total, maximum] = [formatSize(totalSizeBytes), formatSize(maxTotalSizeBytes)];
    printNote(context, `${storage}: what has to stay takes ${total}, more than the ${maximum} of maxTotalSizeMb`);
  }
  const [first] = unknownNames;
  if (first === undefined) return;
  const others = formatNumberOf(unknownNames.length, 'archive');
  printNote(context, `${others} with other names, such as ${first.name} on ${first.storage}, left alone`);
}
