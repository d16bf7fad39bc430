import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { RandomAccess } from '../archive/random-access.ts';
import { SpreadAccess } from '../archive/spread/spread-access.ts';
import { HoldfastError } from '../errors.ts';
import { onPath } from '../storage/durable-file.ts';
import { fileRandomAccess } from '../storage/local/file-random-access.ts';
import { localObject } from '../storage/local/local-storage.ts';
import { parseShardName, type ShardName } from '../storage/spread/shard-name.ts';
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

interface LocalShard extends ShardName {
  readonly path: string;
}

/** A file that is named as a shard. */
function localShard(location: ArchiveLocation): LocalShard | undefined {
  if (typeof location !== 'string') return undefined;
  const parsed = parseShardName(basename(location));
  return parsed === undefined || parsed.index === 'gone' ? undefined : { ...parsed, path: resolve(location) };
}

/** Shards that are files, and those of the same archive beside them, as the archive that they are of. */
async function openLocalShards(given: readonly LocalShard[]): Promise<RandomAccess> {
  const paths = new Set(given.map(({ path }) => path));
  for (const { path, name, tag } of given) {
    const folder = dirname(path);
    for (const beside of await onPath(folder, () => readdir(folder))) {
      const parsed = parseShardName(beside);
      if (parsed?.name === name && parsed.tag === tag && parsed.index !== 'gone') paths.add(join(folder, beside));
    }
  }
  const shards: { access: RandomAccess; label: string; index: number | undefined }[] = [];
  try {
    for (const path of paths) {
      const index = localShard(path)?.index;
      const access = await fileRandomAccess(path, { direct: 'unless-cached' });
      shards.push({ access, label: path, index: typeof index === 'number' ? index : undefined });
    }
    const opened = await SpreadAccess.open({ shards, shape: given[0]?.shape });
    const taken = new Set(opened.shards.map((shard) => shard?.access));
    for (const { access } of shards) if (!taken.has(access)) await access.close();
    return opened;
  } catch (error) {
    for (const { access } of shards) await access.close();
    throw error;
  }
}

/**
 * Where the first location is the file of a shard: opens the archive that it and the others are shards of, and gives it in place of them. Else gives
 * on what was given.
 */
export async function withShards<First extends ArchiveLocation, Result>(
  first: First,
  others: readonly ArchiveLocation[],
  work: (first: First | RandomAccess, others: readonly ArchiveLocation[]) => Promise<Result>,
): Promise<Result> {
  if (localShard(first) === undefined) return await work(first, others);
  const opened = await openLocalShards([first, ...others].flatMap((location) => localShard(location) ?? []));
  try {
    return await work(
      opened,
      others.filter((location) => localShard(location) === undefined),
    );
  } finally {
    await opened.close();
  }
}

/** Stands for a replica of which nothing can be read. */
const nothing: RandomAccess = { sizeBytes: 0, read: async () => 0, close: async () => undefined };

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
    const shards = locations.flatMap((location) => localShard(location) ?? []);
    if (shards.length > 0) opened.push(await openLocalShards(shards));
    const lost: unknown[] = [];
    for (const location of locations) {
      if (localShard(location) !== undefined) continue;
      try {
        opened.push(await openLocation(location, wants));
      } catch (error) {
        // Too few shards of a replica, or none that is whole, are no reason to do without the others.
        if (!(error instanceof HoldfastError) || error.code !== 'archive.damaged') throw error;
        lost.push(error);
        opened.push(nothing);
      }
    }
    if (lost.length > 0 && opened.every((source) => source === nothing)) throw lost[0];
    return await work(opened);
  } finally {
    for (const source of opened) if (!locations.includes(source)) await source.close();
  }
}

/** Refuses what is not hexadecimal early: it would match nothing. */
export function checkedArchiveId(archiveId: string | undefined): string | undefined {
  if (archiveId === undefined || /^[0-9a-f]{32}$/i.test(archiveId)) return archiveId?.toLowerCase();
  throw new HoldfastError('usage.invalid', { message: 'an archive id is 32 hexadecimal digits' });
}
