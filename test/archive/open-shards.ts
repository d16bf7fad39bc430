/** Archives over shards that are open, for tests of what is read of them. */
import assert from 'node:assert/strict';
import { SpreadAccess, type SpreadOptions } from '../../src/archive/spread/spread-access.ts';
import { blockBytes, patience, type ShardFile, sourcesOf, wipeBlocks } from './shard-files.ts';

/** Blocks of a lead, which stand before the first row. */
export const lead = 2;

export interface Opened {
  readonly access: SpreadAccess;
  readonly files: readonly (ShardFile | undefined)[];
}

/** Opens shards, and forgets what was read of them for that. */
export async function open(
  shards: readonly (Uint8Array | ShardFile | undefined)[],
  options: Partial<SpreadOptions> = {},
): Promise<Opened> {
  const sources = sourcesOf(shards);
  const access = await SpreadAccess.open({ pause: patience.pause, shards: sources, ...options });
  for (const { access: file } of sources) file.reads.length = 0;
  const files = shards.map((_, index) => sources.find((source) => source.index === index)?.access);
  return { access, files };
}

/** Blocks of the archive as they are read. */
export async function readBlocks(access: SpreadAccess, first: number, count: number): Promise<Buffer> {
  const into = Buffer.alloc(count * blockBytes);
  assert.equal(await access.read(first * blockBytes, into), into.length);
  return into;
}

export function blocksOf(archive: Buffer, first: number, count: number): Buffer {
  return archive.subarray(first * blockBytes, (first + count) * blockBytes);
}

/** Rows that were read of each shard: the first of them, and how many. */
export const rowsRead = ({ files }: Opened) =>
  files.map((file) => (file?.reads ?? []).map(([first, count]) => [first - lead, count]));

/** The shards without some of them, and with some blocks of zeros: [shard, row]. */
export function damagedShards(
  shards: readonly Buffer[],
  { lost = [], wiped = [] }: { lost?: readonly number[]; wiped?: readonly (readonly [number, number])[] },
): (Buffer | undefined)[] {
  return shards.map((shard, index) => {
    if (lost.includes(index)) return undefined;
    const copy = Buffer.from(shard);
    for (const [place, row] of wiped) if (place === index) wipeBlocks(copy, row + lead);
    return copy;
  });
}
