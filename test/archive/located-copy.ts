import assert from 'node:assert/strict';
import type { Header } from '../../src/archive/header.ts';
import { sealBlock } from '../../src/archive/heal/block.ts';
import { blockSizeBytes, frameSizeBytes } from '../../src/archive/heal/geometry.ts';
import { type LocateOptions, locate } from '../../src/archive/heal/locate.ts';
import type { RandomAccess } from '../../src/archive/random-access.ts';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { blockAt, type PlainCopy, plainCopy, plainHeader } from './plain-copy.ts';

/** Small archives in files that were damaged, moved or put together, for tests of finding them. */

export const workers = new WorkerPool(0);

/** Headers 0 to 2, data 3 to 7, 16 of parity (8 stripes), final headers 24 to 26. */
export const copy = plainCopy(5);
export const total = 27;
export const { header } = copy;
export const twin = plainCopy(5, plainHeader(1, { copies: 2 }));
export const headerPlaces = [0, 1, 2, 24, 25, 26];

/** A source over bytes, with the offsets of what was read of it. */
export function sourceOf(bytes: Uint8Array): RandomAccess & { readonly reads: number[] } {
  const reads: number[] = [];
  return {
    reads,
    sizeBytes: bytes.length,
    read: async (offset, into) => {
      assert.ok(offset >= 0 && offset < bytes.length);
      reads.push(offset);
      const given = bytes.subarray(offset, offset + into.length);
      into.set(given);
      return given.length;
    },
    close: async () => undefined,
  };
}

export function optionsOf(bytes: Uint8Array | readonly Uint8Array[], archiveId?: string): LocateOptions {
  const all = bytes instanceof Uint8Array ? [bytes] : bytes;
  return { sources: all.map(sourceOf), workers, archiveId };
}

/** Layers as `source: offset@position+count`, all in blocks. */
export async function found(bytes: Uint8Array | readonly Uint8Array[], archiveId?: string) {
  const { map, layout, inPlace, scanned } = await locate(optionsOf(bytes, archiveId));
  const layers = map.layers.map((layer) =>
    layer.map(({ source, offset, position, count }) => `${source}: ${offset / blockSizeBytes}@${position}+${count}`),
  );
  return { layers, primary: map.primaryLayers, data: layout.totalDataBlocks, inPlace, scanned };
}

export function joined(...parts: Uint8Array[]): Buffer {
  return Buffer.concat(parts);
}

export const filler = (blocks: number, seed = 3) => new SeededRandom(seed).bytes(blocks * blockSizeBytes);

export function zero(block: Buffer): void {
  block.fill(0);
}

/** The bytes with blocks made into something else: zeros unless told. */
export function changed(
  bytes: Uint8Array,
  places: readonly number[],
  change: (block: Buffer, index: number) => void = zero,
) {
  const result = Buffer.from(bytes);
  for (const [index, place] of places.entries()) change(blockAt(result, place), index);
  return result;
}

/** One byte of the body wrong, in each block another one. */
export function flip(block: Buffer, index: number): void {
  block[frameSizeBytes + 20 + 3 * index]! ^= 0xff;
}

export function idOf({ archiveId }: Header): string {
  return Buffer.from(archiveId).toString('hex');
}

/** A block of this archive with a frame and a body of one's own. */
export function blockOf(
  of: PlainCopy,
  frame: Parameters<typeof sealBlock>[2],
  body: Uint8Array = of.headerBody,
): Buffer {
  const block = Buffer.alloc(blockSizeBytes);
  block.set(body, frameSizeBytes);
  sealBlock(block, of.header.archiveId, frame);
  return block;
}
