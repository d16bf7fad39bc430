import type { Command } from 'commander';
import type { ArchiveEntry, ArchiveSummary, BlockHealth, KeySlot, SpreadReport } from '../operation/options.ts';
import { archivedTables } from '../source/sqlite/archived-tables.ts';
import { formatBlockMap } from './block-map.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatCount, formatMoment, formatNumberOf, formatSize, paint, printable } from './format-value.ts';
import { addOpenKeyOptions, knownOpenKeys, type OpenKeyOptions } from './key-options.ts';
import { archiveStorageOption, withArchive } from './open-storages.ts';
import { formatFacts, formatTable, printJson, printLines } from './print-result.ts';
import { type GivenRun, withProgress } from './progress-line.ts';
import { blocksUnkept, existingHistory, recordedArchive, withBlockMaps } from './record.ts';
import { formatShards } from './verify-command.ts';
import { withoutUndefined } from './without-undefined.ts';

interface InspectOptions extends OutputOptions, OpenKeyOptions {
  readonly archiveId?: string;
  readonly storage?: string;
  readonly all?: boolean;
}

interface Inspection {
  readonly summary: ArchiveSummary;
  readonly sizeBytes: number;
  readonly state: 'intact' | 'repairable' | 'lost';
  readonly entries?: readonly ArchiveEntry[];
  readonly blocks: BlockHealth;
  readonly spread?: SpreadReport;
  readonly map: readonly { readonly copy: number; readonly cells: string }[];
}

/** Entries that a person is shown unless all are asked for. */
const shownEntryCount = 50;

/** Adds `holdfast inspect`. */
export function addInspectCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('inspect')
    .description('show the header, the key slots, the state of the blocks, and with a key the entries')
    .argument('<archive>', 'path of the archive, or its name on a storage')
    .addOption(archiveStorageOption())
    .option('--all', `show every entry, not only the first ${shownEntryCount}`)
    .option('--archive-id <hex>', 'which archive, where a file holds several')
    .option('--json', 'print the result as JSON');
  addOpenKeyOptions(command).action(async (archive: string, options: InspectOptions) => {
    const { archiveId, storage, json } = options;
    const { inspectArchive } = await import('../operation/inspect.ts');
    const inspection = await withArchive(archive, storage, context, async (location) => {
      const keys = await knownOpenKeys(location, options, context);
      const work = (run: GivenRun) =>
        inspectArchive({ archive: location, ...withoutUndefined({ archiveId, keys }), ...run });
      const { url } = recordedArchive(location, storage);
      return await withProgress(context, json, (run) => keepingBlocks(run, { storage, url }, context, work));
    });
    if (json) printJson(context, { ...toJson(archive, inspection), ...withoutUndefined({ storage }) });
    else printLines(context, formatInspection(archive, inspection, options.all ?? false, context));
  });
}

/** A look is no run of the history; what it finds of the blocks on a storage is kept there all the same. */
async function keepingBlocks<Result>(
  run: GivenRun,
  { storage, url }: { readonly storage: string | undefined; readonly url: string },
  context: CommandContext,
  work: (run: GivenRun) => Promise<Result>,
): Promise<Result> {
  if (storage === undefined) return await work(run);
  const { loadConfig } = await import('../config/load-config.ts');
  const loaded = await loadConfig('.', context.environment);
  const history = await existingHistory(loaded, context, blocksUnkept);
  try {
    return await withBlockMaps(run, { history, blocksOf: () => url }, context, work);
  } finally {
    await history?.close();
  }
}

/** The rows of a database entry, where its metadata tells them. */
function rowsOf(entry: ArchiveEntry): number | undefined {
  const rows = entry.metadata['rows'];
  return typeof rows === 'number' ? rows : undefined;
}

/** The entry that marks an archive as suspect. */
function suspectOf(entries: readonly ArchiveEntry[]): ArchiveEntry | undefined {
  return entries.find(({ path, kind }) => kind === 'note' && path === 'holdfast/suspect');
}

function toJson(archive: string, { summary, sizeBytes, state, entries, blocks, map, spread }: Inspection): object {
  const shown = entries?.map((entry) => {
    const { path, kind, sizeBytes: size, sha256 } = entry;
    const tables = archivedTables(entry).map((table) => ({ path: table.path, rows: table.rows }));
    const counts = withoutUndefined({ rows: rowsOf(entry), tables: tables.length > 0 ? tables : undefined });
    return { path, kind, sizeBytes: size, ...counts, sha256 };
  });
  // Without a key the entries are not known: that is said, so that nobody takes it for an empty archive.
  return {
    archive,
    ...summary,
    sizeBytes,
    state,
    blocks,
    ...withoutUndefined({ spread }),
    map,
    opened: shown !== undefined,
    ...withoutUndefined({ suspect: entries === undefined ? undefined : suspectOf(entries) !== undefined }),
    ...withoutUndefined({ entries: shown }),
  };
}

function formatInspection(archive: string, inspection: Inspection, all: boolean, context: CommandContext): string[] {
  const { summary, sizeBytes, blocks, entries } = inspection;
  const title = (text: string) => ['', paint(context, context.stdout, 'bold', text)];
  const stripe = `${summary.dataBlocks} data and ${summary.parityBlocks} parity blocks a stripe`;
  return [
    paint(context, context.stdout, 'bold', printable(archive)),
    ...formatFacts(context, [
      ['archive', `${summary.archiveId} (format ${summary.formatVersion})`],
      ['created', formatMoment(summary.createdMs)],
      ['size', formatSize(sizeBytes)],
      ['copies', `${summary.copies}; ${stripe}`],
      ['shards', formatShards(inspection.spread)],
      ['suspect', suspectOf(entries ?? []) === undefined ? '' : 'it holds far less than the archive before'],
      ['sealed', `encryption ${summary.encryption}, compression ${summary.compression}`],
    ]),
    ...(summary.slots.length > 0 ? [...title('key slots'), ...formatSlots(summary.slots, context)] : []),
    ...title(`blocks: ${formatHealth(blocks)}`),
    ...formatBlockMap(inspection.map, context),
    ...(entries === undefined
      ? [
          ...title('entries'),
          '  not shown: they need a key (--passphrase-file, $HOLDFAST_PASSPHRASE or --identity-file)',
        ]
      : [...title(formatTotal(entries)), ...formatEntries(entries, all, context)]),
  ];
}

/** The key slots, one a line. */
export function formatSlots(slots: readonly KeySlot[], context: CommandContext): string[] {
  return formatTable(
    context,
    ['id', 'type', 'created', 'label'],
    slots.map((slot) => [slot.id, slot.type, formatMoment(slot.createdMs), printable(slot.label)]),
  );
}

function formatHealth(blocks: BlockHealth): string {
  const total = formatCount(blocks.perCopy * blocks.copies);
  if (blocks.damaged === 0) return `all ${total} intact`;
  const lost = blocks.lost > 0 ? `, ${formatCount(blocks.lost)} lost` : ', all repairable';
  return `${formatCount(blocks.damaged)} of ${total} damaged${lost}`;
}

function formatTotal(entries: readonly ArchiveEntry[]): string {
  const sizeBytes = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
  return `${formatNumberOf(entries.length, 'entry', 'entries')}, ${formatSize(sizeBytes)}`;
}

function formatEntries(entries: readonly ArchiveEntry[], all: boolean, context: CommandContext): string[] {
  const rows = entries.flatMap((entry) => {
    const count = rowsOf(entry);
    const size = entry.kind === 'directory' ? '' : formatSize(entry.sizeBytes);
    const tables = archivedTables(entry).map(({ path, rows: tableRows }) => {
      return [printable(path), 'table', '', formatCount(tableRows)];
    });
    return [
      [printable(entry.path), printable(entry.kind), size, count === undefined ? '' : formatCount(count)],
      ...tables,
    ];
  });
  const shown = all ? rows : rows.slice(0, shownEntryCount);
  const left = rows.length - shown.length;
  return [
    ...formatTable(context, ['path', 'kind', '>size', '>rows'], shown),
    ...(left > 0 ? [`  … and ${formatCount(left)} more: see them with --all`] : []),
  ];
}
