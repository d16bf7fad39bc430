import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { blocksOf, damagedShards, open, readBlocks, rowsRead } from '../../../test/archive/open-shards.ts';
import { ShardFile, small, smallBlocks, smallShards } from '../../../test/archive/shard-files.ts';
import { blocky } from '../../../vectors/generators/vector.ts';
import { HoldfastError } from '../../errors.ts';

const three = smallShards(3, 2);

describe('storages', () => {
  const failing = (bytes: Buffer, isFailing: () => boolean) => {
    const file = new ShardFile(bytes);
    file.onRead = () => {
      if (isFailing()) throw new HoldfastError('storage.unavailable');
    };
    return file;
  };
  const [a, b, c, d, e] = three as [Buffer, Buffer, Buffer, Buffer, Buffer];

  test('that do not answer are passed over, as long as the others are enough', async () => {
    const opened = await open([failing(a, () => true), b, failing(c, () => true), d, e]);
    assert.ok((await readBlocks(opened.access, 3, 3)).equals(blocksOf(small.file, 3, 3)));
    assert.deepEqual(rowsRead(opened), [[], [[1, 1]], [], [[1, 1]], [[1, 1]]]);
  });

  test('may have what is wanted: what is not lost yet is no damage', async () => {
    let isFailing = false;
    const { access } = await open([failing(a, () => isFailing), failing(b, () => isFailing), c, undefined, e]);
    isFailing = true;
    await assert.rejects(readBlocks(access, 0, smallBlocks), { code: 'storage.unavailable' });
    await assert.rejects(readBlocks(access, 4, 1), { code: 'storage.unavailable' });
    assert.equal(access.unsolvedCount, 0);
    // What is there is given.
    assert.ok((await readBlocks(access, 5, 1)).equals(blocksOf(small.file, 5, 1)));
    assert.ok((await readBlocks(access, 0, 3)).equals(blocksOf(small.file, 0, 3)));
  });

  test('that are slow are passed over after 15 seconds unless told, and give what they have where it must be', async () => {
    const pauses: number[] = [];
    let isSlow = false;
    const pause = async (durationMs: number) => {
      pauses.push(durationMs);
      await new Promise((resolve) => setImmediate(resolve));
    };
    const gates: (() => void)[] = [];
    const slow = (bytes: Buffer) => {
      const file = new ShardFile(bytes);
      file.onRead = () => {
        if (!isSlow) return;
        return new Promise((resolve) => gates.push(resolve));
      };
      return file;
    };
    const enough = await open([slow(a), b, c, d, e], { pause });
    assert.deepEqual([...new Set(pauses)], [15_000]);
    isSlow = true;
    assert.ok((await readBlocks(enough.access, 3, 3)).equals(blocksOf(small.file, 3, 3)));
    assert.deepEqual(rowsRead(enough), [[[1, 1]], [[1, 1]], [[1, 1]], [[1, 1]], []]);
    // From then on it is asked no more.
    assert.ok((await readBlocks(enough.access, 6, 3)).equals(blocksOf(small.file, 6, 3)));
    assert.equal(enough.files[0]?.reads.length, 1);

    // One that is slow only when it is asked for the sake of another.
    isSlow = false;
    const lost = damagedShards(three, { wiped: [[1, 1]] })[1];
    const helped = await open([slow(a), lost, c, d, e], { pause });
    isSlow = true;
    assert.ok((await readBlocks(helped.access, 4, 1)).equals(blocksOf(small.file, 4, 1)));
    assert.deepEqual(
      rowsRead(helped),
      three.map(() => [[1, 1]]),
    );

    for (const late of [0, 1]) {
      isSlow = false;
      pauses.length = 0;
      const shards = [a, b].map((shard, index) => (index === late ? slow(shard) : shard));
      const needed = await open([...shards, undefined, d], { pause, slowAfterMs: 7 });
      assert.deepEqual([...new Set(pauses)], [7]);
      isSlow = true;
      gates.length = 0;
      const reading = readBlocks(needed.access, 2, 7);
      while (gates.length < 2) await new Promise((resolve) => setImmediate(resolve));
      for (const open of gates) open();
      // Its blocks are there after all, and what is missing beside them is solved with them.
      assert.ok((await reading).equals(blocksOf(small.file, 2, 7)));
      const both = [1, 2];
      const twice = [both, both];
      assert.deepEqual(rowsRead(needed), [late === 0 ? twice : [both], late === 1 ? twice : [both], [], [both]]);
      assert.equal(needed.access.unsolvedCount, 0);
    }
  });
});

describe('too few shards', () => {
  test('are told by their numbers and their places, with what else was found', async () => {
    const others = smallShards(3, 2, blocky({ copies: 1, seed: 'others' }).file);
    const places = ['near', 'far', 'farther', 'off', 'away'];
    const opening = open([three[0], undefined, others[2], three[3]], { places });
    await assert.rejects(opening, (error: unknown) => {
      assert.ok(error instanceof HoldfastError);
      assert.equal(error.code, 'archive.damaged');
      assert.match(
        error.message,
        /^2 of the 3 shards that are needed are there: missing are 2 \(far\), 3 \(farther\), 5/,
      );
      assert.match(error.message, /\(away\) of 5; shard 2: it is of the archive [0-9a-f]{32}$/);
      assert.deepEqual(error.context, { missingShards: [2, 3, 5], neededShards: 3 });
      return true;
    });
    // As many as are needed are enough.
    await open([three[0], undefined, undefined, three[3], three[4]]);
  });
});
