import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { SeededRandom } from '../../testing/index.ts';
import { frameBytes, sealBlock, shardBlockKind } from '../heal/block.ts';
import {
  headBlock,
  isShape,
  leadOffsets,
  readHeadBlock,
  rowOffset,
  rowsInShard,
  rowsPerGroup,
  shapeMark,
  shardRows,
  shardSizeBytes,
} from './shard-format.ts';
import { tooFewShards } from './spread-access.ts';

const archiveId = new SeededRandom(1).bytes(16);
const head = { archiveId, shape: { data: 3, parity: 2 }, index: 4, totalBlocks: undefined };
const end = { ...head, totalBlocks: 70 };

test('a head and an end are read as they were written, at the offsets of the format', () => {
  for (const [one, kind] of [
    [head, shardBlockKind.head],
    [end, shardBlockKind.end],
  ] as const) {
    const block = headBlock(one, 12_288);
    assert.deepEqual(readHeadBlock(block), one);
    assert.deepEqual(readHeadBlock(headBlock(one, 2 ** 47)), one);
    const frame = { position: 12_288, bandDataBlocks: 3 + 2 * 256, kind, ordinal: 4 };
    assert.ok(block.subarray(0, 32).equals(frameBytes(archiveId, frame)));
    const body = block.subarray(32);
    assert.equal(body.toString('latin1', 0, 8), 'HOLDSHRD');
    assert.deepEqual([body.readUInt16LE(8), body.readUInt16LE(10)], [1, 0]);
    assert.ok(body.subarray(12, 28).equals(archiveId));
    assert.deepEqual([...body.subarray(28, 32)], [3, 2, 4, 0]);
    assert.equal(Number(body.readBigUInt64LE(32)), one.totalBlocks ?? 0);
  }
});

/** A head or an end with other bytes in its body, sealed as what it says of itself then, or with another frame. */
function changed(one: typeof head | typeof end, bytes: readonly [at: number, ...values: number[]], frame = {}): Buffer {
  const block = headBlock(one, 0);
  const [at, ...values] = bytes;
  block.set(values, 32 + at);
  const [data = 0, parity = 0, ordinal = 0] = block.subarray(60, 63);
  const kind = one.totalBlocks === undefined ? shardBlockKind.head : shardBlockKind.end;
  sealBlock(block, archiveId, { position: 0, bandDataBlocks: shapeMark({ data, parity }), kind, ordinal, ...frame });
  return block;
}

function codeOf(block: Buffer): string {
  try {
    return readHeadBlock(block) === undefined ? 'none' : 'ok';
  } catch (error) {
    assert.ok(error instanceof HoldfastError);
    return error.code;
  }
}

const corrupt = 'archive.corrupt';
const cases: readonly [string, Buffer, string][] = [
  ['200 + 16 shards', changed(head, [28, 200, 16, 215]), 'ok'],
  ['201 data shards', changed(head, [28, 201, 16, 0]), corrupt],
  ['17 parity shards', changed(head, [28, 200, 17, 0]), corrupt],
  ['no data shard', changed(head, [28, 0, 2, 0]), corrupt],
  ['no parity shard', changed(head, [28, 3, 0, 0]), corrupt],
  ['one of each', changed(head, [28, 1, 1, 1]), 'ok'],
  ['a shard behind the last', changed(head, [28, 3, 2, 5]), corrupt],
  ['a reserved byte', changed(head, [31, 1]), corrupt],
  ['a head with an end', changed(head, [32, 1]), corrupt],
  ['an end without one', changed(end, [32, 0]), corrupt],
  ['an end of 2^48 - 1 blocks', changed(end, [32, 255, 255, 255, 255, 255, 255]), 'ok'],
  ['an end of 2^48 blocks', changed(end, [32, 0, 0, 0, 0, 0, 0, 1]), corrupt],
  ['another archive in its frame', Buffer.from(headBlock(head, 0)).fill(7, 44, 60), 'none'],
  ['another arrangement in its frame', changed(head, [31, 0], { bandDataBlocks: 1 }), corrupt],
  ['another number in its frame', changed(head, [31, 0], { ordinal: 3 }), corrupt],
  ['version 2', changed(head, [8, 2]), 'archive.version_unsupported'],
  ['another word', changed(head, [0, 0x68]), 'none'],
  ['a block of data', changed(head, [31, 0], { kind: 1 }), 'none'],
  ['another hash', Buffer.from(headBlock(head, 0)).fill(0, 4080), 'none'],
];

for (const [name, block, expected] of cases) {
  test(`a head with ${name}: ${expected}`, () => {
    assert.equal(codeOf(block), expected);
  });
}

test('shapes are whole numbers within their limits', () => {
  const shapes = [
    [1, 1],
    [200, 16],
    [0, 1],
    [1, 0],
    [201, 1],
    [1, 17],
    [1.5, 1],
    [1, 1.5],
  ] as const;
  const answers = shapes.map(([data, parity]) => isShape({ data, parity }));
  assert.deepEqual(answers, [true, true, false, false, false, false, false, false]);
});

test('rows are those that hold a block, and their places those that are left between the leads', () => {
  const shape = { data: 3, parity: 2 };
  for (let totalBlocks = 0; totalBlocks < 20; totalBlocks++) {
    const rows = [0, 0, 0];
    for (let block = 0; block < totalBlocks; block++) rows[block % 3] = Math.floor(block / 3) + 1;
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((index) => shardRows(shape, index, totalBlocks)),
      [...rows, rows[0], rows[0]],
    );
  }
  for (const rows of [0, 1, rowsPerGroup - 1, rowsPerGroup, rowsPerGroup + 1, 2 * rowsPerGroup, 2 * rowsPerGroup + 1]) {
    const leads = leadOffsets(rows).flatMap((offset) => [offset, offset + 4096]);
    const places = new Set([...leads, ...Array.from({ length: rows }, (_, row) => rowOffset(row))]);
    assert.equal(places.size, leads.length + rows);
    assert.equal(Math.max(...places) + 4096, shardSizeBytes(rows));
    assert.equal(rowsInShard(shardSizeBytes(rows)), rows);
    if (rows > 0) assert.ok(rowOffset(rows - 1) < (leads.at(-2) ?? 0));
  }
  assert.equal(rowsInShard(0), 0);
});

test('a lead of two blocks stands before every 4,096 rows, and an end behind the last', () => {
  const inBlocks = (offsets: readonly number[]) => offsets.map((offset) => offset / 4096);
  assert.deepEqual(inBlocks([0, 4095, 4096, 8191, 8192].map(rowOffset)), [2, 4097, 4100, 8195, 8198]);
  for (const [rows, leads, blocks] of [
    [0, [0, 2], 4],
    [1, [0, 3], 5],
    [4096, [0, 4098], 4100],
    [4097, [0, 4098, 4101], 4103],
    [8193, [0, 4098, 8196, 8199], 8201],
  ] as const) {
    assert.deepEqual(inBlocks(leadOffsets(rows)), leads);
    assert.equal(shardSizeBytes(rows), blocks * 4096);
    assert.equal(rowsInShard(blocks * 4096), rows);
  }
});

test('too few shards are told by their numbers, their places, and what else was found', () => {
  const shape = { data: 3, parity: 1 };
  const two = tooFewShards({ shape, missing: [0, 3], places: ['near', 'far'] });
  assert.equal(two.message, '2 of the 3 shards that are needed are there: missing are 1 (near), 4 of 4');
  assert.equal(two.hint, 'bring back 1 more of them: any 3 restore the archive');
  assert.deepEqual(two.context, { missingShards: [1, 4], neededShards: 3 });
  const one = tooFewShards({
    shape: { data: 4, parity: 0 },
    missing: [2],
    places: [],
    others: ['x: foreign', 'y: twice'],
  });
  assert.match(one.message, /missing is 3 of 4; x: foreign; y: twice$/);
});
