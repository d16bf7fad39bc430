import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ending, endless, locate, only } from '../../../test/archive/locate-files.ts';
import { plainHeader } from '../../../test/archive/plain-copy.ts';
import {
  blockBytes,
  longArchive,
  longShards,
  patience,
  ShardFile,
  small,
  smallBlocks,
  smallShards,
  wipeBlocks,
} from '../../../test/archive/shard-files.ts';
import { blockKind, sealBlock } from '../heal/block.ts';
import { Layout } from '../heal/geometry.ts';
import { layoutByLastBlocks } from './last-blocks.ts';
import { Shard } from './shard.ts';
import { leadBlocks } from './shard-format.ts';

describe('the length of the archive', () => {
  const shards = smallShards(3, 2);

  test('is what most ends say', async () => {
    const [a, b, c, d, e] = shards as [Buffer, Buffer, Buffer, Buffer, Buffer];
    assert.equal((await locate([ending(a, 14), b, c])).layout.totalBlocks, 13);
    assert.equal((await locate([ending(a, 14), ending(b, 14), c, ending(d, 14), e])).layout.totalBlocks, 14);
    // Of as many, the longest.
    assert.equal((await locate([ending(a, 12), b])).layout.totalBlocks, 13);
    assert.equal((await locate([b, ending(a, 14)])).layout.totalBlocks, 14);
  });

  test('is no more than twice what the largest shard and sixteen rows hold, whatever all ends say', async () => {
    const pair = smallShards(1, 1);
    const told = async (totalBlocks: number) =>
      (await locate(pair.map((shard) => ending(shard, totalBlocks)))).layout.totalBlocks;
    const most = 2 * (smallBlocks + 16);
    assert.equal(await told(most), most);
    assert.equal(await told(most + 1), smallBlocks);
    // Of three data shards each holds a third.
    const three = smallShards(3, 2).map((shard) => ending(shard, 110));
    assert.equal((await locate(three)).layout.totalBlocks, 110);
  });

  test('is told by the last blocks where no end is whole, or what they say cannot be', async () => {
    for (const totalBlocks of [1, 9_000_000_000]) {
      const ends = shards.map((shard) => ending(shard, totalBlocks));
      assert.equal((await locate(ends)).layout.totalBlocks, smallBlocks);
    }
    // Rows of 13 blocks in three data shards: 5, 4, 4. Any of the last six blocks will do; sizes alone will not.
    for (const [index, row] of [
      [1, 2],
      [2, 2],
      [0, 3],
      [1, 3],
      [2, 3],
      [0, 4],
    ]) {
      const headless = shards.map((shard, place) => only(shard, 0, 1, ...(place === index ? [2 + (row ?? 0)] : [])));
      assert.equal((await locate(headless)).layout.totalBlocks, smallBlocks, `row ${row} of shard ${index}`);
    }
    await assert.rejects(locate(shards.map((shard) => only(shard, 0, 1))), endless);
  });

  test('is looked for where the sizes say, and is no matter of what else they say', async () => {
    const located = async (rows: readonly number[]) => {
      const resized = shards.map((shard, index) => {
        const rowsOf = shard.subarray(0, shard.length - 2 * blockBytes);
        const copy = Buffer.alloc(((rows[index] ?? 0) + 4) * blockBytes);
        rowsOf.copy(copy, 0, 0, copy.length - 2 * blockBytes);
        return copy;
      });
      return (await locate(resized)).layout.totalBlocks;
    };
    for (const rows of [
      [5, 4, 4, 5, 5],
      // Some are cut.
      [5, 4, 2, 5, 5],
      [2, 4, 4, 5, 5],
      [5, 2, 2, 5, 5],
      [5, 4, 4, 1, 1],
      // Some are too long, by a little or much.
      [5, 5, 5, 6, 5],
      [5, 4, 4, 90, 5],
      [90, 4, 4, 5, 5],
      [90, 91, 4, 5, 5],
      // All are cut, and a block is left that tells how long they were.
      [3, 3, 3, 3, 3],
    ]) {
      assert.equal(await located(rows), smallBlocks, `${rows}`);
    }
    await assert.rejects(located([2, 2, 2, 2, 2]), endless);
  });

  test('is never that of the bands before a cut', async () => {
    // A full band, in which 838 blocks would be an archive, and another one.
    const archive = longArchive(740);
    for (const [data, parity] of [
      [1, 1],
      [2, 1],
      [2, 2],
    ] as const) {
      const all = longShards(data, parity, archive);
      for (const lost of [[], [0]]) {
        const cut = all.map((shard, index) =>
          lost.includes(index) ? undefined : shard.subarray(0, (Math.ceil(838 / data) + 4) * blockBytes),
        );
        await assert.rejects(locate(cut, { shape: { data, parity } }), endless, `${data} + ${parity}`);
      }
    }
  });

  test('is solved where its last blocks are in missing shards', async () => {
    // One band that is not full, and one behind a full one.
    for (const dataBlocks of [1, 100, 641, 740]) {
      const archive = longArchive(dataBlocks);
      for (const [data, parity] of [
        [1, 1],
        [1, 2],
        [2, 2],
        [3, 4],
      ] as const) {
        const left = longShards(data, parity, archive).map((shard, index) => (index < data ? undefined : shard));
        for (const shard of left) if (shard !== undefined) wipeBlocks(shard, shard.length / blockBytes - 2);
        const { layout } = await locate(left, { shape: { data, parity } });
        assert.equal(layout.totalBlocks, archive.length / blockBytes, `${dataBlocks} in ${data} + ${parity}`);
      }
    }
  });

  test('is solved with what is left of data shards', async () => {
    for (const [dataBlocks, data, parity, missing] of [
      // The last data block is whole, and the one behind it is solved.
      [100, 2, 1, 1],
      [641, 2, 1, 1],
      [641, 3, 1, 2],
      // It is solved itself, with a header in the same row.
      [1, 2, 2, 1],
      [641, 3, 2, 1],
    ] as const) {
      const archive = longArchive(dataBlocks);
      const last = new Layout(dataBlocks, { dataBlocks: 10, parityBlocks: 3 }).dataPosition(dataBlocks - 1);
      const left = longShards(data, parity, archive).map((shard, index) => {
        if (index === missing) return undefined;
        // Of data shards nothing is left behind the last data.
        const firstLost = index < data ? Math.floor((last - index) / data) + 1 : shard.length / blockBytes - 4;
        return Buffer.from(shard).fill(0, (firstLost + leadBlocks) * blockBytes);
      });
      const { layout } = await locate(left, { shape: { data, parity } });
      assert.equal(layout.totalBlocks, archive.length / blockBytes, `${dataBlocks} in ${data} + ${parity}`);
    }
  });

  test('is told by any one block, wherever what is read at once begins and ends', async () => {
    const archive = longArchive(740);
    const rows = archive.length / blockBytes;
    const [whole, parity] = longShards(1, 1, archive) as [Buffer, Buffer];
    for (const row of [rows - 127, rows - 128, rows - 1]) {
      const located = await locate([only(whole, 0, 1, leadBlocks + row), only(parity, 0, 1)]);
      assert.equal(located.layout.totalBlocks, rows, `row ${row}`);
    }
  });

  test('is not told by parity of a band without data', async () => {
    const block = Buffer.alloc(blockBytes);
    sealBlock(block, small.id, { position: 7, bandDataBlocks: 0, kind: blockKind.parity, ordinal: 0 });
    const left = shards.map((shard) => only(shard, 0, 1));
    block.copy(left[1] as Buffer, (leadBlocks + 2) * blockBytes);
    await assert.rejects(locate(left), endless);
  });

  test('is not solved where more is there than that, or too little', async () => {
    const archive = longArchive(100);
    const [, parity] = longShards(1, 1, archive) as [Buffer, Buffer];
    const rows = archive.length / blockBytes;
    const endOnly = Buffer.from(parity);
    wipeBlocks(endOnly, rows + 2);
    assert.equal((await locate([undefined, endOnly])).layout.totalBlocks, rows);
    // A row more than the archive has.
    await assert.rejects(locate([undefined, Buffer.concat([endOnly, Buffer.alloc(blockBytes)])]), endless);
    const wide = longShards(2, 2, archive).map((shard, index) => {
      return index < 2 ? undefined : Buffer.concat([shard.subarray(0, -2 * blockBytes), Buffer.alloc(3 * blockBytes)]);
    });
    await assert.rejects(locate(wide), endless);
    // A writer laid a block over them that was damaged: it holds no data, and the archive would end there.
    const damagedBefore = longShards(1, 1, Buffer.from(archive).fill(0, 60 * blockBytes, 61 * blockBytes))[1] as Buffer;
    wipeBlocks(damagedBefore, rows + 2, 2 + 102);
    await assert.rejects(locate([undefined, damagedBefore]), endless);
    // The block behind the last data is lost: it may have been data.
    const holed = Buffer.from(endOnly);
    wipeBlocks(holed, 2 + 103);
    await assert.rejects(locate([undefined, holed]), endless);
    // A full band may have had others behind it.
    const [, full] = longShards(1, 1, longArchive(640)) as [Buffer, Buffer];
    wipeBlocks(full, full.length / blockBytes - 2);
    await assert.rejects(locate([undefined, full]), endless);
  });

  test('is looked for in as many blocks as parity can have, however large a shard says that it is', async () => {
    const bytesAt = (offset: number) => (offset === 0 ? (shards[0] as Buffer).subarray(0, 2 * blockBytes) : none);
    const none = Buffer.alloc(1024 * blockBytes);
    const files = Array.from({ length: 5 }, (_, index) => new ShardFile({ sizeBytes: 2 ** (40 + index), bytesAt }));
    await assert.rejects(locate(files), endless);
    const blocks = files[0]?.reads.reduce((sum, [, count]) => sum + count, 0) ?? 0;
    assert.ok(blocks < 600, `${blocks} blocks were read`);
  });

  test('is looked for at the sizes that most have, behind them by a row, and before them as far as parity reaches', async () => {
    /** First row and count of each read of the first shard, the longest of some in which nothing is left. */
    const readsOf = async (data: number, ...rowCounts: readonly number[]) => {
      const files = rowCounts.map((rows) => {
        const nothing = Buffer.alloc(128 * blockBytes);
        return new ShardFile({ sizeBytes: (rows + 2 * leadBlocks) * blockBytes, bytesAt: () => nothing });
      });
      const shards = files.map((access, index) => new Shard({ access, label: '', index }, patience));
      // Nobody else tells: those that are slow are waited for.
      for (const shard of shards) shard.isSlow = true;
      const header = { header: plainHeader(1), body: Buffer.alloc(0) };
      assert.equal(await layoutByLastBlocks({ header, shape: { data, parity: 6 }, shards }), undefined);
      return files[0]?.reads.map(([first, count]) => [first - leadBlocks, count]);
    };
    // 128 blocks of parity and 6 of headers; 128 blocks at a time.
    const behindOne = [
      [873, 128],
      [864, 9],
    ];
    assert.deepEqual(await readsOf(1, 1000), behindOne);
    const behindThree = [
      [959, 42],
      [953, 6],
    ];
    assert.deepEqual(await readsOf(3, 1000), behindThree);
    assert.deepEqual(
      await readsOf(200, 1000),
      [1000, 999, 998, 997].map((row) => [row, 1]),
    );
    assert.deepEqual(await readsOf(3, 5), [[0, 6]]);
    const sizesTried = async (...rowCounts: readonly number[]) =>
      (await readsOf(50, ...rowCounts))?.filter((_, index) => index % 3 === 0).map(([first = 0]) => first + 1);
    assert.deepEqual(await sizesTried(53, 52, 51, 50), [53, 51]);
    assert.deepEqual(await sizesTried(90, 60, 70, 60), [60, 90, 70]);
    // Of equally many the longest first, wherever they are, and eight at most.
    const shorter = Array.from({ length: 8 }, (_, index) => 60 + 2 * index);
    assert.deepEqual(await sizesTried(76, ...shorter), [76, 74, 72, 70, 68, 66, 64, 62]);
  });
});
