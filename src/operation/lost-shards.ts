import { tooFewShards } from '../archive/spread/spread-access.ts';
import type { HoldfastError } from '../errors.ts';
import { chooseSet, missingShards, type ShardSet } from '../storage/spread/shard-sets.ts';
import type { Storage } from '../storage/storage.ts';

/** Shards of archives of which too few are there to restore them, while all storages answer. Those being removed are none. */
export async function lostShardSets({ spread }: Storage): Promise<ShardSet[]> {
  if (spread === undefined) return [];
  const { sets, failures } = await spread.shardSets();
  if (failures.length > 0) return [];
  const names = [...new Set(sets.map(({ name }) => name))];
  return names.flatMap((name) => {
    const own = sets.filter((set) => set.name === name && set.goneOn.length === 0);
    if (own.length === 0 || chooseSet(own) !== undefined) return [];
    return own.sort((left, right) => missingShards(left).length - missingShards(right).length).slice(0, 1);
  });
}

/** Which shards such an archive lacks. */
export function describeLostShards({ spread }: Storage, set: ShardSet): HoldfastError {
  const places = spread?.members.map(({ label }) => label) ?? [];
  return tooFewShards({ shape: set.shape, missing: missingShards(set), places });
}
