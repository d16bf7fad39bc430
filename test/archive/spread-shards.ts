/** Shards of archives for tests. */
import assert from 'node:assert/strict';
import { blockSizeBytes } from '../../src/archive/heal/geometry.ts';
import type { ShardSource } from '../../src/archive/spread/shard.ts';
import { type SpreadShape, shardCount } from '../../src/archive/spread/shard-format.ts';
import { SpreadAccess } from '../../src/archive/spread/spread-access.ts';
import { SpreadEncoder } from '../../src/archive/spread/spread-encoder.ts';
import { memoryRandomAccess } from '../../src/testing/index.ts';

/** Lays an archive over shards. */
export function spread(
  bytes: Uint8Array,
  shape: SpreadShape,
  stepBytes = bytes.length,
  wanted?: readonly number[],
): Buffer[] {
  const shards = Array.from({ length: shardCount(shape) }, (): Uint8Array[] => []);
  const emit = (index: number, part: Uint8Array) => {
    assert.ok(part.length > 0, 'nothing is handed on where nothing is');
    shards[index]?.push(part);
  };
  const encoder = new SpreadEncoder({ shape, emit, ...(wanted && { wanted }) });
  for (let at = 0; at < bytes.length; at += stepBytes) encoder.push(bytes.subarray(at, at + stepBytes));
  const archiveId = new Uint8Array(bytes.subarray(0, 16));
  assert.deepEqual(encoder.finish(), { archiveId, totalBlocks: bytes.length / blockSizeBytes });
  return shards.map((parts) => Buffer.concat(parts));
}

/** Shards as they are read, by their indexes; undefined for one that is missing. */
export function sourcesOf(shards: readonly (Uint8Array | undefined)[]): ShardSource[] {
  return shards.flatMap((bytes, index) =>
    bytes === undefined ? [] : [{ access: memoryRandomAccess(bytes), label: `s${index}`, index }],
  );
}

/** Reads the archive that shards give. */
export async function join(shards: readonly (Uint8Array | undefined)[]): Promise<Buffer> {
  const access = await SpreadAccess.open({ shards: sourcesOf(shards) });
  const bytes = Buffer.alloc(access.sizeBytes);
  assert.equal(await access.read(0, bytes), bytes.length);
  return bytes;
}
