import { HoldfastError } from '../errors.ts';
import { engineOfUrl, engines } from '../source/engines.ts';
import { compareDatabase } from './compare-database.ts';
import { checkRoom, type Drilled, type DrillRun, hideFile, openScratch } from './drill-run.ts';
import { locationLabel, withSources } from './location.ts';
import { checkPlainBackup, restorePlainBackup } from './plain-restore.ts';
import { readPlain } from './plain-stream.ts';

/** What a plain dump is of: it tells the kind of database, but for some, and never its name. */
async function whatItIs({ options, signal }: DrillRun) {
  const { archive, plainKeys: keys = {}, databases = {}, clock } = options;
  const label = locationLabel(archive);
  const file = label.replace(/^.*\//, '');
  const name = options.database ?? file.replace(/\.(?:sql|db)(?:\.\w+)*$/, '');
  const from = Object.hasOwn(databases, name) ? databases[name] : undefined;
  if (from !== undefined) return { name, engine: engineOfUrl(typeof from === 'string' ? from : from.reveal()) };
  const isFile = /\.db(?:\.\w+)*$/.test(file);
  if (isFile) return { name, engine: engineOfUrl('sqlite:') };
  const { engine: told } = await checkPlainBackup({ archive, keys, signal, ...(clock && { clock }) });
  const engine = engines.find(({ names }) => names.some((known) => known === told));
  if (engine !== undefined) return { name, engine };
  throw new HoldfastError('archive.not_an_archive', { message: `${label} holds no dump that is known` });
}

/** What a dump expands to is known when it was read to its end. */
async function expandedBytes({ options, signal }: DrillRun): Promise<number> {
  return await withSources([options.archive], async ([source]) => {
    if (source === undefined) return 0;
    let sizeBytes = 0;
    const { bytes } = await readPlain(source, { keys: options.plainKeys ?? {}, signal });
    for await (const chunk of bytes) sizeBytes += chunk.length;
    return sizeBytes;
  });
}

/** Restores a plain dump to where nothing is, and counts what is there: such a dump tells no counts of its own. */
export async function drillPlain(run: DrillRun): Promise<Drilled> {
  const { options, signal, folder } = run;
  const { archive, plainKeys: keys = {}, clock, random, timeoutMs, connections, onProgress } = options;
  const { name, engine } = await whatItIs(run);
  if (engine.name === 'sqlite') await checkRoom(folder, await expandedBytes(run));
  const scratch = await openScratch(run, name, engine);
  const restored = await restorePlainBackup({
    archive,
    keys,
    to: scratch.url,
    keepUndo: false,
    signal,
    ...(clock && { clock }),
    ...(random && { random }),
    ...(onProgress && { onProgress }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(connections === undefined ? {} : { connections }),
  });
  await hideFile(engine, scratch);
  const { url } = scratch;
  const { tableCount, rowCount } = await compareDatabase({
    reader: undefined,
    entries: [],
    url,
    name,
    temporaryFolder: folder,
    signal,
  });
  const isEmpty = tableCount === 0;
  return {
    format: 'plain',
    databases: [{ name, place: scratch.label, tableCount, rowCount }],
    entryCount: 1,
    sizeBytes: restored.sizeBytes,
    rowCount,
    tableCount,
    fileCount: 0,
    restoreMs: restored.durationMs,
    healedBlocks: 0,
    differences: isEmpty ? [`${locationLabel(archive)} made no table`] : [],
    notRestored: [],
  };
}
