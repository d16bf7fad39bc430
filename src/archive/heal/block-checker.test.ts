import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockKind, type Frame, sealBlock } from './block.ts';
import { BlockChecker, type FrameRun } from './block-checker.ts';
import { blockSizeBytes } from './geometry.ts';

const archiveId = Buffer.alloc(16, 7);
const checker = new BlockChecker();

function frame(position: number, changes: Partial<Frame> = {}): Frame {
  return { position, bandDataBlocks: 0, kind: blockKind.data, ordinal: 0, ...changes };
}

/** The blocks of runs, whole; each with something of its own in it. */
function blocksOf(runs: readonly FrameRun[]): Buffer {
  const blocks = runs.flatMap(({ frame: first, count }, run) =>
    Array.from({ length: count }, (_, index) => {
      const block = Buffer.alloc(blockSizeBytes, run + 1);
      block.writeUInt32LE(index, 100);
      sealBlock(block, archiveId, { ...first, position: first.position + index });
      return block;
    }),
  );
  return Buffer.concat(blocks);
}

/** Indexes of the blocks that are said to be intact. */
function intactIn(blocks: Uint8Array, runs: readonly FrameRun[]): number[] {
  const results = checker.check(blocks, archiveId, runs);
  assert.equal(
    results.length,
    runs.reduce((sum, { count }) => sum + count, 0),
  );
  return [...results.entries()].filter(([, result]) => result === 1).map(([index]) => index);
}

function without(count: number, ...damaged: number[]): number[] {
  return Array.from({ length: count }, (_, index) => index).filter((index) => !damaged.includes(index));
}

test('each block of a run is told from those beside it, however many there are', () => {
  // 256 are checked at once.
  for (const count of [1, 255, 256, 257, 513]) {
    const runs = [{ frame: frame(1000), count }];
    const blocks = blocksOf(runs);
    assert.deepEqual(intactIn(blocks, runs), without(count));
    const damaged = [...new Set([0, 254, 255, 256, 511, 512, count - 1])].filter((index) => index < count);
    for (const index of damaged) blocks[index * blockSizeBytes + 77]! ^= 1;
    assert.deepEqual(intactIn(blocks, runs), without(count, ...damaged), `${count} blocks`);
  }
});

test('a run goes on with the positions of its frame, and the next has another frame', () => {
  const runs = [
    { frame: frame(7, { kind: blockKind.header, ordinal: 2 }), count: 1 },
    { frame: frame(8), count: 300 },
    { frame: frame(900, { kind: blockKind.parity, ordinal: 1, bandDataBlocks: 300 }), count: 3 },
  ];
  const blocks = blocksOf(runs);
  assert.deepEqual(intactIn(blocks, runs), without(304));
  const [header, data, parity] = runs as [FrameRun, FrameRun, FrameRun];
  assert.deepEqual(intactIn(blocks, [header, { ...data, frame: frame(9) }, parity]), [0, 301, 302, 303]);
  assert.deepEqual(
    intactIn(blocks, [header, data, { ...parity, frame: { ...parity.frame, ordinal: 2 } }]),
    without(301),
  );
  assert.deepEqual(checker.check(blocks, archiveId, []), new Uint8Array(0));
});

test('a block of data is intact with both of its hashes, another with one', () => {
  const inner = 4064;
  for (const [kind, expected] of [
    [blockKind.data, []],
    [blockKind.parity, [0]],
  ] as const) {
    const runs = [{ frame: frame(3, { kind }), count: 1 }];
    const blocks = blocksOf(runs);
    // What a data block has its inner hash in is part of another's body.
    blocks[inner]! ^= 1;
    if (kind === blockKind.parity) sealBlock(blocks, archiveId, frame(3, { kind }));
    assert.deepEqual(intactIn(blocks, runs), expected);
  }
});

test('of several readings each block has the bits of those in which it is intact', () => {
  const runs = [{ frame: frame(0), count: 3 }];
  const whole = blocksOf(runs);
  const damaged = (...indexes: number[]) => {
    const blocks = Buffer.from(whole);
    for (const index of indexes) blocks[index * blockSizeBytes + 50]! ^= 1;
    return blocks;
  };
  const bits = (...readings: Uint8Array[]) => [...checker.checkLayers(readings, archiveId, runs)];
  assert.deepEqual(bits(whole), [1, 1, 1]);
  assert.deepEqual(bits(whole, whole), [3, 3, 3]);
  assert.deepEqual(bits(damaged(0), damaged(0)), [0, 3, 3]);
  assert.deepEqual(bits(damaged(0), damaged(1), damaged(0), whole), [10, 13, 15]);
  assert.deepEqual(bits(...Array.from({ length: 16 }, () => damaged(2))), [0xffff, 0xffff, 0]);
  assert.deepEqual(bits(), [0, 0, 0]);
});

test('equal readings are checked once', (context) => {
  const runs = [{ frame: frame(0), count: 2 }];
  const whole = blocksOf(runs);
  const other = Buffer.from(whole).fill(0, 0, 10);
  const check = context.mock.method(checker, 'check');
  for (const [readings, times] of [
    [[whole, Buffer.from(whole), whole], 1],
    [[whole, other, whole], 2],
    [[other, whole, whole], 3],
  ] as const) {
    check.mock.resetCalls();
    checker.checkLayers(readings, archiveId, runs);
    assert.equal(check.mock.callCount(), times);
  }
});
