import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { beheaded, damaged, ending, endless, labels, locate, only } from '../../../test/archive/locate-files.ts';
import {
  blockBytes,
  patience,
  ShardFile,
  small,
  smallBlocks,
  smallShards,
  sourcesOf,
} from '../../../test/archive/shard-files.ts';
import { blocky } from '../../../vectors/generators/vector.ts';
import { hashBlock } from '../../../vectors/reference-writer.ts';
import { HoldfastError } from '../../errors.ts';
import { expectedFrame, sealBlock } from '../heal/block.ts';
import { Layout } from '../heal/geometry.ts';
import { locateShards } from './locate-shards.ts';
import { rowsPerGroup } from './shard-format.ts';

const shape = { data: 3, parity: 2 };
/** Another archive, and the same one after its keys were changed twice. */
const other = blocky({ copies: 1, seed: 'others' });
const second = blocky({ copies: 1, generation: 2 });

describe('a whole set', () => {
  test('tells its shape, its header, its outline, and which shard is which', async () => {
    const located = await locate(smallShards(3, 2));
    assert.deepEqual(located.shape, shape);
    assert.ok(Buffer.from(located.header.header.archiveId).equals(small.id));
    assert.equal(located.header.header.generation, 0);
    assert.ok(Buffer.from(located.header.body).equals(small.file.subarray(32, 4080)));
    assert.equal(located.layout.totalBlocks, smallBlocks);
    assert.deepEqual(labels(located), ['shard 0', 'shard 1', 'shard 2', 'shard 3', 'shard 4']);
    assert.deepEqual(
      located.shards.map((shard) => [shard?.index, shard?.isSlow, shard?.failure]),
      [0, 1, 2, 3, 4].map((index) => [index, false, undefined]),
    );
    assert.deepEqual(located.foreign, []);
  });

  test('is read at its start and its end, and at a second lead where there is one', async () => {
    const reads = async (blocks: number) => {
      const file = new ShardFile({ sizeBytes: blocks * blockBytes + 5, bytesAt: () => Buffer.alloc(3 * blockBytes) });
      await assert.rejects(locate([file], { shape }), damaged);
      // Those that tell nothing are read twice.
      const half = file.reads.length / 2;
      assert.deepEqual(file.reads.slice(half), file.reads.slice(0, half));
      return file.reads.slice(0, half);
    };
    assert.deepEqual(await reads(1), []);
    assert.deepEqual(await reads(2), [[0, 2]]);
    assert.deepEqual(await reads(3), [
      [0, 3],
      [1, 2],
    ]);
    assert.deepEqual(await reads(rowsPerGroup + 3), [
      [0, 3],
      [4097, 2],
    ]);
    assert.deepEqual(await reads(rowsPerGroup + 4), [
      [0, 3],
      [4098, 2],
      [4098, 2],
    ]);
  });

  test('of which shards are missing is told by those that are there', async () => {
    const located = await locate(smallShards(3, 2).map((shard, index) => (index % 2 === 0 ? shard : undefined)));
    assert.deepEqual(labels(located), ['shard 0', undefined, 'shard 2', undefined, 'shard 4']);
    assert.equal(located.layout.totalBlocks, smallBlocks);
  });
});

describe('what a shard says of itself', () => {
  const shards = smallShards(3, 2);

  test('goes before its name', async () => {
    const [a, b, c, d, e] = shards;
    const located = await locate([e, a, d, b, c]);
    assert.deepEqual(labels(located), ['shard 1', 'shard 3', 'shard 4', 'shard 2', 'shard 0']);
    const nameless = sourcesOf(shards).map(({ access, label }) => ({ access, label }));
    assert.deepEqual(labels(await locateShards(nameless, patience)), labels(await locate(shards)));
  });

  test('is enough in any of its heads, and the header in any lead or row', async () => {
    for (const kept of [
      [0, 1],
      [0, 2],
      [7, 8],
      [7, 2],
      [7, 1],
      [0, 8],
    ]) {
      // Five rows; in the first of them is the archive's first block, in the last its last, which tells the length where the end does not.
      const file = new ShardFile(only(shards[0] as Buffer, ...kept, 6));
      const located = await locate([file], { shape });
      assert.equal(file.reads.length, kept.includes(7) ? 2 : 3, 'what tells something is read once');
      assert.deepEqual(labels(located), ['shard 0', undefined, undefined, undefined, undefined], `blocks ${kept}`);
      assert.equal(located.layout.totalBlocks, smallBlocks);
    }
  });

  test('stands at a second lead too', async () => {
    const [shard] = shards;
    // Nothing tells how long it is but a last block, where its size says: 4,100 rows.
    const layout = Layout.fromTotalBlocks(3 * (rowsPerGroup + 4), { dataBlocks: 10, parityBlocks: 3 });
    assert.ok(layout !== undefined);
    const final = Buffer.from(small.file.subarray(0, blockBytes));
    sealBlock(final, small.id, expectedFrame(layout, layout.totalBlocks - 3));
    const leads = new Map([
      [rowsPerGroup + 2, shard?.subarray(0, blockBytes)],
      [rowsPerGroup + 3, shard?.subarray(blockBytes, 2 * blockBytes)],
      [rowsPerGroup + 7, final],
    ]);
    const bytesAt = (offset: number) => {
      const blocks = [0, 1, 2].map((step) => leads.get(offset / blockBytes + step) ?? Buffer.alloc(blockBytes));
      return Buffer.concat(blocks);
    };
    const file = new ShardFile({ sizeBytes: (rowsPerGroup + 10) * blockBytes, bytesAt });
    const located = await locate([undefined, file]);
    assert.deepEqual(labels(located), ['shard 1', undefined, undefined, undefined, undefined]);
    assert.equal(located.layout.totalBlocks, 3 * (rowsPerGroup + 4));
  });

  test('is not believed where a block of it has a wrong hash', async () => {
    const changed = shards.map((shard) => {
      const copy = Buffer.from(shard);
      for (const at of [1000, 1000 + copy.length - 2 * blockBytes]) copy[at] = 1;
      return copy;
    });
    await assert.rejects(locate(changed), damaged);
    const headers = shards.map((shard) => {
      const copy = beheaded(shard);
      shard.copy(copy, 0, 0, 2 * blockBytes);
      copy[blockBytes + 3000] = 1;
      return copy;
    });
    // Heads are there; the header is in the rows of the first three alone.
    assert.equal((await locate(headers)).layout.totalBlocks, smallBlocks);
    await assert.rejects(locate([undefined, undefined, undefined, ...headers.slice(3)]), damaged);
  });

  test('is not enough where it is shorter than any archive', async () => {
    const short = (shards[3] as Buffer).subarray(0, 5 * blockBytes);
    await assert.rejects(locate([undefined, short]), endless);
    await assert.rejects(locate([undefined, short.subarray(0, 2 * blockBytes)]), endless);
  });

  test('of another version is refused', async () => {
    const changed = shards.map((shard, index) => (index === 2 ? Buffer.from(shard) : shard));
    const head = changed[2]?.subarray(0, blockBytes) as Buffer;
    head.writeUInt16LE(2, 32 + 8);
    hashBlock(head);
    await assert.rejects(locate(changed), { code: 'archive.version_unsupported' });
  });
});

describe('shards of several archives', () => {
  const own = smallShards(3, 2);
  const others = smallShards(3, 2, other.file);
  const otherwise = smallShards(3, 1);
  const reason = (id: Buffer) => `it is of the archive ${id.toString('hex')}`;

  test('are told apart by one head', async () => {
    const [a, b, c, d] = own;
    const located = await locate([a, b, c, d, only(others[4] as Buffer, 0)]);
    assert.deepEqual(located.foreign, [{ label: 'shard 4', reason: reason(other.id) }]);
    assert.equal(located.shards[4], undefined);
  });

  test('are told apart: most decide', async () => {
    const [a, b, c, d, e] = own;
    const [v, w, x, y, z] = others;
    const mostOwn = await locate([a, w, c, y, e]);
    assert.deepEqual(labels(mostOwn), ['shard 0', undefined, 'shard 2', undefined, 'shard 4']);
    assert.deepEqual(mostOwn.foreign, [
      { label: 'shard 1', reason: reason(other.id) },
      { label: 'shard 3', reason: reason(other.id) },
    ]);
    const mostOthers = await locate([v, b, x, d, z]);
    assert.ok(Buffer.from(mostOthers.header.header.archiveId).equals(other.id));
    assert.deepEqual(labels(mostOthers), ['shard 0', undefined, 'shard 2', undefined, 'shard 4']);
    // Of as many the first count.
    const even = await locate([v, b, c, y]);
    assert.ok(Buffer.from(even.header.header.archiveId).equals(other.id));
  });

  test('or of one archive that is laid in two ways', async () => {
    const [a, b, c] = own;
    const located = await locate([a, b, c, otherwise[3]]);
    assert.deepEqual(located.shape, shape);
    assert.deepEqual(located.foreign, [{ label: 'shard 3', reason: reason(small.id) }]);
  });

  test('which counts is no matter of how many heads each shows', async () => {
    const [a, b, c] = own;
    const halved = [a, b, c].map((shard) => only(shard as Buffer, 0, 1, 5));
    // Two foreign ones with two heads each, three own with one.
    const located = await locate([...halved, others[3], others[4]]);
    assert.ok(Buffer.from(located.header.header.archiveId).equals(small.id));
    assert.equal(located.foreign.length, 2);
  });

  test('the ends of others say nothing of its length', async () => {
    const longer = others.map((shard) => ending(shard, smallBlocks + 1));
    const [a, b, c] = own.map((shard) => only(shard, 0, 1, 5));
    const located = await locate([a, b, c, longer[3], longer[4]]);
    assert.equal(located.layout.totalBlocks, smallBlocks);
  });
});

describe('names', () => {
  const shards = smallShards(3, 2);

  test('tell which shard is which where no head is left', async () => {
    const located = await locate(shards.map(beheaded), { shape });
    assert.deepEqual(labels(located), ['shard 0', 'shard 1', 'shard 2', 'shard 3', 'shard 4']);
    assert.equal(located.layout.totalBlocks, smallBlocks);
    assert.ok(Buffer.from(located.header.header.archiveId).equals(small.id));
  });

  test('say nothing where they are not known, or have no such shard', async () => {
    await assert.rejects(locate(shards.map(beheaded)), damaged);
    const [first, fourth] = [shards[0] as Buffer, beheaded(shards[3] as Buffer)];
    const source = (bytes: Buffer, label: string, index?: number) => ({ access: new ShardFile(bytes), label, index });
    const located = await locateShards(
      [source(first, 'first', 4), source(fourth, 'nameless'), source(fourth, 'behind', 5), source(fourth, 'last', 4)],
      patience,
    );
    const reasonOfBoth = 'it does not tell which shard it is';
    assert.deepEqual(located.foreign, [
      { label: 'nameless', reason: reasonOfBoth },
      { label: 'behind', reason: reasonOfBoth },
    ]);
    assert.deepEqual(labels(located), ['first', undefined, undefined, undefined, 'last']);
  });

  test('that two have go to the one that says so itself, else to the first; of two that say so to the last', async () => {
    const whole = shards[1] as Buffer;
    const silent = beheaded(whole);
    const source = (bytes: Buffer, label: string) => ({ access: new ShardFile(bytes), label, index: 1 });
    const locateOf = async (...pairs: readonly (readonly [Buffer, string])[]) => {
      const others = sourcesOf([shards[0]]);
      const located = await locateShards([...others, ...pairs.map((pair) => source(...pair))], patience);
      return [located.shards[1]?.label, located.foreign];
    };
    const twice = (label: string) => [{ label, reason: 'shard 2 is there twice' }];
    assert.deepEqual(await locateOf([silent, 'silent'], [whole, 'whole']), ['whole', twice('silent')]);
    assert.deepEqual(await locateOf([whole, 'whole'], [silent, 'silent']), ['whole', twice('silent')]);
    assert.deepEqual(await locateOf([silent, 'one'], [silent, 'two']), ['one', twice('two')]);
    assert.deepEqual(await locateOf([whole, 'one'], [whole, 'two']), ['two', twice('one')]);
  });
});

describe('the header that counts', () => {
  const before = smallShards(3, 2);
  const changed = smallShards(3, 2, second.file);

  test('is the newest of this archive, wherever it stands', async () => {
    for (const newest of [0, 2, 4]) {
      const mixed = before.map((shard, index) => (index === newest ? changed[index] : shard));
      const { header } = await locate(mixed);
      assert.equal(header.header.generation, 2, `in shard ${newest}`);
      assert.ok(Buffer.from(header.body).equals(second.file.subarray(32, 4080)));
    }
    // One that another archive has does not count, however new it is.
    const foreign = blocky({ copies: 1, seed: 'others', generation: 7 });
    const [a, b, c, d] = before;
    const located = await locate([a, b, c, d, smallShards(3, 2, foreign.file)[4]]);
    assert.equal(located.header.header.generation, 0);
  });

  test('may be a final one, where a row is as long as the archive', async () => {
    const shards = smallShards(20, 1).map(beheaded);
    for (const [index, isHeader] of [
      [0, true],
      [2, true],
      [3, false],
      [9, false],
      [10, true],
      [12, true],
      [13, false],
    ] as const) {
      // The eighth has no header, but parity that tells the length.
      const alone = shards.map((shard, place) => (place === index || place === 7 ? shard : undefined));
      const located = await locate(alone, { shape: { data: 20, parity: 1 } }).catch((error) => error);
      assert.equal(located.header !== undefined, isHeader, `shard ${index}`);
    }
  });

  test('with no length is none', async () => {
    const shards = before.slice(0, 1).map((shard) => {
      const copy = beheaded(shard);
      const block = copy.subarray(2 * blockBytes, 3 * blockBytes);
      block.writeUInt16LE(0, 32 + 48);
      hashBlock(block);
      return copy;
    });
    await assert.rejects(locate(shards, { shape }), damaged);
  });

  test('without heads, is that of the archive that most have', async () => {
    const mixed = [other, small, small].map(({ file }, index) => beheaded(smallShards(3, 2, file)[index] as Buffer));
    const located = await locate(mixed, { shape });
    assert.ok(Buffer.from(located.header.header.archiveId).equals(small.id));
  });
});

describe('storages that do not answer', () => {
  const shards = smallShards(3, 2);
  const failing = (bytes: Buffer, code: 'storage.unavailable' | 'storage.unauthorized') => {
    const file = new ShardFile(bytes);
    file.onRead = () => {
      throw new HoldfastError(code);
    };
    return file;
  };

  test('are known by their names, with their failures', async () => {
    const [a, b, c] = shards as [Buffer, Buffer, Buffer];
    const located = await locate([a, failing(b, 'storage.unavailable'), c]);
    assert.deepEqual(labels(located), ['shard 0', 'shard 1', 'shard 2', undefined, undefined]);
    assert.ok(located.shards[1]?.failure?.error instanceof HoldfastError);
    assert.equal(located.shards[0]?.failure, undefined);
  });

  test('may have what is wanted: where nothing else has it the first failure is thrown', async () => {
    const [a, b, c] = shards as [Buffer, Buffer, Buffer];
    const none = Buffer.alloc(c.length);
    await assert.rejects(locate([none, failing(a, 'storage.unauthorized'), failing(b, 'storage.unavailable')]), {
      code: 'storage.unauthorized',
    });
    await assert.rejects(locate([none, none]), damaged);
    await assert.rejects(locate([none], { shape }), damaged);
    // A head, and no header.
    await assert.rejects(locate([only(c, 0), failing(b, 'storage.unavailable')]), { code: 'storage.unavailable' });
  });

  test('may have the last blocks: where they fail then it is their failure that counts', async () => {
    const [a, b] = shards as [Buffer, Buffer];
    const file = new ShardFile(only(a, 0, 1, 5));
    file.onRead = () => {
      if (file.reads.length > 2) throw new HoldfastError('storage.unavailable');
    };
    await assert.rejects(locate([file, only(b, 0, 1)]), { code: 'storage.unavailable' });
  });

  test('in time are passed over, and waited for where no other tells anything', async () => {
    const slow = (bytes: Buffer) => {
      const file = new ShardFile(bytes);
      file.onRead = async () => {
        for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      };
      return file;
    };
    const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
    const [a, b] = shards as [Buffer, Buffer];
    const files = [slow(a), new ShardFile(b)];
    const passed = await locate(files, { pause });
    assert.deepEqual(
      passed.shards.map((shard) => shard?.isSlow),
      [true, false, undefined, undefined, undefined],
    );
    assert.deepEqual(labels(passed), ['shard 0', 'shard 1', undefined, undefined, undefined]);
    // It was asked once, for its start.
    assert.deepEqual(files[0]?.reads, [[0, 3]]);
    // It is waited for where the other has no end, or no header.
    for (const kept of [
      [0, 1],
      [0, 7],
      [0, 6],
    ]) {
      const { layout, shards: both } = await locate([slow(a), new ShardFile(only(b, ...kept))], { pause });
      assert.equal(layout.totalBlocks, smallBlocks);
      assert.equal(both[0]?.isSlow, false);
    }
    // One header and one end are enough.
    const enough = await locate([slow(a), new ShardFile(only(b, 0, 1, 6))], { pause });
    assert.equal(enough.shards[0]?.isSlow, true);
    const waited = await locate([slow(a)], { pause });
    assert.deepEqual(labels(waited), ['shard 0', undefined, undefined, undefined, undefined]);
    assert.equal(waited.shards[0]?.isSlow, false);
  });
});
