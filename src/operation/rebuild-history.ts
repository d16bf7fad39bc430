import { defaultFilenameTemplate, environmentInName } from '../config/archive-name.ts';
import { throwIfAborted } from '../errors.ts';
import type { History } from '../history/history.ts';
import type { RunArchive } from '../history/run-record.ts';
import { archiveSeriesReader } from '../policy/archive-series.ts';
import { errorReport } from './error-report.ts';
import { summarizeArchive } from './inspect.ts';
import type { OutputReport, RunOptions } from './options.ts';
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
  /** Archives whose header cannot be read; they are in the history by their names. */
  readonly unreadableCount: number;
  readonly failedStorages: readonly { readonly storage: string; readonly error: NonNullable<OutputReport['error']> }[];
}

interface Found {
  readonly archive: RunArchive;
  readonly archiveId: string;
  readonly createdMs: number;
  readonly database: string | undefined;
}

/** Headers that are read at once: most of the time goes by on the network. */
const headersAtOnce = 8;

/**
 * Writes what the storages hold into a history that does not know it: one run for each archive, from its header, without a key. What only the
 * runs knew (durations, proofs, suspicions) does not come back. May be repeated.
 */
export async function rebuildHistory(options: RebuildOptions): Promise<RebuildReport> {
  const { history, storages, signal } = options;
  const known = new Set<string>();
  for (const { archives } of await history.runs()) for (const { url } of archives) known.add(url);
  const found: Found[] = [];
  const failedStorages: { storage: string; error: NonNullable<OutputReport['error']> }[] = [];
  let knownCount = 0;
  for (const named of storages) {
    try {
      const objects = await listArchives(named.storage);
      const news = objects.filter(({ name }) => !known.has(named.storage.url(name)));
      knownCount += objects.length - news.length;
      for (let start = 0; start < news.length; start += headersAtOnce) {
        throwIfAborted(signal);
        const some = news.slice(start, start + headersAtOnce);
        found.push(...(await Promise.all(some.map((object) => readOne(named, object, options)))));
      }
    } catch (error) {
      throwIfAborted(signal);
      failedStorages.push({ storage: named.name, error: errorReport(error) });
    }
  }
  for (const same of Map.groupBy(found, ({ archiveId }) => archiveId).values()) await add(history, same);
  const unreadableCount = found.filter(({ archive }) => archive.error !== undefined).length;
  return { addedCount: found.length, knownCount, unreadableCount, failedStorages };
}

async function readOne(
  { name: label, storage }: NamedStorage,
  object: { readonly name: string; readonly sizeBytes: number; readonly modifiedMs: number },
  { filenameTemplate, environment = 'default' }: RebuildOptions,
): Promise<Found> {
  const { name, sizeBytes, modifiedMs } = object;
  const naming = { template: filenameTemplate ?? defaultFilenameTemplate, environment: environmentInName(environment) };
  const series = archiveSeriesReader(naming)?.(name);
  const url = storage.url(name);
  const place = { url, storage: label, name, sizeBytes };
  try {
    const { archiveId, createdMs } = await summarizeArchive({ storage, name });
    return { archive: { ...place, archiveId, state: 'found' }, archiveId, createdMs, database: series?.database };
  } catch (error) {
    const archive: RunArchive = { ...place, state: 'found', error: errorReport(error) };
    return { archive, archiveId: url, createdMs: series?.createdMs ?? modifiedMs, database: series?.database };
  }
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
