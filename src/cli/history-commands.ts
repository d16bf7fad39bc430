import { type Command, Option } from 'commander';
import type { LoadedConfig } from '../config/load-config.ts';
import type { History } from '../history/history.ts';
import type { RunKind, RunRecord } from '../history/run-record.ts';
import type { RunStats } from '../operation/run-stats.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import {
  formatAgo,
  formatCount,
  formatDuration,
  formatMoment,
  formatNumberOf,
  formatSize,
  paint,
  printable,
} from './format-value.ts';
import { gather } from './key-options.ts';
import { wholeNumber } from './number-options.ts';
import { type OpenedStorage, openChosenStorages } from './open-storages.ts';
import { toHoldfastError } from './print-error.ts';
import { formatFacts, formatTable, printJson, printLines, printNote } from './print-result.ts';
import { openConfiguredHistory } from './record.ts';
import { withoutUndefined } from './without-undefined.ts';

const kinds: readonly RunKind[] = ['backup', 'restore', 'verify', 'repair', 'scrub', 'prune', 'drill'];

/** Adds `holdfast runs`, `holdfast stats` and `holdfast rebuild`. */
export function addHistoryCommands(program: Command, context: CommandContext): void {
  program
    .command('runs')
    .description('list the runs that the history has, the newest first')
    .addOption(new Option('--kind <kind>', 'only runs of this kind').choices(kinds))
    .option('--limit <n>', 'the newest so many (50 unless given)', wholeNumber(1, 1_000_000))
    .option('--json', 'print the result as JSON')
    .action(async (options: RunsOptions) => {
      const { kind, limit = 50 } = options;
      const runs = await withHistory(context, (history) => history.runs({ ...withoutUndefined({ kind }), limit }));
      const { runBytesPerSecond, runDurationMs } = await import('../operation/run-stats.ts');
      const timed = runs.map((run) => ({
        ...run,
        ...withoutUndefined({ durationMs: runDurationMs(run), bytesPerSecond: runBytesPerSecond(run) }),
      }));
      if (options.json) printJson(context, timed);
      else printRuns(timed, context);
    });
  program
    .command('stats')
    .description('sum up the runs of the history: how many, how long, how large, and the last good backup')
    .option('--json', 'print the result as JSON')
    .action(async (options: OutputOptions) => {
      const { runStats } = await import('../operation/run-stats.ts');
      const stats = runStats(await withHistory(context, (history) => history.runs()));
      if (options.json) printJson(context, stats);
      else printStats(stats, context);
    });
  program
    .command('rebuild')
    .description('write into the history what the storages hold and it does not know; needs no key')
    .option('--storage <name>', 'a storage of holdfast.config.ts (all enabled ones unless given; repeatable)', gather)
    .option('--json', 'print the result as JSON')
    .action((options: OutputOptions & { readonly storage?: readonly string[] }) => rebuild(options, context));
}

interface RunsOptions extends OutputOptions {
  readonly kind?: RunKind;
  readonly limit?: number;
}

async function withHistory<Result>(
  context: CommandContext,
  work: (history: History) => Promise<Result>,
): Promise<Result> {
  const { loadConfig } = await import('../config/load-config.ts');
  const history = await openConfiguredHistory(await loadConfig('.', context.environment));
  try {
    return await work(history);
  } finally {
    await history.close();
  }
}

async function rebuild(
  { storage: names, json }: OutputOptions & { readonly storage?: readonly string[] },
  context: CommandContext,
): Promise<void> {
  const { loadConfig } = await import('../config/load-config.ts');
  const { configuredEnvironment } = await import('../config/configured-environment.ts');
  const { rebuildHistory } = await import('../operation/rebuild-history.ts');
  const loaded = await loadConfig('.', context.environment);
  const { filenameTemplate } = loaded.config;
  const history = await openConfiguredHistory(loaded);
  try {
    const storages = await openChosenStorages(loaded, names, context);
    try {
      const environment = configuredEnvironment(loaded.config, context.environment);
      const naming = { environment, ...withoutUndefined({ filenameTemplate }) };
      const rebuilt = await rebuildHistory({ history, storages, ...naming, signal: context.signal });
      const chains = await learnCatalogues(history, storages, loaded, context);
      const report = { ...rebuilt, ...(chains.length > 0 ? { chains } : {}) };
      if (json) printJson(context, report);
      else {
        const added = paint(context, context.stdout, 'green', `${formatNumberOf(report.addedCount, 'archive')} added`);
        printLines(context, [
          `history: ${added}`,
          ...formatFacts(context, [
            ['known', formatNumberOf(report.knownCount, 'archive')],
            ['unreadable', report.unreadableCount > 0 ? formatNumberOf(report.unreadableCount, 'archive') : ''],
            ...report.differingDumps.map((name): [string, string] => [
              'differs',
              `${printable(name)}: its copies are not alike`,
            ]),
            ...chains.map((head): [string, string] => ['catalogue', head]),
          ]),
        ]);
      }
      for (const { storage, error } of report.failedStorages) {
        printNote(context, `${storage}: ${error.message} [${error.code}]`);
      }
      if (report.failedStorages.length > 0) context.exitCode = 3;
    } finally {
      for (const { storage } of storages) await storage.close();
    }
  } finally {
    await history.close();
  }
}

/** The heads of chains that are trusted from now on. A storage that cannot be read is told of already. */
async function learnCatalogues(
  history: History,
  storages: readonly OpenedStorage[],
  { config }: LoadedConfig,
  context: CommandContext,
): Promise<string[]> {
  if (config.catalogue === false) return [];
  const { learnChains } = await import('../operation/verify-catalogue.ts');
  const learnt: string[] = [];
  for (const one of storages) {
    try {
      learnt.push(...(await learnChains([one], history.catalogue, context.signal)));
    } catch (error) {
      if (context.signal.aborted || toHoldfastError(error).code === 'history.unavailable') throw error;
    }
  }
  return learnt;
}

/** A run, with how long it took and how fast it was. */
type TimedRun = RunRecord & { readonly durationMs?: number; readonly bytesPerSecond?: number };

function formatState(state: RunRecord['state'], context: CommandContext): string {
  const isGood = state === 'succeeded' || state === 'running';
  const colour = isGood ? 'green' : state === 'incomplete' || state === 'suspect' ? 'yellow' : 'red';
  return paint(context, context.stdout, colour, state);
}

function formatAge(context: CommandContext, { endedMs, startedMs }: RunRecord): string {
  return formatAgo(context.clock.nowMs() - (endedMs ?? startedMs));
}

function printRuns(runs: readonly TimedRun[], context: CommandContext): void {
  if (runs.length === 0) {
    printNote(context, 'no runs yet');
    return;
  }
  const rows = runs.map((run) => [
    formatMoment(run.startedMs),
    run.kind,
    printable(run.database ?? run.archives[0]?.name ?? ''),
    run.durationMs === undefined ? '' : formatDuration(run.durationMs),
    run.sizeBytes === undefined ? '' : formatSize(run.sizeBytes),
    run.bytesPerSecond === undefined ? '' : `${formatSize(run.bytesPerSecond)}/s`,
    formatState(run.state, context) + (run.proof?.isProven === true ? `, proven ${formatAge(context, run)}` : ''),
    printable(run.error === undefined ? '' : `${run.error.message} [${run.error.code}]`),
  ]);
  printLines(
    context,
    formatTable(context, ['started', 'kind', 'of', '>time', '>size', '>rate', 'state', 'error'], rows),
  );
}

function printStats(
  stats: { readonly kinds: readonly RunStats[]; readonly databases: readonly RunStats[] },
  context: CommandContext,
): void {
  if (stats.kinds.length === 0) {
    printNote(context, 'no runs yet');
    return;
  }
  const row = (label: string, one: RunStats) => [
    printable(label),
    formatCount(one.runCount),
    formatCount(one.failedCount),
    one.averageDurationMs === undefined ? '' : formatDuration(one.averageDurationMs),
    one.averageSizeBytes === undefined ? '' : formatSize(one.averageSizeBytes),
    one.lastGoodMs === undefined ? 'never' : formatMoment(one.lastGoodMs),
    formatState(one.lastState, context),
  ];
  const columns = ['>runs', '>not good', '>time', '>size', 'last good', 'last'];
  const databases = stats.databases.map((one) => row(one.database ?? '', one));
  printLines(context, [
    ...formatTable(
      context,
      ['kind', ...columns],
      stats.kinds.map((one) => row(one.kind, one)),
    ),
    ...(databases.length > 0 ? ['', ...formatTable(context, ['backups of', ...columns], databases)] : []),
  ]);
}
