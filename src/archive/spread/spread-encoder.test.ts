import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { blockBytes, small, smallBlocks, smallShards } from '../../../test/archive/shard-files.ts';
import { blocky } from '../../../vectors/generators/vector.ts';
import { hashBlock } from '../../../vectors/reference-writer.ts';
import { rowOffset, rowsPerGroup, type SpreadShape, shardCount } from './shard-format.ts';
import { SpreadEncoder } from './spread-encoder.ts';

/** Pieces of each shard as they are handed on. */
function piecesOf(
  archive: Uint8Array,
  shape: SpreadShape,
  { stepBytes = archive.length, wanted }: { stepBytes?: number; wanted?: readonly number[] } = {},
): Uint8Array[][] {
  const pieces = Array.from({ length: shardCount(shape) }, (): Uint8Array[] => []);
  const emit = (index: number, bytes: Uint8Array) => {
    assert.ok(bytes.length > 0, 'nothing is handed on where nothing is');
    pieces[index]?.push(bytes);
  };
  const encoder = new SpreadEncoder({ shape, emit, ...(wanted && { wanted }) });
  const memory = new Uint8Array(stepBytes);
  for (let at = 0; at < archive.length; at += stepBytes) {
    const step = archive.subarray(at, at + stepBytes);
    memory.set(step);
    encoder.push(memory.subarray(0, step.length));
    memory.fill(0xee);
  }
  const end = encoder.finish();
  assert.deepEqual(end, {
    archiveId: new Uint8Array(archive.subarray(0, 16)),
    totalBlocks: archive.length / blockBytes,
  });
  return pieces;
}

/** The header of the small archive, and behind it so many blocks that the encoder does not look into. */
function longArchive(blocks: number): Buffer {
  const archive = Buffer.alloc(blocks * blockBytes);
  for (let block = 0; block < blocks; block += 1) {
    archive.writeUInt32LE(block, block * blockBytes);
    archive[block * blockBytes + 28] = 1;
    archive.writeUInt32LE(block, block * blockBytes + 32);
  }
  archive.set(small.file.subarray(0, blockBytes));
  return archive;
}

describe('an archive over shards', () => {
  test('is laid as the plain encoder lays it, in whatever pieces it comes', () => {
    // 13 blocks: rows that are whole, and rows that are not, one row, and shards without rows.
    for (const [data, parity] of [
      [1, 1],
      [3, 2],
      [4, 3],
      [6, 4],
      [13, 2],
      [14, 1],
      [20, 5],
    ] as const) {
      const shards = smallShards(data, parity);
      for (const stepBytes of [13 * blockBytes, blockBytes, 999, 4095, 10_007]) {
        const pieces = piecesOf(small.file, { data, parity }, { stepBytes });
        for (const [index, shard] of shards.entries()) {
          assert.ok(Buffer.concat(pieces[index] ?? []).equals(shard), `${data} + ${parity}: shard ${index}`);
        }
      }
    }
  });

  test('only the shards that are wanted are made', () => {
    const all = smallShards(3, 2);
    for (const wanted of [[1], [4], [0, 3], [2, 4], [3, 4]]) {
      const pieces = piecesOf(small.file, { data: 3, parity: 2 }, { wanted });
      for (const [index, shard] of all.entries()) {
        const expected = wanted.includes(index) ? shard : Buffer.alloc(0);
        assert.ok(Buffer.concat(pieces[index] ?? []).equals(expected), `${index} of ${wanted}`);
      }
    }
  });

  test('a lead stands before every 4,096 rows, and nowhere else', () => {
    for (const rows of [rowsPerGroup, rowsPerGroup + 1]) {
      const archive = longArchive(rows);
      const [shard] = piecesOf(archive, { data: 1, parity: 1 }, { wanted: [0] });
      const bytes = Buffer.concat(shard ?? []);
      const leads = rows > rowsPerGroup ? 2 : 1;
      assert.equal(bytes.length, (rows + 2 * leads + 2) * blockBytes);
      for (let row = 0; row < rows; row += 1) {
        const at = row * blockBytes;
        assert.equal(archive.compare(bytes, rowOffset(row), rowOffset(row) + blockBytes, at, at + blockBytes), 0);
      }
      for (let lead = 0; lead < leads; lead += 1) {
        const at = lead * (rowsPerGroup + 2) * blockBytes;
        assert.equal(bytes.toString('latin1', at + 32, at + 40), 'HOLDSHRD');
        assert.equal(bytes.readUInt32LE(at + 16), lead * rowsPerGroup);
        assert.equal(bytes[at + 28], 4);
        assert.ok(bytes.subarray(at + blockBytes, at + 2 * blockBytes).equals(archive.subarray(0, blockBytes)));
      }
    }
  });
});

describe('what is handed on', () => {
  /** Blocks of each piece of a shard. */
  const sizesOf = (pieces: readonly Uint8Array[] | undefined) => pieces?.map(({ length }) => length / blockBytes);

  test('is 64 rows at a time, the leads with them', () => {
    for (const [rows, expected] of [
      [62, [66]],
      [63, [67]],
      [64, [66, 2]],
      [65, [66, 3]],
      [130, [66, 64, 4]],
    ] as const) {
      const pieces = piecesOf(longArchive(3 * rows), { data: 3, parity: 1 });
      for (const one of pieces) assert.deepEqual(sizesOf(one), expected);
      const bytes = Buffer.concat(pieces[2] ?? []);
      for (let row = 0; row < rows; row += 1) assert.equal(bytes.readUInt32LE(rowOffset(row)), 3 * row + 2);
    }
  });

  test('is 4 MiB of all data shards at most', () => {
    // 4 MiB are 1,024 blocks: 51 rows of 20 blocks, 5 of 200.
    for (const [data, rows] of [
      [16, 64],
      [17, 60],
      [20, 51],
      [200, 5],
    ] as const) {
      const archive = longArchive(data * (rows + 1));
      const pieces = piecesOf(archive, { data, parity: 1 }, { wanted: [1] });
      assert.deepEqual(sizesOf(pieces[1]), [rows + 2, 3]);
    }
  });

  test('is in memory that nobody else has, and no more than it needs', () => {
    const pieces = piecesOf(longArchive(3 * 130), { data: 3, parity: 1 });
    const memories = pieces.flat().map(({ buffer }) => buffer);
    assert.equal(new Set(memories).size, memories.length);
    for (const { byteLength } of memories) assert.equal(byteLength, 68 * blockBytes);
    for (const piece of pieces.flat()) assert.equal(piece.constructor, Uint8Array);
  });
});

describe('what is not spread', () => {
  const shape = { data: 2, parity: 1 };
  const notAnArchive = { code: 'archive.not_an_archive', message: 'only archives can be spread over storages' };
  const encode = (bytes: Uint8Array) => () => piecesOf(bytes, shape);

  test('an archive of two copies', () => {
    assert.throws(encode(blocky({ copies: 2 }).file), {
      code: 'usage.invalid',
      message: 'an archive of 2 copies cannot be spread: its number of copies is sealed into it',
    });
  });

  test('less than a block, and no whole number of blocks', () => {
    const encoder = new SpreadEncoder({ shape, emit: () => assert.fail('nothing is handed on') });
    assert.throws(() => encoder.finish(), notAnArchive);
    assert.throws(encode(small.file.subarray(0, blockBytes - 1)), notAnArchive);
    assert.throws(encode(small.file.subarray(0, -1)), notAnArchive);
    assert.throws(encode(small.file.subarray(0, 2 * blockBytes + 1)), notAnArchive);
  });

  test('what begins with something else than the first header', () => {
    for (let block = 1; block < smallBlocks; block += 1) {
      assert.throws(encode(small.file.subarray(block * blockBytes)), notAnArchive, `block ${block}`);
    }
    for (const kind of [1, 2, 3, 4, 7]) assert.throws(encode(changed({ at: 28, byte: kind })), notAnArchive);
    assert.throws(encode(changed({ at: 16, byte: 1 })), notAnArchive, 'another position');
    assert.throws(encode(changed({ at: 32 + 48, byte: 0 }, { at: 32 + 49, byte: 0 })), notAnArchive, 'no length');
    const wrong = Buffer.from(small.file).fill(7, 4000, 4001);
    assert.throws(encode(wrong), notAnArchive, 'a wrong hash');
    // Refused as soon as the block is there.
    const encoder = new SpreadEncoder({ shape, emit: () => undefined });
    encoder.push(wrong.subarray(0, blockBytes - 1));
    assert.throws(() => encoder.push(wrong.subarray(blockBytes - 1, blockBytes)), notAnArchive);
  });

  test('as what cannot be', () => {
    for (const none of [
      { data: 0, parity: 1 },
      { data: 3, parity: 0 },
    ]) {
      assert.throws(() => new SpreadEncoder({ shape: none, emit: () => undefined }), { code: 'ERR_ASSERTION' });
    }
  });
});

/** The small archive with other bytes in its first block, whose hash is right again. */
function changed(...changes: readonly { readonly at: number; readonly byte: number }[]): Buffer {
  const archive = Buffer.from(small.file);
  for (const { at, byte } of changes) archive[at] = byte;
  hashBlock(archive.subarray(0, blockBytes));
  return archive;
}
