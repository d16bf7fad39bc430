import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ending, locate, only } from '../../../test/archive/locate-files.ts';
import { blockBytes, smallShards } from '../../../test/archive/shard-files.ts';

describe('the length of the archive', () => {
  const shards = smallShards(3, 2);

  test('is what most ends say', async () => {
    const [a, b, c, d, e] = shards as [Buffer, Buffer, Buffer, Buffer, Buffer];
    assert.equal((await locate([ending(a, 14), b, c])).layout.totalBlocks, 13);
    assert.equal((await locate([ending(a, 14), ending(b, 14), c, ending(d, 14), e])).layout.totalBlocks, 14);
  });

  test('is told by the sizes where no end is whole, or what they say cannot be', async () => {
    for (const totalBlocks of [1, 9_000_000_000]) {
      const ends = shards.map((shard) => ending(shard, totalBlocks));
      assert.equal((await locate(ends)).layout.totalBlocks, totalBlocks > 1 ? 9_000_000_000 : 13);
    }
    const headless = shards.map((shard) => only(shard, 0, 1));
    assert.equal((await locate(headless)).layout.totalBlocks, 13);
  });

  test('is the one that fits the sizes of most shards', async () => {
    // Rows of 13 blocks in three data shards: 5, 4, 4.
    const cutTo = (shard: Buffer | undefined, rows: number) =>
      Buffer.alloc((rows + 4) * blockBytes, shard?.subarray(0, 8192));
    const located = async (rows: readonly number[]) => {
      const cut = shards.map((shard, index) => only(cutTo(shard, rows[index] ?? 0), 0, 1));
      return (await locate(cut)).layout.totalBlocks;
    };
    assert.equal(await located([5, 4, 4, 5, 5]), 13);
    assert.equal(await located([5, 5, 4, 5, 5]), 14);
    assert.equal(await located([5, 5, 5, 5, 5]), 15);
    // One that is cut, or two: the others tell.
    assert.equal(await located([5, 4, 2, 5, 5]), 13);
    assert.equal(await located([2, 4, 4, 5, 5]), 13);
    assert.equal(await located([5, 5, 2, 2, 5]), 15);
    // One that is too long, by a little or much.
    assert.equal(await located([5, 5, 5, 6, 5]), 15);
    assert.equal(await located([5, 4, 4, 90, 5]), 13);
    assert.equal(await located([90, 4, 4, 5, 5]), 13);
    // Where as many say one thing as another the archive is the longer one.
    assert.equal(await located([5, 5, 4, 4, 5]), 14);
    assert.equal(await located([4, 4, 5, 5, 9]), 15);
  });
});
