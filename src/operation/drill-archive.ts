import { join } from 'node:path';
import { ArchiveReader } from '../archive/archive-reader.ts';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { engineOfEntry } from '../source/engines.ts';
import type { Scratch } from '../source/scratch.ts';
import { compareDatabase } from './compare-database.ts';
import { compareFiles, fileSha256 } from './compare-files.ts';
import type { DrilledDatabase } from './drill-options.ts';
import { checkRoom, type Drilled, type DrillRun, filesFolderOf, hideFile, openScratch } from './drill-run.ts';
import { withSources } from './location.ts';
import { isNote } from './previous-archive.ts';
import { restoreEntries } from './restore.ts';
import { ProgressMeter, withWorkers } from './run.ts';
import { archiveIdHex } from './summary.ts';

const databasePrefix = /^databases\/([^/]+)\//;

/** What is read, and not restored: it would do something outside of what the drill makes. */
function isOnlyRead({ kind, metadata }: IndexEntry): boolean {
  return kind === 'stream' || kind === 'roles' || (kind === 'schema' && metadata['object'] === 'event');
}

const isFile = ({ kind }: IndexEntry) => ['file', 'directory', 'symlink'].includes(kind);

/** What is in an archive, by what becomes of it. */
interface Contents {
  readonly all: readonly IndexEntry[];
  readonly chosen: readonly IndexEntry[];
  readonly databases: ReadonlyMap<string, readonly IndexEntry[]>;
  readonly trees: ReadonlyMap<string, readonly IndexEntry[]>;
}

async function readContents(reader: ArchiveReader): Promise<Contents> {
  const all: IndexEntry[] = [];
  for await (const entry of reader.entries()) if (!isNote(entry)) all.push(entry);
  const model = all.find(({ path }) => path.startsWith('models/'));
  // Without them it would prove less than it says.
  if (model !== undefined) {
    throw new HoldfastError('usage.invalid', {
      message: `the archive holds models (${model.path}), which no drill restores`,
      hint: 'restore them into an empty database with --create-schema, or read all of it with `holdfast verify --level contents`',
      context: { path: model.path },
    });
  }
  const chosen = all.filter((entry) => !isOnlyRead(entry));
  const isDatabase = (entry: IndexEntry) => !isFile(entry);
  const databases = Map.groupBy(chosen.filter(isDatabase), ({ path }) => databasePrefix.exec(path)?.[1] ?? path);
  return { all, chosen, databases, trees: Map.groupBy(chosen.filter(isFile), filesPrefix) };
}

/** Restores an archive to where nothing is, and compares what is there with what it says. */
export async function drillArchive(run: DrillRun): Promise<Drilled> {
  const { options, signal } = run;
  const clock = options.clock ?? systemClock;
  return await withSources([options.archive], (sources) =>
    withWorkers({ ...options, signal }, async (workers) => {
      const startMs = clock.monotonicMs();
      const reader = await ArchiveReader.open({ sources, workers, keys: options.keys, signal });
      const contents = await readContents(reader);
      const { all } = contents;
      await restoreAll(run, reader, contents);
      const restoreMs = Math.round(clock.monotonicMs() - startMs);
      const notRestored = all.filter(isOnlyRead);
      for (const { error } of await reader.check(notRestored)) throw error;
      const compared = await compareAll(run, reader, contents);
      return {
        archiveId: archiveIdHex(reader.header),
        format: 'holdfast',
        ...compared,
        entryCount: all.length,
        sizeBytes: all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        rowCount: compared.databases.reduce((sum, one) => sum + one.rowCount, 0),
        tableCount: compared.databases.reduce((sum, one) => sum + one.tableCount, 0),
        restoreMs,
        healedBlocks: reader.store.healed.size,
        notRestored: notRestored.map(({ path }) => path),
      };
    }),
  );
}

async function restoreAll(run: DrillRun, reader: ArchiveReader, { all, chosen, databases }: Contents): Promise<void> {
  const { options, signal, folder } = run;
  const onDisk = chosen.filter((entry) => isFile(entry) || entry.kind === 'sqlite');
  const neededBytes = onDisk.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  await checkRoom(folder, neededBytes);
  const to: string[] = [];
  const made: (() => Promise<void>)[] = [];
  for (const [name, [first]] of databases) {
    const engine = first && engineOfEntry(first);
    if (engine === undefined) throw unknownKind(first);
    const scratch = await openScratch(run, name, engine);
    to.push(`${name}=${scratch.url.reveal()}`);
    made.push(() => hideFile(engine, scratch));
  }
  if (chosen.length === 0) return;
  const { archive, clock, connections, timeoutMs, random } = options;
  const restoring = {
    archive,
    to,
    filesTo: filesFolderOf(folder),
    keepUndo: false,
    signal,
    ...(clock && { clock }),
    ...(connections === undefined ? {} : { connections }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(random && { random }),
  };
  const meter = new ProgressMeter(options);
  await restoreEntries({ reader, all, chosen, tables: new Map(), options: restoring, meter }, new Set());
  for (const hide of made) await hide();
}

async function compareAll(run: DrillRun, reader: ArchiveReader, { databases, trees }: Contents) {
  const { scratches, signal, folder } = run;
  const found: DrilledDatabase[] = [];
  const differences: string[] = [];
  for (const [name, entries] of databases) {
    const scratch = scratches.get(name);
    if (scratch === undefined) continue;
    differences.push(...(await compareSqliteFile(entries, scratch, signal)));
    const { url, label: place } = scratch;
    const compared = await compareDatabase({ reader, entries, url, name, temporaryFolder: folder, signal });
    differences.push(...compared.differences);
    const { tableCount, rowCount } = compared;
    found.push({ name, place, tableCount, rowCount });
  }
  let fileCount = 0;
  for (const [prefix, entries] of trees) {
    const rootPath = join(filesFolderOf(folder), prefix.slice('files/'.length));
    const compared = await compareFiles({ entries, prefix, rootPath, signal });
    fileCount += compared.fileCount;
    differences.push(...compared.differences);
  }
  return { databases: found, fileCount, differences };
}

/** `files/<name>` */
function filesPrefix({ path }: IndexEntry): string {
  return path.split('/').slice(0, 2).join('/');
}

/** A database that is a file is the archived one by every byte, before anything opens it. */
async function compareSqliteFile(
  entries: readonly IndexEntry[],
  { label }: Scratch,
  signal: AbortSignal,
): Promise<string[]> {
  const entry = entries.find(({ kind }) => kind === 'sqlite');
  if (entry === undefined || (await fileSha256(label, signal)) === entry.sha256) return [];
  return [`${entry.path}: its bytes are others`];
}

function unknownKind(entry: IndexEntry | undefined): HoldfastError {
  return new HoldfastError('target.unsafe', {
    message: `${entry?.path} is of a kind that this version cannot restore: ${entry?.kind}`,
  });
}
