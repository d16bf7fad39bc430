import type { RandomAccess } from '../archive/random-access.ts';
import { HoldfastError } from '../errors.ts';
import { fileRandomAccess } from '../storage/local/file-random-access.ts';
import { localObject } from '../storage/local/local-storage.ts';
import type { Storage } from '../storage/storage.ts';
import type { ArchiveLocation } from './options.ts';

/** An object that can be written anew. */
export interface WritableLocation {
  readonly storage: Storage;
  readonly name: string;
}

/** The storage and the name of a path on local disk. */
export function writableLocation(location: string | WritableLocation): WritableLocation {
  if (typeof location !== 'string') return location;
  return localObject(location);
}

/** For people. */
export function locationLabel(location: ArchiveLocation): string {
  if (typeof location === 'string') return location;
  return 'storage' in location ? location.storage.url(location.name) : 'bytes at hand';
}

async function openLocation(location: ArchiveLocation, wants: 'proof' | 'bytes'): Promise<RandomAccess> {
  if (typeof location === 'string') {
    return await fileRandomAccess(location, { direct: wants === 'bytes' ? 'unless-cached' : 'always' });
  }
  if ('storage' in location) return await location.storage.open(location.name);
  return location;
}

/**
 * Opens archives for reading, and closes what was opened here. Who wants the `proof` that what stands on the disk is whole reads it from
 * there; who wants the `bytes`, which are checked as they come, takes them from the page cache where they are.
 */
export async function withSources<Result>(
  locations: readonly ArchiveLocation[],
  work: (sources: readonly RandomAccess[]) => Promise<Result>,
  wants: 'proof' | 'bytes' = 'proof',
): Promise<Result> {
  const opened: RandomAccess[] = [];
  try {
    for (const location of locations) opened.push(await openLocation(location, wants));
    return await work(opened);
  } finally {
    for (const [index, source] of opened.entries()) if (source !== locations[index]) await source.close();
  }
}

/** Refuses what is not hexadecimal early: it would match nothing. */
export function checkedArchiveId(archiveId: string | undefined): string | undefined {
  if (archiveId === undefined || /^[0-9a-f]{32}$/i.test(archiveId)) return archiveId?.toLowerCase();
  throw new HoldfastError('usage.invalid', { message: 'an archive id is 32 hexadecimal digits' });
}
