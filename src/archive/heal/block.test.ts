import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '../../testing/index.ts';
import {
  blockKind,
  expectedFrame,
  type Frame,
  frameBytes,
  hasRightHash,
  headerBlocks,
  isIntactBlock,
  isIntactDataBody,
  isSealedAs,
  readFrame,
  sealBlock,
  shardBlockKind,
} from './block.ts';
import { Layout } from './geometry.ts';
import { xxh3 } from './xxh3.ts';

const random = new SeededRandom(1);
const archiveId = random.bytes(16);

function sealed(frame: Frame): Buffer {
  const block = Buffer.from(random.bytes(4096));
  sealBlock(block, archiveId, frame);
  return block;
}

const kinds = fc.constantFrom(blockKind.header, blockKind.data, blockKind.parity, blockKind.final);
const frames: fc.Arbitrary<Frame> = fc.record({
  position: fc.oneof(fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1)),
  bandDataBlocks: fc.nat(2 ** 32 - 1),
  kind: kinds,
  ordinal: fc.nat(255),
});

test('a frame is read as it was written, at the offsets of the format', () => {
  const property = fc.property(frames, (frame) => {
    const block = sealed(frame);
    assert.deepEqual(readFrame(block), { ...frame });
    assert.ok(block.subarray(0, 16).equals(archiveId));
    assert.equal(block.readBigUInt64LE(16), BigInt(frame.position));
    assert.equal(block.readUInt32LE(24), frame.bandDataBlocks);
    assert.deepEqual([...block.subarray(28, 32)], [frame.kind, frame.ordinal, 0, 0]);
    const covered = frame.kind === blockKind.data ? 4064 : 4080;
    const hash = xxh3(block.subarray(0, covered));
    assert.ok(block.subarray(4080).equals(hash));
    if (covered === 4064) assert.ok(block.subarray(4064, 4080).equals(hash));
    assert.ok(block.subarray(0, 32).equals(frameBytes(archiveId, frame)));
    assert.ok(isIntactBlock(block, archiveId, frame));
  });
  fc.assert(property, { seed: 1, numRuns: 300 });
});

test('bytes that cannot be a frame give none', () => {
  const block = sealed({ position: 5, bandDataBlocks: 0, kind: blockKind.data, ordinal: 0 });
  const changed = (offset: number, value: number) => {
    const copy = Buffer.from(block);
    copy[offset] = value;
    return readFrame(copy);
  };
  assert.notEqual(changed(21, 255), undefined);
  assert.equal(changed(22, 1), undefined);
  assert.equal(changed(23, 128), undefined);
  const first = sealed({ position: 0, bandDataBlocks: 0, kind: blockKind.data, ordinal: 0 });
  first[22] = 1;
  assert.equal(readFrame(first), undefined, 'position 2^48');
  assert.notEqual(changed(28, 3), undefined);
  assert.equal(changed(28, 4), undefined);
  assert.equal(changed(30, 1), undefined);
  assert.equal(changed(31, 1), undefined);
});

for (const kind of [blockKind.header, blockKind.data, blockKind.parity, blockKind.final]) {
  test(`any one byte of a block of kind ${kind} that differs makes it not intact`, () => {
    const frame: Frame = { position: 77, bandDataBlocks: 0, kind, ordinal: 0 };
    const block = sealed(frame);
    for (let offset = 0; offset < 4096; offset++) {
      block[offset] = (block[offset] ?? 0) ^ (1 + (offset % 255));
      assert.equal(isIntactBlock(block, archiveId, frame), false, `byte ${offset}`);
      block[offset] = (block[offset] ?? 0) ^ (1 + (offset % 255));
    }
    assert.ok(isIntactBlock(block, archiveId, frame));
  });
}

test('a whole block is not intact where another frame, or another archive, is expected', () => {
  const frame: Frame = { position: 9, bandDataBlocks: 4, kind: blockKind.parity, ordinal: 2 };
  const block = sealed(frame);
  assert.ok(isIntactBlock(block, archiveId, frame));
  for (const other of [{ position: 10 }, { bandDataBlocks: 5 }, { kind: blockKind.final }, { ordinal: 1 }]) {
    assert.equal(isIntactBlock(block, archiveId, { ...frame, ...other }), false, JSON.stringify(other));
  }
  assert.equal(isIntactBlock(block, random.bytes(16), frame), false);
});

test('a block of any kind is told by all of its frame and its hash', () => {
  assert.deepEqual(shardBlockKind, { head: 4, end: 5, parity: 6 });
  const frame = { position: 3, bandDataBlocks: 2, kind: shardBlockKind.head, ordinal: 1 };
  const block = Buffer.from(random.bytes(4096));
  sealBlock(block, archiveId, frame);
  assert.equal(isSealedAs(block, archiveId, frame), true);
  assert.equal(readFrame(block), undefined, 'readers of archives pass over it');
  const others = [{ position: 4 }, { bandDataBlocks: 3 }, { kind: shardBlockKind.end }, { ordinal: 0 }];
  for (const other of others) assert.equal(isSealedAs(block, archiveId, { ...frame, ...other }), false);
  assert.equal(isSealedAs(block, random.bytes(16), frame), false);
  for (const offset of [0, 31, 32, 4079, 4080, 4095]) {
    block[offset] = (block[offset] ?? 0) ^ 1;
    assert.equal(isSealedAs(block, archiveId, frame), false, `byte ${offset}`);
    block[offset] = (block[offset] ?? 0) ^ 1;
  }
});

test('a data block has to have both hashes', () => {
  const block = sealed({ position: 3, bandDataBlocks: 0, kind: blockKind.data, ordinal: 0 });
  assert.ok(hasRightHash(block));
  for (const offset of [4064, 4079, 4080, 4095]) {
    const copy = Buffer.from(block);
    copy[offset] = (copy[offset] ?? 0) ^ 1;
    assert.equal(hasRightHash(copy), false);
  }
});

test('a solved data body is told by its inner hash and its position', () => {
  const block = sealed({ position: 1234, bandDataBlocks: 0, kind: blockKind.data, ordinal: 0 });
  const body = block.subarray(32, 4080);
  assert.ok(isIntactDataBody(body, archiveId, 1234));
  assert.equal(isIntactDataBody(body, archiveId, 1235), false);
  assert.equal(isIntactDataBody(body, random.bytes(16), 1234), false);
  for (const offset of [0, 4031, 4032, 4047]) {
    const changed = Buffer.from(body);
    changed[offset] = (changed[offset] ?? 0) ^ 1;
    assert.equal(isIntactDataBody(changed, archiveId, 1234), false);
  }
});

test('a layout expects each frame at its position', () => {
  const layout = new Layout(20, { dataBlocks: 5, parityBlocks: 3 });
  const all = Array.from({ length: layout.totalBlocks }, (_, position) => expectedFrame(layout, position));
  // 20 data blocks are more than K: 8 stripes of at most 3, with 3 rows each.
  assert.equal(layout.totalBlocks, 3 + 20 + 24 + 3);
  assert.deepEqual(
    all.map(({ kind }) => kind),
    [...Array(3).fill(0), ...Array(20).fill(1), ...Array(24).fill(2), ...Array(3).fill(3)],
  );
  assert.deepEqual(
    all.map(({ ordinal }) => ordinal),
    [0, 1, 2, ...Array(20).fill(0), ...[0, 1, 2].flatMap((row) => Array(8).fill(row)), 0, 1, 2],
  );
  assert.deepEqual(
    all.map(({ bandDataBlocks }) => bandDataBlocks),
    [...Array(23).fill(0), ...Array(27).fill(20)],
  );
});

test('header blocks are the header three times, each with its frame', () => {
  const header = random.bytes(200);
  const options = { archiveId, header, position: 40, kind: blockKind.final, bandDataBlocks: 7 } as const;
  const blocks = headerBlocks(options);
  assert.equal(blocks.length, 3 * 4096);
  for (let ordinal = 0; ordinal < 3; ordinal++) {
    const block = blocks.subarray(ordinal * 4096, (ordinal + 1) * 4096);
    const frame = { position: 40 + ordinal, bandDataBlocks: 7, kind: blockKind.final, ordinal };
    assert.ok(isIntactBlock(block, archiveId, frame));
    assert.ok(block.subarray(32, 232).equals(header));
    assert.ok(block.subarray(232, 4080).every((byte) => byte === 0));
  }
});
