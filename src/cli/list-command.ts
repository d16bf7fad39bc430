import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { DrillFact } from '../operation/drill-facts.ts';
import type { ArchiveLocation, ArchiveSummary } from '../operation/options.ts';
import type { CatalogueReport } from '../operation/verify-catalogue.ts';
import { onPath } from '../storage/durable-file.ts';
import type { ShardSet } from '../storage/spread/shard-sets.ts';
import type { Storage, StoredObject } from '../storage/storage.ts';
import { lookAtCatalogues, noteFindings } from './catalogue-access.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatAgo, formatMoment, formatSize, paint, printable } from './format-value.ts';
import { gather } from './key-options.ts';
import { withStorages } from './open-storages.ts';
import { toHoldfastError } from './print-error.ts';
import { formatTable, printJson, printLines, printNote } from './print-result.ts';
import { existingHistory } from './record.ts';
import { openSynchronousFile } from './synchronous-file.ts';
import { withoutUndefined } from './without-undefined.ts';

/** Headers that are read without looking up, on the main thread: signals are heard between, some milliseconds later. */
const headersInOneGo = 64;

/** A row of the list; a file that is no archive has an error in place of a header. */
interface ListedArchive {
  readonly path: string;
  /** The storage, and its name there. */
  readonly storage?: string;
  readonly name?: string;
  readonly sizeBytes: number;
  /** How the last drill of it came out. */
  readonly drill?: DrillFact;
  readonly summary?: ArchiveSummary;
  /** Of a plain dump. */
  readonly plain?: { readonly isEncrypted: boolean; readonly compression: string; readonly createdMs: number };
  /** Of an archive that is laid over several storages: which of its shards are there. */
  readonly spread?: ListedSpread;
  readonly error?: HoldfastError;
}

/** Shards that are there; nothing in them was looked at. */
interface ListedSpread {
  readonly data: number;
  readonly parity: number;
  readonly there: readonly { readonly shard: number; readonly storage: string }[];
}

/** Adds `holdfast list`. */
export function addListCommand(program: Command, context: CommandContext): void {
  program
    .command('list')
    .description('list archives by their headers; needs no key')
    .argument(
      '[path...]',
      'archives, and folders that hold some (those on the storages of holdfast.config.ts unless given)',
    )
    .option('--storage <name>', 'archives on this storage of holdfast.config.ts (repeatable)', gather)
    .option('--json', 'print the result as JSON')
    .action(async (paths: string[], options: ListOptions) => {
      const listsStorages = options.storage !== undefined || (paths.length === 0 && (await hasConfiguration()));
      if (paths.length === 0 && !listsStorages) {
        throw new HoldfastError('usage.invalid', {
          message: 'it is not said what is to be listed, and there is no configuration here',
          hint: 'give paths, or make a configuration with `holdfast init`',
        });
      }
      const archives = await readHeaders(await findArchives(paths), context.signal);
      const onStorages = listsStorages ? await listStorages(options.storage, context) : undefined;
      if (onStorages !== undefined) archives.push(...(await withDrills(onStorages.listed, context)));
      archives.sort(byCreation);
      const catalogue = onStorages?.catalogue;
      if (options.json) printJson(context, { archives: archives.map(toJson), ...(catalogue && { catalogue }) });
      else printArchives(archives, context);
      noteFindings(catalogue, context);
    });
}

async function hasConfiguration(): Promise<boolean> {
  const { findConfigFile } = await import('../config/load-config.ts');
  return (await findConfigFile('.')) !== undefined;
}

interface ListOptions extends OutputOptions {
  readonly storage?: readonly string[];
}

/** Headers of a storage that are read at once: most of the time goes by on the network. */
const headersAtOnce = 8;

async function listStorages(
  names: readonly string[] | undefined,
  context: CommandContext,
): Promise<{ readonly listed: readonly ListedArchive[]; readonly catalogue: CatalogueReport | undefined }> {
  const { loadConfig } = await import('../config/load-config.ts');
  const { summarizeArchive } = await import('../operation/inspect.ts');
  const { listArchives } = await import('../operation/sync.ts');
  const { listPlainDumps } = await import('../operation/plain-copies.ts');
  const { isPlainName } = await import('../plain/plain-name.ts');
  return await withStorages(names, context, async (storages) => {
    const listed: ListedArchive[] = [];
    for (const { name: label, storage } of storages) {
      const objects = [...(await listArchives(storage)), ...(await listPlainDumps(storage))];
      const readOne = async ({ name, sizeBytes: storedBytes, modifiedMs }: StoredObject): Promise<ListedArchive> => {
        const place = { path: storage.url(name), storage: label, name };
        try {
          if (isPlainName(name)) return { ...place, ...(await readPlain({ storage, name }, modifiedMs)) };
          const { sizeBytes, ...summary } = await summarizeArchive({ storage, name });
          return { ...place, sizeBytes, summary };
        } catch (thrown) {
          throwIfAborted(context.signal);
          return { ...place, sizeBytes: storedBytes, error: toHoldfastError(thrown) };
        }
      };
      const headers: ListedArchive[] = [];
      for (let start = 0; start < objects.length; start += headersAtOnce) {
        throwIfAborted(context.signal);
        headers.push(...(await Promise.all(objects.slice(start, start + headersAtOnce).map(readOne))));
      }
      listed.push(...(storage.spread === undefined ? headers : await withShards(headers, label, storage, context)));
    }
    const loaded = await loadConfig('.', context.environment);
    return { listed, catalogue: await lookAtCatalogues(storages, loaded, 'names', context) };
  });
}

/** With the shards that are there, and archives of which too few are seen. */
async function withShards(
  listed: readonly ListedArchive[],
  label: string,
  storage: Storage,
  context: CommandContext,
): Promise<ListedArchive[]> {
  const { chooseSet, objectOf } = await import('../storage/spread/shard-sets.ts');
  const { describeLostShards, lackingShardSets } = await import('../operation/lost-shards.ts');
  const { sets = [], failures = [] } = (await storage.spread?.shardSets()) ?? {};
  for (const { member, error } of failures) {
    const { code, message } = toHoldfastError(error);
    printNote(context, `${label}: ${member.label} does not tell what it holds: ${message} [${code}]`);
  }
  const spreadOf = ({ shape, shards }: ShardSet): ListedSpread => {
    const there = shards.map(({ index, member }) => ({ shard: index + 1, storage: member.label }));
    return { ...shape, there: there.sort((left, right) => left.shard - right.shard) };
  };
  const whole = listed.map((archive): ListedArchive => {
    const chosen = chooseSet(sets.filter((set) => set.name === archive.name));
    return chosen === undefined
      ? archive
      : { ...archive, sizeBytes: objectOf(chosen).sizeBytes, spread: spreadOf(chosen) };
  });
  const lacking = await lackingShardSets(storage);
  const others = lacking.sets.map((set): ListedArchive => {
    const { name, sizeBytes } = objectOf(set);
    const place = { path: storage.url(name), storage: label, name, sizeBytes };
    const { failure } = lacking;
    const error = failure === undefined ? describeLostShards(storage, set) : toHoldfastError(failure.error);
    return { ...place, spread: spreadOf(set), error };
  });
  return [...whole, ...others];
}

/** With what the history knows of drills. */
async function withDrills(listed: readonly ListedArchive[], context: CommandContext): Promise<ListedArchive[]> {
  const { loadConfig } = await import('../config/load-config.ts');
  const history = await existingHistory(await loadConfig('.', context.environment), context);
  if (history === undefined) return [...listed];
  try {
    const { drillFacts } = await import('../operation/drill-facts.ts');
    const { byArchive } = drillFacts(await history.runs({ kind: 'drill' }));
    return listed.map((archive) => ({ ...archive, ...withoutUndefined({ drill: byArchive.get(archive.path) }) }));
  } finally {
    await history.close();
  }
}

/** A plain dump, by its first bytes. */
async function readPlain(
  location: ArchiveLocation,
  createdMs: number,
): Promise<Pick<ListedArchive, 'sizeBytes' | 'plain'>> {
  const { plainLayersOf } = await import('../operation/plain-copies.ts');
  const { sizeBytes, ...layers } = await plainLayersOf(location);
  if (sizeBytes === 0) throw new HoldfastError('archive.damaged', { message: 'the file is empty' });
  return { sizeBytes, plain: { ...layers, createdMs } };
}

/** Of plain dumps in folders only these: a database at work, or a script, may have a name without such an end. */
const dumpName = /\.(?:sql|sqlite|sqlite3|db|dump)(?:\.(?:gz|bz2|xz|zst|gpg|pgp|asc)){1,2}$/i;

/** Files as they are named; of folders, what is named as archives and compressed or encrypted dumps are. */
async function findArchives(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    await onPath(path, async () => {
      if (!(await stat(path)).isDirectory()) return found.push(path);
      const names = (await readdir(path)).filter((name) => name.endsWith('.holdfast') || dumpName.test(name));
      return found.push(...names.map((name) => join(path, name)));
    });
  }
  return found;
}

async function readHeaders(paths: readonly string[], signal: AbortSignal): Promise<ListedArchive[]> {
  const { summarizeArchive } = await import('../operation/inspect.ts');
  const listed: ListedArchive[] = [];
  for (const [index, path] of paths.entries()) {
    if (index % headersInOneGo === 0) await new Promise((resolve) => setImmediate(resolve));
    throwIfAborted(signal);
    try {
      if (dumpName.test(path)) {
        listed.push({ path, ...(await readPlain(path, (await stat(path)).mtimeMs)) });
        continue;
      }
      const { sizeBytes, ...summary } = await readHeader(path, summarizeArchive);
      listed.push({ path, sizeBytes, summary });
    } catch (thrown) {
      // One unreadable file must not hide the others: it stands in the list with its error.
      listed.push({ path, sizeBytes: await sizeOf(path), error: toHoldfastError(thrown) });
    }
  }
  return listed;
}

type Summarize = (archive: ArchiveLocation) => Promise<ArchiveSummary & { readonly sizeBytes: number }>;

async function readHeader(path: string, summarize: Summarize): ReturnType<Summarize> {
  const file = await onPath(path, async () => openSynchronousFile(path));
  try {
    return await summarize(file ?? path);
  } finally {
    await file?.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    // Its error is in the list already; the size is only shown beside it.
    return 0;
  }
}

function byCreation(left: ListedArchive, right: ListedArchive): number {
  const createdOf = ({ summary, plain }: ListedArchive) => summary?.createdMs ?? plain?.createdMs ?? 0;
  const created = createdOf(left) - createdOf(right);
  if (created !== 0) return created;
  return left.path < right.path ? -1 : 1;
}

function toJson({ path, storage, name, sizeBytes, summary, error, drill, plain, spread }: ListedArchive): object {
  const drilled = drill && { isProven: drill.isProven, drilledMs: drill.atMs };
  const place = { path, ...withoutUndefined({ storage, name, spread }), sizeBytes, ...drilled };
  if (error !== undefined) {
    const { code, message } = error;
    return { ...place, state: 'unreadable', error: { code, message } };
  }
  if (plain !== undefined) {
    const { isEncrypted, compression, createdMs } = plain;
    // How what is encrypted is compressed cannot be seen.
    const layers = isEncrypted ? { encryption: 'openpgp' } : { encryption: 'none', compression };
    return { ...place, state: 'readable', format: 'plain', createdMs: Math.round(createdMs), ...layers };
  }
  return { ...place, state: 'readable', ...summary };
}

function printArchives(archives: readonly ListedArchive[], context: CommandContext): void {
  if (archives.length === 0) {
    printNote(context, 'no archives here');
    return;
  }
  const rows = archives.map(({ path, storage, name, sizeBytes, summary, error, drill, plain, spread }) => {
    const label = printable(storage === undefined ? path : `${storage}: ${name}`);
    const drilled = drill === undefined ? '' : formatDrill(drill, context);
    if (plain !== undefined) {
      const encryption = plain.isEncrypted ? 'openpgp' : 'none';
      return [label, formatSize(sizeBytes), formatMoment(plain.createdMs), encryption, 'plain dump', drilled];
    }
    if (summary === undefined) {
      const code = paint(context, context.stdout, 'red', error?.code ?? '');
      return [label, formatSize(sizeBytes), '', '', code, '', formatSpread(spread, context)];
    }
    return [
      label,
      formatSize(sizeBytes),
      formatMoment(summary.createdMs),
      summary.encryption,
      summary.slots.map((slot) => printable(slot.label === '' ? slot.type : `${slot.type} (${slot.label})`)).join(', '),
      drilled,
      formatSpread(spread, context),
    ];
  });
  // Where no drill ever was, and nothing is spread, the list has no columns for these.
  const columns = [
    ['archive', true],
    ['>size', true],
    ['created', true],
    ['encryption', true],
    ['keys', true],
    ['drill', archives.some(({ drill }) => drill !== undefined)],
    ['shards', archives.some(({ spread }) => spread !== undefined)],
  ] as const;
  const shown = <Value>(row: readonly Value[]) => row.filter((_, index) => columns[index]?.[1]);
  printLines(
    context,
    formatTable(
      context,
      shown(columns.map(([name]) => name)),
      rows.map((row) => shown(row)),
    ),
  );
}

/** `3 + 2 shards, 5 there`. */
function formatSpread(spread: ListedSpread | undefined, context: CommandContext): string {
  if (spread === undefined) return '';
  const { data, parity, there } = spread;
  const count = new Set(there.map(({ shard }) => shard)).size;
  const colour = count < data ? 'red' : count < data + parity ? 'yellow' : 'green';
  return `${data} + ${parity} shards, ${paint(context, context.stdout, colour, `${count} there`)}`;
}

function formatDrill({ isProven, atMs }: DrillFact, context: CommandContext): string {
  const colour = isProven ? 'green' : 'red';
  return `${paint(context, context.stdout, colour, isProven ? 'proven' : 'failed')} ${formatAgo(context.clock.nowMs() - atMs)}`;
}
