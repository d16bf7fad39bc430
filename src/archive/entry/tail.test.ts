import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../errors.ts';
import { decodeTail, encodeTail, type Tail, tailRecordSizeBytes } from './tail.ts';

const tails = fc
  .record({
    segmentCount: fc.integer({ min: 1, max: 2 ** 50 }),
    offset: fc.nat(2 ** 50),
    length: fc.nat(2 ** 32 - 1),
    plainBytes: fc.maxSafeNat(),
    entryCount: fc.maxSafeNat(),
    indexPartCount: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  })
  .map(
    ({ segmentCount, offset, length, plainBytes, entryCount, indexPartCount }): Tail => ({
      segmentCount,
      sealedBytes: offset + length,
      plainBytes,
      entryCount,
      lastIndexPart: { segment: segmentCount - 1, offset, length },
      indexPartCount,
    }),
  );

function isCorrupt(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'archive.corrupt';
}

const tail: Tail = {
  segmentCount: 9,
  sealedBytes: 1000,
  plainBytes: 5000,
  entryCount: 3,
  lastIndexPart: { segment: 8, offset: 900, length: 100 },
  indexPartCount: 2,
};

test('a tail is read as it was written', () => {
  assert.equal(tailRecordSizeBytes, 96);
  const property = fc.property(tails, (one) => {
    const bytes = encodeTail(one);
    assert.equal(bytes.length, 72);
    assert.deepEqual(decodeTail(bytes), one);
  });
  fc.assert(property, { seed: 1, numRuns: 300 });
});

test('each field stands at its offset', () => {
  const bytes = encodeTail(tail);
  const longs = Array.from({ length: 6 }, (_, index) => Number(bytes.readBigUInt64LE(index * 8)));
  assert.deepEqual(longs, [9, 1000, 5000, 3, 8, 900]);
  assert.deepEqual([bytes.readUInt32LE(48), bytes.readUInt32LE(52)], [100, 2]);
});

test('a tail that contradicts itself is refused', () => {
  const place = tail.lastIndexPart;
  const refused: Tail[] = [
    { ...tail, segmentCount: 8 },
    { ...tail, segmentCount: 10 },
    { ...tail, sealedBytes: 999 },
    { ...tail, sealedBytes: 1001 },
    { ...tail, lastIndexPart: { ...place, segment: 7 } },
    { ...tail, lastIndexPart: { ...place, offset: 901 } },
    { ...tail, lastIndexPart: { ...place, length: 99 } },
    { ...tail, indexPartCount: 0 },
  ];
  decodeTail(encodeTail(tail));
  decodeTail(encodeTail({ ...tail, indexPartCount: 1 }));
  for (const one of refused) assert.throws(() => decodeTail(encodeTail(one)), isCorrupt, JSON.stringify(one));
});

test('numbers that are too large, reserved bytes and another length are refused', () => {
  const bytes = encodeTail(tail);
  for (let field = 0; field < 6; field++) {
    const changed = Buffer.from(bytes);
    changed[field * 8 + 6] = 0x20;
    assert.throws(() => decodeTail(changed), isCorrupt, `field ${field}`);
  }
  for (let offset = 56; offset < 72; offset++) {
    const changed = Buffer.from(bytes);
    changed[offset] = 1;
    assert.throws(() => decodeTail(changed), isCorrupt, `byte ${offset}`);
  }
  for (const length of [0, 8, 71]) assert.throws(() => decodeTail(bytes.subarray(0, length)), isCorrupt);
  assert.throws(() => decodeTail(Buffer.concat([bytes, Buffer.alloc(1)])), isCorrupt);
});
