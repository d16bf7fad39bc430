import { defaultFilenameTemplate, environmentInName } from '../config/archive-name.ts';
import { throwIfAborted } from '../errors.ts';
import type { History } from '../history/history.ts';
import type { PlainDigest, RunArchive } from '../history/run-record.ts';
import { archiveSeriesReader } from '../policy/archive-series.ts';
import type { StoredObject } from '../storage/storage.ts';
import { errorReport } from './error-report.ts';
import { summarizeArchive } from './inspect.ts';
import { withSources } from './location.ts';
import type { OutputReport, RunOptions } from './options.ts';
import { checkWithoutKey, digestOf, listPlainDumps } from './plain-copies.ts';
import type { NamedStorage } from './scrub.ts';
import { listArchives } from './sync.ts';

/** What {@link rebuildHistory} takes. */
export interface RebuildOptions extends Pick<RunOptions, 'signal'> {
  readonly history: History;
  readonly storages: readonly NamedStorage[];
  /** `{database}_{timestamp}_{env}` unless set. */
  readonly filenameTemplate?: string;
  /** What `{env}` stands for; `default` unless set. */
  readonly environment?: string;
}

/** What {@link rebuildHistory} found. */
export interface RebuildReport {
  /** Archives that the history did not know, on all storages. */
  readonly addedCount: number;
  readonly knownCount: number;
  /** Archives whose header cannot be read, and plain dumps that are not whole; they are in the history by their names. */
  readonly unreadableCount: number;
  /** Names of plain dumps whose copies differ: which one is right nobody knows, and none is what a scrub compares with. */
  readonly differingDumps: readonly string[];
  readonly failedStorages: readonly { readonly storage: string; readonly error: NonNullable<OutputReport['error']> }[];
}

interface Found {
  readonly name: string;
  readonly archive: RunArchive;
  readonly archiveId: string;
  readonly createdMs: number;
  readonly database: string | undefined;
}

/** Headers that are read at once: most of the time goes by on the network. Plain dumps are read whole, one after the other. */
const headersAtOnce = 8;

/**
 * Writes what the storages hold into a history that does not know it: one run for each archive, from its header, without a key. What only the
 * runs knew (durations, proofs, suspicions) does not come back. What plain dumps are now is what a scrub compares them with from then on, where they are
 * whole as far as that can be told without a key, and all copies of a name are alike. May be repeated.
 */
export async function rebuildHistory(options: RebuildOptions): Promise<RebuildReport> {
  const { history, storages, signal } = options;
  const known = new Set<string>();
  // A scrub tells nothing of what a plain dump is.
  const knownDumps = new Set<string>();
  for (const { kind, archives } of await history.runs()) {
    for (const { url } of archives) known.add(url);
    if (kind === 'backup') for (const { url } of archives) knownDumps.add(url);
  }
  const digests = await history.plainDigests();
  const found: Found[] = [];
  const failedStorages: { storage: string; error: NonNullable<OutputReport['error']> }[] = [];
  let knownCount = 0;
  for (const named of storages) {
    try {
      const objects = await listArchives(named.storage);
      const news = objects.filter(({ name }) => !known.has(named.storage.url(name)));
      const dumps = await listPlainDumps(named.storage);
      const newDumps = dumps.filter(({ name }) => !knownDumps.has(named.storage.url(name)));
      knownCount += objects.length - news.length + dumps.length - newDumps.length;
      for (let start = 0; start < news.length; start += headersAtOnce) {
        throwIfAborted(signal);
        const some = news.slice(start, start + headersAtOnce);
        found.push(...(await Promise.all(some.map((object) => readOne(named, object, options)))));
      }
      for (const object of newDumps) found.push(await readDump(named, object, options));
    } catch (error) {
      throwIfAborted(signal);
      failedStorages.push({ storage: named.name, error: errorReport(error) });
    }
  }
  const differing = differingDumps(found, digests);
  for (const same of Map.groupBy(found, ({ archiveId }) => archiveId).values()) {
    await add(
      history,
      same.map((one) => (differing.has(one.name) ? withoutDigest(one) : one)),
    );
  }
  const unreadableCount = found.filter(({ archive }) => archive.error !== undefined).length;
  return {
    addedCount: found.length,
    knownCount,
    unreadableCount,
    differingDumps: [...differing].sort(),
    failedStorages,
  };
}

async function readOne(named: NamedStorage, object: StoredObject, options: RebuildOptions): Promise<Found> {
  const { name } = object;
  const { place, series } = placeOf(named, object, options);
  try {
    const { archiveId, createdMs } = await summarizeArchive({ storage: named.storage, name });
    return { name, archive: { ...place, archiveId, state: 'found' }, archiveId, createdMs, database: series?.database };
  } catch (error) {
    const archive: RunArchive = { ...place, state: 'found', error: errorReport(error) };
    const createdMs = series?.createdMs ?? object.modifiedMs;
    return { name, archive, archiveId: place.url, createdMs, database: series?.database };
  }
}

/** Reads a plain dump to its end, twice where its compression can be checked without a key. */
async function readDump(named: NamedStorage, object: StoredObject, options: RebuildOptions): Promise<Found> {
  const { name } = object;
  const { place, series } = placeOf(named, object, options);
  const known = { name, createdMs: series?.createdMs ?? object.modifiedMs, database: series?.database };
  const location = { storage: named.storage, name };
  const { signal } = options;
  try {
    await checkWithoutKey(location, signal === undefined ? {} : { signal });
    const sha256 = await withSources([location], async ([source]) => source && (await digestOf(source, signal)));
    const archive: RunArchive = { ...place, state: 'found', ...(sha256 === undefined ? {} : { sha256 }) };
    return { ...known, archive, archiveId: `${name} ${sha256}` };
  } catch (error) {
    throwIfAborted(signal);
    const archive: RunArchive = { ...place, state: 'found', error: errorReport(error) };
    return { ...known, archive, archiveId: place.url };
  }
}

/** Names of plain dumps of which two copies differ, here or from what the history knew already. */
function differingDumps(found: readonly Found[], known: readonly PlainDigest[]): Set<string> {
  const byName = new Map<string, Set<string>>();
  const all = [...found.map(({ name, archive }) => ({ name, sha256: archive.sha256 })), ...known];
  for (const { name, sha256 } of all) {
    if (name !== undefined && sha256 !== undefined) byName.set(name, (byName.get(name) ?? new Set()).add(sha256));
  }
  return new Set([...byName].flatMap(([name, digests]) => (digests.size > 1 ? [name] : [])));
}

function withoutDigest(found: Found): Found {
  const { sha256: _, ...archive } = found.archive;
  return { ...found, archive };
}

function placeOf(
  { name: label, storage }: NamedStorage,
  { name, sizeBytes }: StoredObject,
  { filenameTemplate, environment = 'default' }: RebuildOptions,
) {
  const naming = { template: filenameTemplate ?? defaultFilenameTemplate, environment: environmentInName(environment) };
  const series = archiveSeriesReader(naming)?.(name);
  return { place: { url: storage.url(name), storage: label, name, sizeBytes }, series };
}

/** Replicas of one archive are of one run. */
async function add(history: History, found: readonly Found[]): Promise<void> {
  const [first] = found;
  if (first === undefined) return;
  const { createdMs, database } = first;
  const id = await history.begin({
    kind: 'backup',
    startedMs: createdMs,
    isRebuilt: true,
    ...(database === undefined ? {} : { database }),
  });
  const sizeBytes = Math.max(...found.map(({ archive }) => archive.sizeBytes ?? 0));
  const archives = found.map(({ archive }) => archive);
  await history.end(id, { state: 'succeeded', endedMs: createdMs, phases: [], sizeBytes, archives });
}
