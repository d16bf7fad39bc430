import { ArchiveReader } from '../archive/archive-reader.ts';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Secret } from '../secret.ts';
import type { Engine } from '../source/engine.ts';
import { engineOfEntry } from '../source/engines.ts';
import type { Scratch } from '../source/scratch.ts';
import { compareDatabase, type FoundDatabase } from './compare-database.ts';
import { compareFiles, fileSha256 } from './compare-files.ts';
import type { DrilledDatabase } from './drill-options.ts';
import {
  checkRoom,
  type Drilled,
  type DrillRun,
  engineForModels,
  filesFolderOf,
  hideFile,
  openScratch,
} from './drill-run.ts';
import { type DrilledTrees, placeTrees } from './drill-trees.ts';
import { withSources } from './location.ts';
import { isNote } from './previous-archive.ts';
import { restoreEntries } from './restore.ts';
import { ProgressMeter, withWorkers } from './run.ts';
import { archiveIdHex } from './summary.ts';

const databasePrefix = /^(databases|models)\/([^/]+)\//;
const defaultTimeoutMs = 60_000;

/** What is read, and not restored: it would do something outside of what the drill makes. */
function isOnlyRead({ kind, metadata }: IndexEntry): boolean {
  return kind === 'stream' || kind === 'roles' || (kind === 'schema' && metadata['object'] === 'event');
}

const isFile = ({ kind }: IndexEntry) => ['file', 'directory', 'symlink'].includes(kind);
const isOfModels = ({ kind }: IndexEntry) => kind === 'model' || kind === 'model-schema';

/** What is in an archive, by what becomes of it. */
interface Contents {
  readonly all: readonly IndexEntry[];
  readonly chosen: readonly IndexEntry[];
  readonly databases: ReadonlyMap<string, readonly IndexEntry[]>;
  readonly trees: readonly DrilledTrees[];
}

async function readContents(reader: ArchiveReader, folder: string): Promise<Contents> {
  const all: IndexEntry[] = [];
  for await (const entry of reader.entries()) if (!isNote(entry)) all.push(entry);
  const chosen = all.filter((entry) => !isOnlyRead(entry));
  const isDatabase = (entry: IndexEntry) => !isFile(entry);
  const databases = Map.groupBy(chosen.filter(isDatabase), ({ path }) => databasePrefix.exec(path)?.[2] ?? path);
  for (const [name, entries] of databases) {
    if (new Set(entries.map(isOfModels)).size === 1) continue;
    throw new HoldfastError('target.unsafe', {
      message: `the archive holds the database ${name}, and models of the same name`,
      hint: 'restore them one after the other, with --only',
    });
  }
  return { all, chosen, databases, trees: placeTrees(chosen.filter(isFile), filesFolderOf(folder)) };
}

/** Restores an archive to where nothing is, and compares what is there with what it says. */
export async function drillArchive(run: DrillRun): Promise<Drilled> {
  const { options, signal } = run;
  const clock = options.clock ?? systemClock;
  return await withSources([options.archive], (sources) =>
    withWorkers({ ...options, signal }, async (workers) => {
      const startMs = clock.monotonicMs();
      const reader = await ArchiveReader.open({ sources, workers, keys: options.keys, signal });
      const contents = await readContents(reader, run.folder);
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

async function restoreAll(run: DrillRun, reader: ArchiveReader, contents: Contents): Promise<void> {
  const { options, signal, folder } = run;
  const { all, chosen, databases, trees } = contents;
  const engines = new Map([...databases].map(([name, entries]) => [name, engineFor(run, name, entries)]));
  await checkRoom(folder, neededBytes(contents, engines));
  const to: string[] = [];
  const made: (() => Promise<void>)[] = [];
  for (const [name, engine] of engines) {
    const scratch = await openScratch(run, name, engine);
    // Models go into a database that is there; all others are made by their restore.
    if (databases.get(name)?.some(isOfModels) === true) await scratch.create();
    to.push(`${name}=${scratch.url.reveal()}`);
    made.push(() => hideFile(engine, scratch));
  }
  if (chosen.length === 0) return;
  const { archive, clock, connections, timeoutMs, random } = options;
  const restoring = {
    archive,
    to,
    filesTo: filesFolderOf(folder),
    models: { createSchema: true },
    keepUndo: false,
    signal,
    ...(clock && { clock }),
    ...(connections === undefined ? {} : { connections }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(random && { random }),
  };
  const meter = new ProgressMeter(options);
  const places = new Map(trees.flatMap((one) => one.trees.map(({ prefix }) => [prefix, one.folder] as const)));
  await restoreEntries({ reader, all, chosen, tables: new Map(), places, options: restoring, meter }, new Set());
  for (const hide of made) await hide();
}

function engineFor(run: DrillRun, name: string, entries: readonly IndexEntry[]): Engine {
  const [first] = entries;
  const engine = first && engineOfEntry(first);
  if (engine === undefined) throw unknownKind(first);
  return entries.some(isOfModels) ? engineForModels(run, name, engine) : engine;
}

/** What is put on the disk of this machine. */
function neededBytes({ chosen, databases }: Contents, engines: ReadonlyMap<string, Engine>): number {
  const rows = [...databases].flatMap(([name, entries]) =>
    engines.get(name)?.name === 'sqlite' ? entries.filter(isOfModels) : [],
  );
  const onDisk = [...chosen.filter((entry) => isFile(entry) || entry.kind === 'sqlite'), ...rows];
  return onDisk.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
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
    const compared = entries.some(isOfModels)
      ? await compareModelsOf(run, reader, { entries, url })
      : await compareDatabase({ reader, entries, url, name, temporaryFolder: folder, signal });
    differences.push(...compared.differences);
    const { tableCount, rowCount } = compared;
    found.push({ name, place, tableCount, rowCount });
  }
  let fileCount = 0;
  for (const { folder: rootPath, trees: ofFolder } of trees) {
    const compared = await compareFiles({ trees: ofFolder, rootPath, signal });
    fileCount += compared.fileCount;
    differences.push(...compared.differences);
  }
  return { databases: found, fileCount, differences };
}

async function compareModelsOf(
  { options, signal }: DrillRun,
  reader: ArchiveReader,
  { entries, url }: { readonly entries: readonly IndexEntry[]; readonly url: Secret },
): Promise<FoundDatabase> {
  const [{ compareModels }, { readModelSchema }] = await Promise.all([
    import('./compare-models.ts'),
    import('../source/model/model-schema.ts'),
  ]);
  const entry = entries.find(({ kind }) => kind === 'model-schema');
  if (entry === undefined) throw unknownKind(entries[0]);
  const schema = readModelSchema(await readWhole(reader, entry), entry.path);
  const { timeoutMs = defaultTimeoutMs } = options;
  const rows = entries.filter(({ kind }) => kind === 'model');
  return await compareModels({ reader, entries: rows, schema, url, timeoutMs, signal });
}

async function readWhole(reader: ArchiveReader, entry: IndexEntry): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of reader.read(entry)) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
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
