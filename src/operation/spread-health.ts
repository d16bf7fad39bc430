import type { RandomAccess } from '../archive/random-access.ts';
import { checkShard } from '../archive/spread/check-shard.ts';
import { HoldfastError } from '../errors.ts';
import { errorReport } from './error-report.ts';
import type { WritableLocation } from './location.ts';
import type { RunOptions, ShardReport, SpreadReport } from './options.ts';

/** Checks the shards of an archive that is laid over several, as far as they were not read already; undefined for any other. */
export async function spreadHealth(
  source: RandomAccess | undefined,
  signal: AbortSignal | undefined,
): Promise<SpreadReport | undefined> {
  const access = source?.spread;
  if (access === undefined) return undefined;
  const shards: ShardReport[] = [];
  for (const [index, shard] of access.shards.entries()) {
    const place = { shard: index + 1, storage: shard?.label ?? access.places[index] ?? '' };
    if (shard === undefined) {
      shards.push({ ...place, state: 'missing', damagedBlocks: 0 });
      continue;
    }
    const { state, damagedBlocks, error } = await checkShard(access, shard, { signal });
    shards.push({ ...place, state, damagedBlocks, ...(error === undefined ? {} : { error: errorReport(error) }) });
  }
  return { ...access.shape, shards };
}

/** Whether a shard has to be made anew, or could not be looked at. */
export function isWhole({ shards }: SpreadReport): boolean {
  return shards.every(({ state }) => state === 'intact');
}

/**
 * Makes shards that are lost or damaged anew. One whose storage does not answer is for later: it throws `storage.unavailable` when the others are made, and
 * what the storage of one that could not be made throws.
 */
export async function rebuildShards(
  { storage, name }: WritableLocation,
  { shards }: SpreadReport,
  { signal }: Pick<RunOptions, 'signal'>,
): Promise<void> {
  const unread = shards.find(({ state }) => state === 'unreadable');
  const broken = shards.filter(({ state }) => state === 'damaged' || state === 'missing');
  const indexes = broken.map(({ shard }) => shard - 1);
  const made = await storage.spread?.rebuild(name, indexes, { signal });
  const failed = made?.find(({ error }) => error !== undefined);
  if (failed !== undefined) throw failed.error;
  if (unread === undefined) return;
  throw new HoldfastError('storage.unavailable', {
    message: `${unread.storage}: shard ${unread.shard} could not be read: ${unread.error?.message ?? ''}`,
  });
}
