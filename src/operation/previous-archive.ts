import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ArchiveReader } from '../archive/archive-reader.ts';
import type { WorkerPool } from '../archive/worker/worker-pool.ts';
import { HoldfastError } from '../errors.ts';
import type { PartCounts } from '../policy/plausibility.ts';
import { locationLabel, withSources } from './location.ts';
import type { ArchiveLocation, BackupOptions, BackupOutput, OpenKeys } from './options.ts';
import { partCounts } from './part-counts.ts';
import { withWorkers } from './run.ts';
import { archiveIdHex } from './summary.ts';

/** Path of the entry that marks an archive as suspect. */
export const suspectPath = 'holdfast/suspect';
/** Entries of this kind tell about the archive itself. */
export const noteKind = 'note';

/** Whether an entry tells about the archive: a restore passes over it. */
export function isNote({ kind, path }: { readonly kind: string; readonly path: string }): boolean {
  return kind === noteKind && path.startsWith('holdfast/');
}

/** Archives that are looked into, newest first: so many that cannot be read, and so many in all. */
const maximumFailures = 5;
const maximumCandidates = 50;

/** An earlier archive, as far as it is compared. */
export interface PreviousArchive {
  readonly label: string;
  readonly archiveId: string;
  readonly parts: readonly PartCounts[];
}

/** What was found: an archive, a reason why those that are there tell nothing, or neither where there is none. */
export interface FoundPrevious {
  readonly archive?: PreviousArchive;
  readonly reason?: string;
}

interface Candidate {
  readonly location: ArchiveLocation;
  readonly modifiedMs: number;
}

/**
 * The newest archive at the place of the output that is not suspect itself, or the one that is named. It never throws but for an abort:
 * an archive that cannot be read is no reason not to make a new one.
 */
export async function findPrevious(options: BackupOptions): Promise<FoundPrevious> {
  const { previous, signal } = options;
  const reasons: string[] = [];
  let suspects = 0;
  try {
    const candidates = previous === undefined ? await candidatesFor(options.output) : [{ location: previous }];
    for (const { location } of candidates.slice(0, maximumCandidates)) {
      try {
        // Threads are of one archive at a time.
        const found = await withWorkers(
          { ...(signal && { signal }), threads: Math.min(1, options.threads ?? 1) },
          (workers) => readParts(location, keysFor(options), workers, signal),
        );
        if (found.isSuspect && previous === undefined) {
          suspects += 1;
          continue;
        }
        return { archive: found };
      } catch (error) {
        reasons.push(`${locationLabel(location)}: ${reasonOf(error, options)}`);
        if (reasons.length === maximumFailures) break;
      }
    }
    if (suspects > 0) reasons.unshift(`the last ${suspects} archives are suspect themselves`);
  } catch (error) {
    reasons.push(reasonOf(error, options));
  }
  const [reason] = reasons;
  return reason === undefined ? {} : { reason };
}

function reasonOf(error: unknown, options: BackupOptions): string {
  const isSealedOnly = error instanceof HoldfastError && error.code === 'key.missing' && options.keys !== undefined;
  if (isSealedOnly) return 'this machine has no key that opens it';
  return error instanceof Error ? error.message : String(error);
}

/** The keys that seal the new archive open an older one as well, as far as they are passphrases. */
function keysFor({ keys, previousKeys }: BackupOptions): OpenKeys {
  const passphrases = [...(keys?.passphrases ?? []), ...(previousKeys?.passphrases ?? [])];
  return { passphrases, identities: previousKeys?.identities ?? [] };
}

async function readParts(
  location: ArchiveLocation,
  keys: OpenKeys,
  workers: WorkerPool,
  signal: AbortSignal | undefined,
): Promise<PreviousArchive & { readonly isSuspect: boolean }> {
  return await withSources([location], async (sources) => {
    const reader = await ArchiveReader.open({ sources, workers, keys, archiveId: undefined, signal });
    const parts: PartCounts[] = [];
    let isSuspect = false;
    for await (const entry of reader.entries()) {
      parts.push(...partCounts(entry));
      isSuspect ||= entry.kind === noteKind && entry.path === suspectPath;
    }
    return { label: locationLabel(location), archiveId: archiveIdHex(reader.header), parts, isSuspect };
  });
}

/** Archives in the folder of the output whose names differ from its name in digits only, such as a date: newest first. */
async function candidatesFor(output: BackupOptions['output']): Promise<Candidate[]> {
  const found: Candidate[] = [];
  if (typeof output === 'string') {
    // A storage would list what is below the folder as well, which may be somebody's home.
    for (const name of await namesIn(dirname(output))) {
      if (!isAlike(name, basename(output))) continue;
      const path = join(dirname(output), name);
      const stats = await stat(path).catch(() => undefined);
      if (stats?.isFile()) found.push({ location: path, modifiedMs: stats.mtimeMs });
    }
  } else if (Array.isArray(output)) {
    return await candidatesOfFirst(output);
  } else {
    const { storage, name } = output as BackupOutput;
    for await (const object of storage.list(name.slice(0, name.lastIndexOf('/') + 1))) {
      if (isAlike(object.name, name)) {
        found.push({ location: { storage, name: object.name }, modifiedMs: object.modifiedMs });
      }
    }
  }
  return found.sort((a, b) => b.modifiedMs - a.modifiedMs);
}

/** Of several storages the first that can be listed: they hold the same archives. */
async function candidatesOfFirst(outputs: readonly BackupOutput[]): Promise<Candidate[]> {
  const failures: unknown[] = [];
  for (const output of outputs) {
    try {
      return await candidatesFor(output);
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    // Not made yet, or not to be listed: writing there tells.
    return [];
  }
}

function isAlike(name: string, other: string): boolean {
  const shape = (text: string) => text.replace(/-\d+(?=\.holdfast$)/, '').replace(/\d+/g, '0');
  return shape(name) === shape(other);
}
