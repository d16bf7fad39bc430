import { systemClock } from '../clock.ts';
import { defaultFilenameTemplate, environmentInName } from '../config/archive-name.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import { type ArchiveSeries, archiveSeriesReader } from '../policy/archive-series.ts';
import { systemTimezone } from '../policy/local-time.ts';
import { judgeRetention, type RetentionArchive, type RetentionPolicy, type UnmetCap } from '../policy/retention.ts';
import { isThere } from '../storage/is-there.ts';
import type { Storage } from '../storage/storage.ts';
import { errorReport } from './error-report.ts';
import type { OutputReport, RunOptions } from './options.ts';
import { pinSuffix } from './pin.ts';
import type { NamedStorage } from './scrub.ts';

/** What is known of archives and runs besides what the storages tell: the history. */
export interface RetentionFacts {
  /** Why nothing of a database is removed from a storage now. */
  hold(database: string, storage: string): string | undefined;
  /** Whether what is at a place (`Storage.url`) was read and found right, the last time that anyone looked. */
  isProven(url: string): boolean;
  /** Whether it is suspect or damaged. */
  isDoubtful(url: string): boolean;
}

/** What {@link pruneStorages} takes. */
export interface PruneOptions extends Pick<RunOptions, 'signal' | 'clock'> {
  readonly storages: readonly NamedStorage[];
  readonly policy: RetentionPolicy;
  /** Days, weeks and months are those of this zone; this machine's unless set. */
  readonly timezone?: string;
  /** What names the archives; others are left alone. `{database}_{timestamp}_{env}` unless set. */
  readonly filenameTemplate?: string;
  /** What `{env}` stands for; archives of others are left alone. `default` unless set. */
  readonly environment?: string;
  readonly facts?: RetentionFacts;
  /** Says what would be removed, and removes nothing. */
  readonly dryRun?: boolean;
  /** Asked before anything is removed, with what will be; `false` leaves all as it is. */
  readonly confirm?: (archives: readonly PrunedArchive[]) => Promise<boolean>;
}

/** What becomes of one archive on one storage. */
export interface PrunedArchive {
  readonly storage: string;
  readonly name: string;
  readonly database: string;
  readonly createdMs: number;
  readonly sizeBytes: number;
  readonly keep: boolean;
  /** Why it is kept: `daily 3/7`, `newest`; empty where no rule keeps it. */
  readonly reasons: readonly string[];
  readonly removed: boolean;
  /** Why it could not be removed. */
  readonly error?: NonNullable<OutputReport['error']>;
}

/** What {@link pruneStorages} did, or would do. */
export interface PruneReport {
  /** By storage and database, the newest first. */
  readonly archives: readonly PrunedArchive[];
  /** Archives whose names the template does not make: nothing is known of them, and they stay. */
  readonly unknownNames: readonly { readonly storage: string; readonly name: string }[];
  /** Storages that hold more than the cap, though all that may go is gone. */
  readonly unmetCaps: readonly UnmetCap[];
  /** Storages that could not be listed: nothing was removed from them. */
  readonly failedStorages: readonly { readonly storage: string; readonly error: NonNullable<OutputReport['error']> }[];
  readonly dryRun: boolean;
  readonly durationMs: number;
}

interface Listed extends RetentionArchive {
  readonly url: string;
}

interface Listing {
  readonly archives: Listed[];
  readonly unknownNames: { storage: string; name: string }[];
}

type ReadName = (name: string) => ArchiveSeries | undefined;

/** Names are enough: no archive is opened. */
async function list(named: NamedStorage, read: ReadName, options: PruneOptions): Promise<Listing> {
  const { name: label, storage } = named;
  const { facts, signal } = options;
  const found: Omit<Listed, 'isPinned'>[] = [];
  const unknownNames: Listing['unknownNames'] = [];
  const pins = new Set<string>();
  const seen = new Set<string>();
  for await (const { name, sizeBytes, lockedUntilMs } of storage.list()) {
    throwIfAborted(signal);
    // An archive that is listed twice would make way for itself.
    if (seen.has(name)) continue;
    seen.add(name);
    const series = read(name);
    if (series === undefined) {
      if (name.endsWith(pinSuffix)) pins.add(name.slice(0, -pinSuffix.length));
      else if (name.endsWith('.holdfast')) unknownNames.push({ storage: label, name });
      continue;
    }
    const url = storage.url(name);
    const isDoubtful = sizeBytes === 0 || facts?.isDoubtful(url) === true;
    const isProven = facts?.isProven(url) === true;
    const locked = lockedUntilMs === undefined ? {} : { lockedUntilMs };
    found.push({ storage: label, name, ...series, sizeBytes, url, isDoubtful, isProven, ...locked });
  }
  return { archives: found.map((archive) => ({ ...archive, isPinned: pins.has(archive.name) })), unknownNames };
}

function inOrder(left: PrunedArchive, right: PrunedArchive): number {
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return (
    compare(left.storage, right.storage) ||
    compare(left.database, right.database) ||
    right.createdMs - left.createdMs ||
    compare(right.name, left.name)
  );
}

function readerOf({ filenameTemplate, environment = 'default' }: PruneOptions): ReadName {
  const template = filenameTemplate ?? defaultFilenameTemplate;
  const read = archiveSeriesReader({ template, environment: environmentInName(environment) });
  if (read !== undefined) return read;
  throw new HoldfastError('config.invalid', {
    message: `filenameTemplate: names made by ${template} do not tell database and time, so nothing can be removed by age`,
    hint: 'put {database} and {timestamp} into it',
  });
}

/**
 * Removes the archives that a policy does not keep, the oldest first. Only archives whose names the template makes are looked at; nothing
 * is opened, and no key is needed. A storage that cannot be listed, or an archive that cannot be removed, does not stop the rest; what an
 * object lock holds is reported as kept. Throws `config.invalid` for a template without `{database}` or `{timestamp}`.
 *
 * @example
 * const policy = retentionPolicy({ retention: { keepDaily: 14 } });
 * const { archives } = await pruneStorages({ storages: [{ name: 'local', storage }], policy, dryRun: true });
 */
export async function pruneStorages(options: PruneOptions): Promise<PruneReport> {
  const { storages, policy, facts, dryRun = false, timezone = systemTimezone() } = options;
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  const read = readerOf(options);
  const listings: Listing[] = [];
  const failedStorages: { storage: string; error: NonNullable<OutputReport['error']> }[] = [];
  for (const named of storages) {
    try {
      listings.push(await list(named, read, options));
    } catch (error) {
      throwIfAborted(options.signal);
      failedStorages.push({ storage: named.name, error: errorReport(error) });
    }
  }
  const listed = listings.flatMap(({ archives }) => archives);
  const hold = (database: string, storage: string) => facts?.hold(database, storage);
  const { verdicts, unmetCaps } = judgeRetention(listed, policy, { nowMs: clock.nowMs(), timezone, hold });
  let archives = verdicts
    .map(({ archive, keep, reasons }): PrunedArchive => {
      const { storage, name, database, createdMs, sizeBytes } = archive;
      return { storage, name, database, createdMs, sizeBytes, keep, reasons, removed: false };
    })
    .sort(inOrder);
  if (!dryRun) {
    archives = await removeAll(archives, options);
    failedStorages.push(...(await removeLeftovers(options)));
  }
  return {
    archives,
    unknownNames: listings.flatMap(({ unknownNames }) => unknownNames),
    unmetCaps,
    failedStorages,
    dryRun,
    durationMs: Math.round(clock.monotonicMs() - startMs),
  };
}

/** What removals that were cut short left of shards. A storage that could not be listed is told of already. */
async function removeLeftovers({ storages, signal }: PruneOptions): Promise<PruneReport['failedStorages'][number][]> {
  const failed: PruneReport['failedStorages'][number][] = [];
  for (const { name, storage } of storages) {
    try {
      await storage.spread?.removeLeftovers();
    } catch (error) {
      throwIfAborted(signal);
      failed.push({ storage: name, error: errorReport(error) });
    }
  }
  return failed;
}

async function removeAll(archives: readonly PrunedArchive[], options: PruneOptions): Promise<PrunedArchive[]> {
  const { storages, confirm, signal } = options;
  const doomed = archives.filter(({ keep }) => !keep);
  if (doomed.length > 0 && confirm !== undefined && !(await confirm(archives))) return [...archives];
  const results = new Map<PrunedArchive, PrunedArchive>();
  // Whatever ends the run, what is left is the newest.
  for (const archive of doomed.toSorted((left, right) => left.createdMs - right.createdMs)) {
    throwIfAborted(signal);
    const storage = storages.find(({ name }) => name === archive.storage)?.storage;
    if (storage !== undefined) results.set(archive, await removeOne(archive, storage, signal));
  }
  return archives.map((archive) => results.get(archive) ?? archive);
}

async function removeOne(
  archive: PrunedArchive,
  storage: Storage,
  signal: AbortSignal | undefined,
): Promise<PrunedArchive> {
  try {
    // The pin may have come since the listing, while a question was open or older archives were removed.
    if (await isThere(storage, `${archive.name}${pinSuffix}`)) return { ...archive, keep: true, reasons: ['pinned'] };
    await storage.delete(archive.name);
    return { ...archive, removed: true };
  } catch (error) {
    throwIfAborted(signal);
    if (error instanceof HoldfastError && error.code === 'storage.locked') {
      return { ...archive, keep: true, reasons: ['locked by the storage'] };
    }
    return { ...archive, error: errorReport(error) };
  }
}
