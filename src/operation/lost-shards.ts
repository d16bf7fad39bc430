import { tooFewShards } from '../archive/spread/spread-access.ts';
import type { HoldfastError } from '../errors.ts';
import { chooseSet, missingShards, type ShardSet } from '../storage/spread/shard-sets.ts';
import type { Storage } from '../storage/storage.ts';

/** Archives of which too few shards were seen to restore them. */
export interface LackingSets {
  readonly sets: readonly ShardSet[];
  /** What a storage threw that could not be listed: it may have the others. Without it they are lost. */
  readonly failure?: { readonly error: unknown };
}

/** Shards of archives that are not listed, as too few of them were seen. Those being removed are none. */
export async function lackingShardSets({ spread }: Storage): Promise<LackingSets> {
  if (spread === undefined) return { sets: [] };
  const { sets, failures } = await spread.shardSets();
  const [failure] = failures;
  return { sets: notListed(sets), ...(failure && { failure }) };
}

function notListed(sets: readonly ShardSet[]): ShardSet[] {
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
