import { fixedPartDigest } from '../../src/archive/header.ts';
import { BlockStore, type SegmentPlace } from '../../src/archive/heal/block-store.ts';
import { blockSizeBytes, payloadSizeBytes } from '../../src/archive/heal/geometry.ts';
import type { RandomAccess } from '../../src/archive/random-access.ts';
import { RangeSet } from '../../src/archive/range-set.ts';
import { sealSegment, segmentKind } from '../../src/archive/seal/segment-cipher.ts';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { blockAt, plainCopy, plainHeader } from './plain-copy.ts';

/** A store of a small archive: two bands, and segments of 9,000 bytes each. */

export const workers = new WorkerPool(0);

export const plainBytes = 9000;
export const sealedBytes = plainBytes + 16;
export const segmentCount = 31;
export const plain = new SeededRandom(6).bytes(segmentCount * plainBytes);

/** Band 0: headers 0 to 2, data 3 to 66, parity 67 to 194. Band 1: headers from 195, data 198 to 203, parity 204 to 219, final headers. */
export function archiveOf(copies: number) {
  const header = plainHeader(1, { dataBlocks: 1, parityBlocks: 2, copies, segmentSizeBytes: plainBytes });
  const seal = { key: undefined, fixedDigest: fixedPartDigest(header) };
  const stream = Buffer.alloc(segmentCount * sealedBytes);
  for (let number = 0; number < segmentCount; number++) {
    const bytes = plain.subarray(number * plainBytes, (number + 1) * plainBytes);
    sealSegment(seal, { number, kind: segmentKind.data, bytes }, stream.subarray(number * sealedBytes));
  }
  const copy = plainCopy(70, header, stream);
  return { ...copy, seal, file: Buffer.concat(Array.from({ length: copies }, () => copy.bytes)) };
}

export const one = archiveOf(1);
export const two = archiveOf(2);
export const total = 223;
export const { layout } = one;

export type Reads = [offset: number, length: number][];

export function sourceOf(bytes: Uint8Array, reads: Reads = []): RandomAccess {
  return {
    sizeBytes: bytes.length,
    read: async (offset, into) => {
      reads.push([offset / blockSizeBytes, into.length / blockSizeBytes]);
      const given = bytes.subarray(offset, offset + into.length);
      into.set(given);
      return given.length;
    },
    close: async () => undefined,
  };
}

export async function open(archive: ReturnType<typeof archiveOf>, bytes: Uint8Array = archive.file) {
  const reads: Reads = [];
  const store = await BlockStore.open({ sources: [sourceOf(bytes, reads)], workers });
  store.configure(archive.seal);
  const opened = reads.splice(0);
  return { store, reads, opened };
}

/** The bytes with these blocks zeroed. */
export function without(bytes: Uint8Array, ...places: number[]): Buffer {
  const damaged = Buffer.from(bytes);
  for (const place of places) blockAt(damaged, place).fill(0);
  return damaged;
}

export function placeOf(number: number, changes: Partial<SegmentPlace> = {}): SegmentPlace {
  const offset = number * sealedBytes;
  return { number, kind: segmentKind.data, offset, length: sealedBytes, maximumPlainBytes: plainBytes, ...changes };
}

/** Where the data blocks of a segment lie in a copy. */
export function placesOf(number: number): number[] {
  const first = Math.floor((number * sealedBytes) / payloadSizeBytes);
  const last = Math.floor(((number + 1) * sealedBytes - 1) / payloadSizeBytes);
  return Array.from({ length: last - first + 1 }, (_, index) => layout.dataPosition(first + index));
}

/** Data block, and the two of parity that could give it back. */
export function stripeOf(number: number): number[] {
  const [band, index, stripes] = number < 64 ? [0, number, 64] : [1, number - 64, 8];
  const rows = [0, 1].map((row) => layout.parityPosition(band, row * stripes + index));
  return [layout.dataPosition(number), ...rows];
}

export const plainOf = (number: number) => plain.slice(number * plainBytes, (number + 1) * plainBytes);

export async function load(
  store: BlockStore,
  number: number,
  changes: Partial<SegmentPlace> = {},
): Promise<Uint8Array> {
  const into = new Uint8Array(plainBytes);
  const length = await store.load(placeOf(number, changes), into);
  return into.slice(0, length);
}

export function provenOf(...ranges: [number, number][]): RangeSet {
  const set = new RangeSet();
  for (const [start, end] of ranges) set.add(start, end);
  return set;
}
