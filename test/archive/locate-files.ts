/** Shards that are looked at, and what is left of those that are damaged. */
import { type LocatedShards, type LocateShardsOptions, locateShards } from '../../src/archive/spread/locate-shards.ts';
import { hashBlock } from '../../vectors/reference-writer.ts';
import { blockBytes, patience, type ShardFile, sourcesOf, wipeBlocks } from './shard-files.ts';

export function locate(
  shards: readonly (Uint8Array | ShardFile | undefined)[],
  options: Partial<LocateShardsOptions> = {},
): Promise<LocatedShards> {
  return locateShards(sourcesOf(shards), { ...patience, ...options });
}

/** A shard without its leads and its end; what is left are its rows. */
export function beheaded(shard: Buffer): Buffer {
  const copy = Buffer.from(shard);
  const blocks = copy.length / blockBytes;
  wipeBlocks(copy, 0, 1, blocks - 2, blocks - 1);
  return copy;
}

/** Only these blocks of a shard. */
export function only(shard: Buffer, ...kept: readonly number[]): Buffer {
  const copy = Buffer.alloc(shard.length);
  for (const block of kept) shard.copy(copy, block * blockBytes, block * blockBytes, (block + 1) * blockBytes);
  return copy;
}

/** A shard with an end that says something else. */
export function ending(shard: Buffer, totalBlocks: number): Buffer {
  const copy = Buffer.from(shard);
  const end = copy.subarray(copy.length - 2 * blockBytes, copy.length - blockBytes);
  end.writeBigUInt64LE(BigInt(totalBlocks), 64);
  hashBlock(end);
  return copy;
}

export const labels = ({ shards }: LocatedShards) => shards.map((shard) => shard?.label);
export const damaged = {
  code: 'archive.damaged',
  message: 'the archive is damaged beyond repair: no shard has a whole head and header',
};

/** How shards are refused that do not tell how long the archive is. */
export const endless = {
  code: 'archive.damaged',
  message:
    'the archive is damaged beyond repair: no shard has a whole end, and none of its last blocks tells how long it was',
};
