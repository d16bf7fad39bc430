import { systemClock } from '../clock.ts';
import { throwIfAborted } from '../errors.ts';
import { isPlainName } from '../plain/plain-name.ts';
import type { Storage, StoredObject } from '../storage/storage.ts';
import { createOnlyStorage } from '../storage/wrap/create-only.ts';
import { errorReport } from './error-report.ts';
import type { OutputReport, RunOptions } from './options.ts';
import { copyPlainDump, listPlainDumps } from './plain-copies.ts';
import { transferArchive } from './transfer.ts';

/** What {@link syncStorages} takes. */
export interface SyncOptions extends RunOptions {
  readonly from: Storage;
  readonly to: Storage;
  /** Says what would be copied, and writes nothing. */
  readonly dryRun?: boolean;
}

/** One archive that was copied, or would be. */
export interface SyncedArchive {
  readonly name: string;
  readonly sizeBytes: number;
  /** Whether it was damaged where it came from; of a plain dump that is not known. */
  readonly healed?: boolean;
  /** Why it was not copied. */
  readonly error?: NonNullable<OutputReport['error']>;
}

/** What {@link syncStorages} did. */
export interface SyncReport {
  readonly archives: readonly SyncedArchive[];
  /** Archives that were there already. */
  readonly presentCount: number;
  readonly copiedCount: number;
  readonly failedCount: number;
  readonly dryRun: boolean;
  readonly durationMs: number;
}

/** Archives of a storage, by name. */
export async function listArchives(storage: Storage): Promise<StoredObject[]> {
  // One that is listed twice is one.
  const found = new Map<string, StoredObject>();
  for await (const object of storage.list()) if (object.name.endsWith('.holdfast')) found.set(object.name, object);
  return [...found.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

/**
 * Copies the archives and plain dumps that a storage lacks, by name, from another one. What is there is left alone, whatever its state: that is for
 * {@link scrubStorages}. An archive that cannot be copied does not stop the others. No key is needed.
 *
 * @example
 * const { copiedCount, failedCount } = await syncStorages({ from: local, to: offsite });
 */
export async function syncStorages(options: SyncOptions): Promise<SyncReport> {
  const { from, to, dryRun = false, ...run } = options;
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  const listAll = async (storage: Storage) => [...(await listArchives(storage)), ...(await listPlainDumps(storage))];
  const [theirs, ours] = await Promise.all([listAll(from), listAll(to)]);
  const present = new Set(ours.map(({ name }) => name));
  const lacking = theirs.filter(({ name }) => !present.has(name));
  const archives: SyncedArchive[] = [];
  for (const { name, sizeBytes } of lacking) {
    throwIfAborted(options.signal);
    if (dryRun) {
      archives.push({ name, sizeBytes });
      continue;
    }
    try {
      const [source, target] = [
        { storage: from, name },
        { storage: createOnlyStorage(to), name },
      ];
      if (isPlainName(name)) {
        const copied = await copyPlainDump(source, target, run);
        archives.push({ name, sizeBytes: copied.sizeBytes });
        continue;
      }
      const done = await transferArchive({ from: [source], to: target, run });
      archives.push({ name, sizeBytes: done.sizeBytes, healed: done.healed });
    } catch (error) {
      throwIfAborted(options.signal);
      archives.push({ name, sizeBytes, error: errorReport(error) });
    }
  }
  const failedCount = archives.filter(({ error }) => error !== undefined).length;
  return {
    archives,
    presentCount: theirs.length - lacking.length,
    copiedCount: dryRun ? 0 : archives.length - failedCount,
    failedCount,
    dryRun,
    durationMs: Math.round(clock.monotonicMs() - startMs),
  };
}
