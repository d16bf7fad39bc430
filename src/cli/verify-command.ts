import { type Command, Option } from 'commander';
import type { LoadedConfig } from '../config/load-config.ts';
import type { ArchiveLocation, OpenKeys, SpreadReport, ValidationReport } from '../operation/options.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatCount, formatDuration, formatNumberOf, formatSize, paint, printable } from './format-value.ts';
import {
  addOpenKeyOptions,
  knownOpenKeys,
  type OpenKeyOptions,
  openKeys,
  openpgpKeyOption,
  plainOpenKeys,
} from './key-options.ts';
import { notify, notifyingFailure } from './notify-run.ts';
import { addThreadsOption } from './number-options.ts';
import { archiveStorageOption, withArchive } from './open-storages.ts';
import { formatFacts, printJson, printLines } from './print-result.ts';
import { recordedArchive, withRecord } from './record.ts';
import { withoutUndefined } from './without-undefined.ts';

interface VerifyOptions extends OutputOptions, OpenKeyOptions {
  readonly level?: 'structure' | 'contents';
  readonly storage?: string;
  readonly archiveId?: string;
  readonly threads?: number;
}

/** Adds `holdfast verify`. */
export function addVerifyCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('verify')
    .description('check an archive; without a key, every block of every copy; with one, every entry too')
    .argument('<archive>', 'path of the archive, or its name on a storage')
    .addOption(archiveStorageOption())
    .addOption(
      new Option('--level <level>', 'how deep to look (contents where there is a key)').choices([
        'structure',
        'contents',
      ]),
    )
    .option('--archive-id <hex>', 'which archive, where a file holds several')
    .option('--json', 'print the result as JSON');
  command.addOption(openpgpKeyOption('file of an OpenPGP secret key that opens a plain dump'));
  addThreadsOption(addOpenKeyOptions(command)).action(async (archive: string, options: VerifyOptions) => {
    const { storage } = options;
    const loaded = storage === undefined ? undefined : await loadedConfig(context);
    const what = `the check of ${archive}`;
    context.exitCode = await notifyingFailure(loaded, what, context, () => verify(archive, options, loaded, context));
  });
}

const exitCodes = { intact: 0, repairable: 10, lost: 11 } as const satisfies Record<ValidationReport['state'], number>;

async function loadedConfig(context: CommandContext): Promise<LoadedConfig> {
  const { loadConfig } = await import('../config/load-config.ts');
  return await loadConfig('.', context.environment);
}

async function verify(
  archive: string,
  options: VerifyOptions,
  loaded: LoadedConfig | undefined,
  context: CommandContext,
): Promise<number> {
  const { level, archiveId, threads, json } = options;
  return await withArchive(archive, options.storage, context, async (location) => {
    const { isPlainDump } = await import('../operation/plain-restore.ts');
    if (await isPlainDump(location)) return await verifyPlain(archive, location, options, context);
    const keys = await keysForLevel(location, options, context);
    const { validateBackup } = await import('../operation/verify.ts');
    const { verifyOutcome } = await import('../operation/run-outcomes.ts');
    const recorded = recordedArchive(location, options.storage);
    const report = await withRecord(
      context,
      { kind: 'verify', archives: [recorded], json, blocksOf: () => recorded.url },
      (run) => validateBackup({ archive: location, ...withoutUndefined({ level, keys, archiveId, threads }), ...run }),
      (result) => verifyOutcome(recorded, result),
    );
    const { state } = report;
    const notifications = await notify(loaded, context, async (given) => {
      const { damageNotifications } = await import('../notify/run-notifications.ts');
      return state === 'intact' ? [] : damageNotifications([{ name: archive, storage: options.storage, state }], given);
    });
    const more = notifications.length > 0 ? { notifications } : {};
    if (json) printJson(context, { archive, ...withoutUndefined({ storage: options.storage }), ...report, ...more });
    else printLines(context, formatReport(archive, report, options.storage, context));
    return exitCodes[report.state];
  });
}

/** A plain dump has no parity: it is whole, or an error. */
async function verifyPlain(
  archive: string,
  location: ArchiveLocation,
  options: VerifyOptions,
  context: CommandContext,
): Promise<number> {
  const { checkPlainBackup } = await import('../operation/plain-restore.ts');
  const keys = await plainOpenKeys(location, options, context);
  const { plainCheckOutcome } = await import('../operation/run-outcomes.ts');
  const recorded = recordedArchive(location, options.storage);
  const report = await withRecord(
    context,
    { kind: 'verify', archives: [recorded], json: options.json },
    (run) => checkPlainBackup({ archive: location, keys, ...run }),
    (result) => plainCheckOutcome(recorded, result),
  );
  if (options.json) {
    printJson(context, { archive, ...withoutUndefined({ storage: options.storage }), ...report });
    return 0;
  }
  printLines(context, [
    `${paint(context, context.stdout, 'bold', printable(archive))}: ${paint(context, context.stdout, 'green', 'intact')}`,
    ...formatFacts(context, [
      ['checked', `a plain dump${report.engine === undefined ? '' : ` of ${report.engine}`}, read to its end`],
      ['size', `${formatSize(report.sizeBytes)}, ${formatSize(report.plainSizeBytes)} expanded`],
      ['sha256', report.sha256],
      ['time', formatDuration(report.durationMs)],
    ]),
  ]);
  return 0;
}

/** Only `--level contents` asks for a key: the structure is checked without one. */
async function keysForLevel(
  archive: ArchiveLocation,
  options: VerifyOptions,
  context: CommandContext,
): Promise<OpenKeys | undefined> {
  if (options.level === 'structure') return undefined;
  if (options.level === undefined) return knownOpenKeys(archive, options, context);
  return openKeys(archive, options, context);
}

function formatReport(
  archive: string,
  report: ValidationReport,
  storage: string | undefined,
  context: CommandContext,
): string[] {
  const { state, blocks } = report;
  const verdicts = {
    intact: paint(context, context.stdout, 'green', 'intact'),
    repairable: paint(context, context.stdout, 'yellow', 'damaged, and fully repairable'),
    lost: paint(context, context.stdout, 'red', 'damaged beyond repair'),
  };
  const total = blocks.perCopy * blocks.copies;
  const copies = formatNumberOf(blocks.copies, 'copy', 'copies');
  const checked =
    report.level === 'contents'
      ? `every block of ${copies}; ${formatNumberOf(report.entryCount, 'entry', 'entries')} opened and found right`
      : `every block of ${copies}; not the contents`;
  const which = storage === undefined ? archive : `${archive} --storage ${storage}`;
  const advice = {
    intact: '',
    repairable: report.spread === undefined ? `holdfast repair ${which}` : 'holdfast scrub',
    lost: storage === undefined ? `holdfast repair ${which} --from <another replica>` : 'holdfast scrub',
  };
  return [
    `${paint(context, context.stdout, 'bold', printable(archive))}: ${verdicts[state]}`,
    ...formatFacts(context, [
      ['checked', checked],
      ['size', formatSize(report.sizeBytes)],
      ['blocks', `${formatCount(blocks.intact)} of ${formatCount(total)} intact${formatDamage(report)}`],
      ['shards', formatShards(report.spread)],
      ['lost', formatLost(report)],
      ['time', formatDuration(report.durationMs)],
      ['next', printable(advice[state])],
    ]),
  ];
}

/** How many shards are there, and which are not as they must be. */
export function formatShards(spread: SpreadReport | undefined): string {
  if (spread === undefined) return '';
  const { data, parity, shards } = spread;
  const bad = shards
    .filter(({ state }) => state !== 'intact')
    .map(({ shard, storage, state }) => `${shard}${storage === '' ? '' : ` (${printable(storage)})`} ${state}`);
  const there = shards.filter(({ state }) => state !== 'missing').length;
  return [`${data} + ${parity}, ${there} there`, ...bad].join(', ');
}

function formatDamage({ blocks }: ValidationReport): string {
  if (blocks.damaged === 0) return '';
  const solved = blocks.solved > 0 ? `, ${formatCount(blocks.solved)} solved from parity` : '';
  const lost = blocks.lost > 0 ? `, ${formatCount(blocks.lost)} lost` : '';
  return `, ${formatCount(blocks.damaged)} damaged${solved}${lost}`;
}

function formatLost({ lostEntries, lostBlocks, state }: ValidationReport): string {
  if (state !== 'lost') return '';
  if (lostEntries.length === 0) return `blocks ${formatBlockRanges(lostBlocks)}`;
  const shown = lostEntries.slice(0, 10).map(printable);
  const more = lostEntries.length > shown.length ? ` and ${formatCount(lostEntries.length - shown.length)} more` : '';
  return `${shown.join(', ')}${more}`;
}

/** Ranges of blocks for people: `3, 17 to 20`. */
export function formatBlockRanges(ranges: readonly (readonly [number, number])[]): string {
  const shown = ranges.slice(0, 10).map(([first, last]) => (first === last ? `${first}` : `${first} to ${last}`));
  return ranges.length > shown.length ? `${shown.join(', ')}, …` : shown.join(', ');
}
