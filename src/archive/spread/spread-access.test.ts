import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { blocksOf, damagedShards, lead, open, readBlocks, rowsRead } from '../../../test/archive/open-shards.ts';
import {
  blockBytes,
  longArchive,
  longShards,
  ShardFile,
  small,
  smallBlocks,
  smallShards,
  wipeBlocks,
} from '../../../test/archive/shard-files.ts';
import { blocky } from '../../../vectors/generators/vector.ts';
import { hashBlock } from '../../../vectors/reference-writer.ts';

const three = smallShards(3, 2);

describe('an archive over shards', () => {
  test('tells what it is', async () => {
    const places = ['a', 'b', 'c', 'd', 'e'];
    const { access } = await open(three, { places });
    assert.deepEqual(access.shape, { data: 3, parity: 2 });
    assert.equal(access.sizeBytes, small.file.length);
    assert.equal(access.rowCount, 5);
    assert.ok(Buffer.from(access.archiveId).equals(small.id));
    assert.equal(access.spread, access);
    assert.equal(access.places, places);
    assert.deepEqual((await open(three)).access.places, []);
    assert.equal((await open(smallShards(13, 1))).access.rowCount, 1);
    assert.equal((await open(smallShards(14, 1))).access.rowCount, 1);
    assert.equal((await open(smallShards(12, 1))).access.rowCount, 2);
  });

  test('is better read in order where one of its shards is', async () => {
    const { access, files } = await open(damagedShards(three, { lost: [0] }));
    assert.equal(access.isSequential, false);
    Object.assign(files.find((file) => file !== undefined) ?? {}, { isSequential: true });
    assert.equal(access.isSequential, true);
  });

  test('gives any range, of whatever shards are left', async () => {
    for (const lost of [[], [0], [1, 2], [0, 4], [3, 4]]) {
      const { access } = await open(damagedShards(three, { lost }));
      for (let offset = 0; offset < small.file.length + 9000; offset += 1777) {
        for (const length of [0, 1, 2500, 4096, 20_000]) {
          const into = Buffer.alloc(length, 0xee);
          const expected = small.file.subarray(offset, offset + length);
          assert.equal(await access.read(offset, into), expected.length);
          assert.ok(into.subarray(0, expected.length).equals(expected), `${length} at ${offset} without ${lost}`);
          assert.ok(into.subarray(expected.length).every((byte) => byte === 0xee));
        }
      }
      assert.equal(access.unsolvedCount, 0);
    }
  });

  test('is closed with its shards, but for those of other archives', async () => {
    const others = smallShards(3, 2, blocky({ copies: 1, seed: 'others' }).file);
    const { access, files } = await open([three[0], others[1], three[2], three[3]]);
    await access.close();
    assert.deepEqual(
      files.map((file) => file?.isClosed),
      [true, false, true, true],
    );
  });
});

describe('what is read of shards', () => {
  test('are the rows that are asked for, of the shards that have them', async () => {
    const opened = await open(three);
    const readAt = async (offset: number, length: number) => {
      for (const file of opened.files) file?.reads.splice(0);
      await opened.access.read(offset, Buffer.alloc(length));
      return rowsRead(opened);
    };
    assert.deepEqual(await readAt(4 * blockBytes, 1), [[], [[1, 1]], [], [], []]);
    assert.deepEqual(await readAt(4 * blockBytes - 1, 2), [[[1, 1]], [[1, 1]], [], [], []]);
    assert.deepEqual(await readAt(4 * blockBytes, 3 * blockBytes), [[[2, 1]], [[1, 1]], [[1, 1]], [], []]);
    assert.deepEqual(await readAt(4 * blockBytes, 3 * blockBytes + 1), [[[2, 1]], [[1, 2]], [[1, 1]], [], []]);
    assert.deepEqual(await readAt(0, small.file.length), [[[0, 5]], [[0, 4]], [[0, 4]], [], []]);
    assert.deepEqual(await readAt(small.file.length, 10), [[], [], [], [], []]);
    assert.deepEqual(
      opened.access.shards.map((shard) => [...(shard?.seen.gaps(0, 5) ?? [])].length),
      [0, 1, 1, 1, 1],
    );
  });

  test('is at most 4 MiB at once, and its memory is given back', async () => {
    // 1,024 blocks are 341 rows of three, and 1,023 blocks.
    const archive = longArchive(800);
    const blocks = archive.length / blockBytes;
    const shards = longShards(3, 2, archive);
    for (const lost of [[], [1]]) {
      const memories: ArrayBufferLike[] = [];
      const kept = damagedShards(shards, { lost }).map((shard) => {
        if (shard === undefined) return undefined;
        const file = new ShardFile(shard);
        const read = file.read.bind(file);
        file.read = (offset, into) => {
          memories.push(into.buffer);
          return read(offset, into);
        };
        return file;
      });
      const opened = await open(kept);
      memories.length = 0;
      assert.ok((await readBlocks(opened.access, 0, blocks)).equals(archive));
      const rows = [0, 1, 2].map((index) => Math.ceil((blocks - index) / 3));
      const whole = rows.map((count) => [
        [0, 341],
        [341, count - 341],
      ]);
      // For the first row and the last no parity is read: what is missing of them are header blocks.
      const parity = [
        [1, 340],
        [341, (rows[1] ?? 0) - 1 - 341],
      ];
      const expected = lost.length === 0 ? [...whole, [], []] : [whole[0], [], whole[2], parity, []];
      assert.deepEqual(rowsRead(opened), expected);
      assert.ok(memories.length >= 6);
      // What is below 256 KiB is left to the collection.
      for (const { byteLength } of memories) assert.ok(byteLength < 256 * 1024, `${byteLength} bytes`);
      for (const file of opened.files) file?.reads.splice(0);
      assert.ok((await readBlocks(opened.access, 1000, 30)).equals(blocksOf(archive, 1000, 30)));
      if (lost.length === 0)
        assert.deepEqual(rowsRead(opened)[0], [
          [334, 7],
          [341, 3],
        ]);
    }
  });

  test('goes on at every 4 MiB of the archive, wherever a read begins', async () => {
    const archive = longArchive(1700);
    const opened = await open(longShards(1, 1, archive));
    const into = Buffer.alloc(1100 * blockBytes);
    assert.equal(await opened.access.read(200 * blockBytes + 100, into), into.length);
    const from = 200 * blockBytes + 100;
    assert.ok(into.equals(archive.subarray(from, from + into.length)));
    assert.deepEqual(rowsRead(opened), [
      [
        [200, 824],
        [1024, 277],
      ],
      [],
    ]);
  });

  test('is as many rows as fit where rows are long', async () => {
    const archive = longArchive(190);
    const opened = await open(longShards(200, 1, archive));
    // A row of 200 is a fifth of that.
    assert.ok((await readBlocks(opened.access, 0, archive.length / blockBytes)).equals(archive));
    assert.deepEqual(rowsRead(opened)[0], [[0, Math.ceil(archive.length / blockBytes / 200)]]);
  });
});

describe('a block that is lost', () => {
  test('is solved from the other blocks of its row: data shards first, then as many parity shards as it needs', async () => {
    // Blocks 3 to 5 are row 1.
    const one = await open(damagedShards(three, { wiped: [[1, 1]] }));
    assert.ok((await readBlocks(one.access, 4, 1)).equals(blocksOf(small.file, 4, 1)));
    assert.deepEqual(rowsRead(one), [[[1, 1]], [[1, 1]], [[1, 1]], [[1, 1]], []]);
    assert.deepEqual(
      one.access.shards.map((shard) => shard?.damagedCount),
      [0, 1, 0, 0, 0],
    );
    const two = await open(damagedShards(three, { lost: [3], wiped: [[1, 1]] }));
    assert.ok((await readBlocks(two.access, 3, 3)).equals(blocksOf(small.file, 3, 3)));
    assert.deepEqual(rowsRead(two), [[[1, 1]], [[1, 1]], [[1, 1]], [], [[1, 1]]]);
    const both = await open(
      damagedShards(three, {
        wiped: [
          [0, 1],
          [2, 1],
        ],
      }),
    );
    assert.ok((await readBlocks(both.access, 3, 3)).equals(blocksOf(small.file, 3, 3)));
    assert.deepEqual(rowsRead(both), [[[1, 1]], [[1, 1]], [[1, 1]], [[1, 1]], [[1, 1]]]);
    for (const { access } of [one, two, both]) assert.equal(access.unsolvedCount, 0);
  });

  test('is solved with others, row by row, in one read of each shard from the first to the last of them', async () => {
    const wiped = [
      [0, 1],
      [1, 2],
      [2, 2],
      [0, 3],
    ] as const;
    const opened = await open(damagedShards(three, { wiped }));
    assert.ok((await readBlocks(opened.access, 0, smallBlocks)).equals(small.file));
    assert.deepEqual(rowsRead(opened), [[[0, 5]], [[0, 4]], [[0, 4]], [[1, 3]], [[1, 3]]]);
  });

  test('and what of the same rows was read for it only in part is read anew', async () => {
    const opened = await open(
      damagedShards(three, {
        wiped: [
          [1, 1],
          [0, 2],
        ],
      }),
    );
    // Blocks 4 to 6: row 1 from its second block on, and the first of row 2.
    assert.ok((await readBlocks(opened.access, 4, 3)).equals(blocksOf(small.file, 4, 3)));
    const both = [
      [1, 1],
      [1, 2],
    ];
    assert.deepEqual(rowsRead(opened), [
      [
        [2, 1],
        [1, 2],
      ],
      both,
      both,
      [[1, 2]],
      [],
    ]);
  });

  test('is asked of a second parity shard where the first one has lost that row too', async () => {
    const opened = await open(
      damagedShards(three, {
        wiped: [
          [1, 1],
          [3, 1],
        ],
      }),
    );
    assert.ok((await readBlocks(opened.access, 4, 1)).equals(blocksOf(small.file, 4, 1)));
    assert.deepEqual(rowsRead(opened), [[[1, 1]], [[1, 1]], [[1, 1]], [[1, 1]], [[1, 1]]]);
  });

  test('of the header is made from the header, and nothing is read for it', async () => {
    const headers = [
      [0, 0],
      [1, 0],
      [2, 0],
      [1, 3],
      [2, 3],
      [0, 4],
    ] as const;
    const opened = await open(damagedShards(three, { lost: [3, 4], wiped: headers }));
    assert.ok((await readBlocks(opened.access, 0, smallBlocks)).equals(small.file));
    assert.deepEqual(rowsRead(opened), [[[0, 5]], [[0, 4]], [[0, 4]], [], []]);
    assert.deepEqual(
      opened.access.shards.map((shard) => shard?.damagedCount),
      [2, 2, 2, undefined, undefined],
    );
  });

  test('of a row that ends early, or has blocks of the header, needs fewer others', async () => {
    // Row 3 holds the last parity of the archive, and two blocks of the final header: zeros to the code.
    const opened = await open(damagedShards(three, { lost: [1, 2], wiped: [[0, 3]] }));
    assert.ok((await readBlocks(opened.access, 9, 1)).equals(blocksOf(small.file, 9, 1)));
    assert.deepEqual(rowsRead(opened), [[[3, 1]], [], [], [[3, 1]], []]);
    // Over five, row 1 holds blocks 5 to 9, row 2 three of the final header and nothing; over four, row 3 one.
    for (const [data, lost] of [
      [5, [0, 4]],
      [4, [0, 3]],
      [7, [5, 6]],
    ] as const) {
      const { access } = await open(damagedShards(smallShards(data, 2), { lost }));
      assert.ok((await readBlocks(access, 0, smallBlocks)).equals(small.file));
    }
  });

  test('in the last row but one takes no shard for longer than it is', async () => {
    // Fourteen blocks over five: the last shard of data has two rows, the others three.
    const archive = longArchive(5);
    const opened = await open(damagedShards(longShards(5, 1, archive), { lost: [0] }));
    assert.ok((await readBlocks(opened.access, 0, 14)).equals(archive));
    const whole = [[0, 3]];
    // Of the first row the header is missing alone.
    assert.deepEqual(rowsRead(opened), [
      [],
      whole,
      whole,
      whole,
      [
        [0, 2],
        [1, 1],
      ],
      [[1, 2]],
    ]);
    assert.deepEqual(
      opened.access.shards.map((shard) => shard?.damagedCount),
      [undefined, 0, 0, 0, 0, 0],
    );
  });

  test('is left as it stands where too few others are there, and counted', async () => {
    const wiped = [
      [0, 1],
      [1, 1],
      [2, 1],
      [1, 2],
    ] as const;
    const opened = await open(damagedShards(three, { wiped }));
    const expected = Buffer.from(small.file);
    wipeBlocks(expected, 3, 4, 5);
    assert.ok((await readBlocks(opened.access, 0, smallBlocks)).equals(expected));
    assert.equal(opened.access.unsolvedCount, 3);
    await readBlocks(opened.access, 4, 1);
    assert.equal(opened.access.unsolvedCount, 4);
    // What stands there, though it is not what it was.
    const changed = three.map((shard) => Buffer.from(shard));
    for (const shard of changed) shard[(1 + lead) * blockBytes + 100] = 7;
    const [shard] = changed as [Buffer];
    const { access } = await open(changed);
    const from = (1 + lead) * blockBytes;
    assert.ok((await readBlocks(access, 3, 1)).equals(shard.subarray(from, from + blockBytes)));
  });

  test('that is not what its own hash says when it is solved is left as it stands', async () => {
    const forged = three.map((shard) => Buffer.from(shard));
    const parity = forged[3]?.subarray((1 + lead) * blockBytes, (2 + lead) * blockBytes) as Buffer;
    parity[500] = (parity[500] ?? 0) ^ 1;
    hashBlock(parity);
    wipeBlocks(forged[1] as Buffer, 1 + lead);
    const { access } = await open(forged);
    assert.ok((await readBlocks(access, 4, 1)).equals(Buffer.alloc(blockBytes)));
    assert.equal(access.unsolvedCount, 1);
  });
});

describe('a block is that of its place', () => {
  test('where its frame and its hash are right', async () => {
    const { access } = await open(three);
    const blockAt = (index: number, row: number) =>
      Buffer.from((three[index] as Buffer).subarray((row + lead) * blockBytes, (row + lead + 1) * blockBytes));
    for (const [index, rows] of [5, 4, 4, 5, 5].entries()) {
      for (let row = 0; row < rows; row += 1) {
        const block = blockAt(index, row);
        for (let other = 0; other < 5; other += 1) {
          for (let otherRow = 0; otherRow < (other === 1 || other === 2 ? 4 : 5); otherRow += 1) {
            const isSame = other === index && otherRow === row;
            assert.equal(access.isIntact(block, other, otherRow), isSame, `${index}/${row} as ${other}/${otherRow}`);
          }
        }
        for (const at of [0, 17, 24, 28, 29, 31, 32, 4079, 4080, 4095]) {
          const changed = Buffer.from(block);
          changed[at] = (changed[at] ?? 0) ^ 1;
          assert.ok(!access.isIntact(changed, index, row), `byte ${at} of ${index}/${row}`);
        }
      }
    }
    // Parity of the same archive in another arrangement.
    const otherwise = smallShards(3, 1);
    const parity = (otherwise[3] as Buffer).subarray(lead * blockBytes, (lead + 1) * blockBytes);
    assert.ok(!access.isIntact(parity, 3, 0));
  });

  test('and a header where it is the one that counts', async () => {
    const second = blocky({ copies: 1, generation: 2 });
    const changed = smallShards(3, 2, second.file);
    const mixed = [three[0], three[1], changed[2], three[3], three[4]];
    const { access } = await open(mixed);
    assert.equal(access.header.header.generation, 2);
    assert.ok((await readBlocks(access, 0, smallBlocks)).equals(second.file));
    assert.deepEqual(
      access.shards.map((shard) => shard?.damagedCount),
      [2, 2, 0, 0, 0],
    );
  });
});
