import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  blockBytes,
  longArchive,
  longShards,
  patience,
  ShardFile,
  small,
  smallShards,
  sourcesOf,
} from '../../../test/archive/shard-files.ts';
import { blocky } from '../../../vectors/generators/vector.ts';
import { hashBlock } from '../../../vectors/reference-writer.ts';
import { HoldfastError } from '../../errors.ts';
import { expectedFrame, sealBlock } from '../heal/block.ts';
import { Layout } from '../heal/geometry.ts';
import { checkShard, type ShardHealth } from './check-shard.ts';
import { headBlock, rowsPerGroup } from './shard-format.ts';
import { SpreadAccess } from './spread-access.ts';

async function open(shards: readonly (Uint8Array | ShardFile)[]) {
  const sources = sourcesOf(shards);
  const access = await SpreadAccess.open({ pause: patience.pause, shards: sources });
  for (const { access: file } of sources) file.reads.length = 0;
  const files = sources.map(({ access: file }) => file);
  const check = async (index: number, options: Parameters<typeof checkShard>[2] = {}): Promise<ShardHealth> => {
    const shard = access.shards[index];
    assert.ok(shard !== undefined);
    return await checkShard(access, shard, options);
  };
  return { access, files, check };
}

const three = smallShards(3, 2);
const intact = [9, 8, 8, 9, 9].map((totalBlocks, index) => {
  return { index, label: `shard ${index}`, state: 'intact', damagedBlocks: 0, totalBlocks };
});

test('shards that are whole are intact, and all of them is read', async () => {
  const { files, check } = await open(three);
  for (const [index, expected] of intact.entries()) {
    let bytes = 0;
    const onBytes = (count: number) => {
      bytes += count;
    };
    assert.deepEqual(await check(index, { onBytes }), expected);
    const rows = expected.totalBlocks - 4;
    assert.equal(bytes, rows * blockBytes);
    // The rows, the lead, the end.
    assert.deepEqual(files[index]?.reads, [
      [2, rows],
      [0, 2],
      [rows + 2, 2],
    ]);
  }
});

test('each block that is damaged is counted, wherever it stands', async () => {
  for (const index of [0, 2, 4]) {
    const shard = three[index] as Buffer;
    for (let block = 0; block < shard.length / blockBytes; block += 1) {
      const damaged = three.map((one) => Buffer.from(one));
      const at = block * blockBytes + 100 * block + 40;
      damaged[index]?.writeUInt8((shard[at] ?? 0) ^ 1, at);
      const { check } = await open(damaged);
      for (const [place, expected] of intact.entries()) {
        const isDamaged = place === index;
        const health = isDamaged ? { ...expected, state: 'damaged', damagedBlocks: 1 } : expected;
        assert.deepEqual(await check(place), health, `block ${block} of shard ${index}`);
      }
    }
  }
  const lost = three.map((one, index) => (index === 1 ? Buffer.alloc(one.length) : one));
  const { check } = await open(lost);
  assert.deepEqual(await check(1), { ...intact[1], state: 'damaged', damagedBlocks: 8 });
});

test('one that is too short or too long is damaged', async () => {
  const [a, b, c, d, e] = three as [Buffer, Buffer, Buffer, Buffer, Buffer];
  const { check } = await open([a.subarray(0, -1), Buffer.concat([b, Buffer.alloc(1)]), c, d.subarray(0, -8192), e]);
  assert.deepEqual(await check(0), { ...intact[0], state: 'damaged', damagedBlocks: 1 });
  assert.deepEqual(await check(1), { ...intact[1], state: 'damaged', damagedBlocks: 0 });
  assert.deepEqual(await check(2), intact[2]);
  assert.deepEqual(await check(3), { ...intact[3], state: 'damaged', damagedBlocks: 2 });
});

test('a lead holds the first block of the archive, with the header that counts, and its own head', async () => {
  const before = smallShards(3, 2);
  const [, , , , last] = smallShards(3, 2, blocky({ copies: 1, generation: 2 }).file);
  const newer = await open([...before.slice(0, 4), last as Buffer]);
  // In the first shard are the header's first block in the first row, and its last in the last.
  assert.equal((await newer.check(0)).damagedBlocks, 4);
  assert.equal((await newer.check(4)).damagedBlocks, 0);

  const blockOf = (block: number) => small.file.subarray(block * blockBytes, (block + 1) * blockBytes);
  const kindOf = (kind: number) => {
    const block = Buffer.from(blockOf(0));
    block[28] = kind;
    return hashBlock(block);
  };
  const wrongs = [blockOf(1), blockOf(3), blockOf(10), kindOf(2), kindOf(3), kindOf(9)];
  const heads = [
    { index: 1, row: 0, totalBlocks: undefined },
    { index: 3, row: 1, totalBlocks: undefined },
    { index: 3, row: 0, totalBlocks: 13 },
  ].map(({ row, ...head }) => headBlock({ archiveId: small.id, shape: { data: 3, parity: 2 }, ...head }, row));
  for (const [place, blocks] of [
    [1, wrongs],
    [8, wrongs],
    // The first head of a shard tells which one it is.
    [0, heads.slice(1)],
    [7, heads],
  ] as const) {
    for (const [number, block] of blocks.entries()) {
      const changed = before.map((one) => Buffer.from(one));
      block.copy(changed[3] as Buffer, place * blockBytes);
      const { check } = await open(changed);
      assert.equal((await check(3)).damagedBlocks, 1, `block ${place}: ${number}`);
    }
  }
});

test('rows are read 256 at a time, and those that were read before are not read again', async () => {
  const archive = longArchive(500);
  const rows = archive.length / blockBytes;
  const shards = longShards(1, 1, archive);
  const { access, files, check } = await open(shards);
  const sizes: number[] = [];
  assert.equal((await check(0, { onBytes: (count) => sizes.push(count / blockBytes) })).state, 'intact');
  const expected = Array.from({ length: Math.ceil(rows / 256) }, (_, part) => Math.min(256, rows - part * 256));
  assert.ok(expected.length > 2);
  assert.deepEqual(sizes, expected);
  assert.deepEqual(
    files[0]?.reads.slice(0, -2),
    expected.map((count, part) => [2 + part * 256, count]),
  );
  // The second shard holds the parity of these rows; two parts of it were read, and one row is bad.
  access.shards[1]?.note(10, new Uint8Array(20).fill(1));
  access.shards[1]?.note(286, new Uint8Array(rows - 286).fill(1).fill(0, 3, 4));
  sizes.length = 0;
  const health = await check(1, { onBytes: (count) => sizes.push(count / blockBytes) });
  assert.deepEqual([health.state, health.damagedBlocks, health.totalBlocks], ['damaged', 1, rows + 4]);
  assert.deepEqual(sizes, [10, 256]);
  assert.deepEqual(files[1]?.reads.slice(0, -2), [
    [2, 10],
    [32, 256],
  ]);
});

test('leads in the middle are looked at', async () => {
  const rows = 2 * rowsPerGroup + 1;
  // A layout of a long archive, its bytes never made: rows count as read.
  const shape = { data: 1, parity: 1 };
  const totalBlocks = rows;
  const head = (group: number) =>
    headBlock({ archiveId: small.id, shape, index: 0, totalBlocks: undefined }, group * rowsPerGroup);
  const header = small.file.subarray(0, blockBytes);
  const blocks = new Map<number, Buffer>();
  for (const group of [0, 1, 2]) {
    blocks.set(group * (rowsPerGroup + 2), head(group)).set(group * (rowsPerGroup + 2) + 1, header);
  }
  const end = headBlock({ archiveId: small.id, shape, index: 0, totalBlocks }, rows);
  blocks.set(rows + 6, end).set(rows + 7, header);
  // Where the end is missing the archive's last block bears its length out.
  const last = Layout.fromTotalBlocks(totalBlocks, { dataBlocks: 10, parityBlocks: 3 });
  assert.ok(last !== undefined);
  const final = Buffer.from(header);
  sealBlock(final, small.id, expectedFrame(last, totalBlocks - 1));
  const fileWithout = (missing?: number) => {
    const bytesAt = (offset: number) => {
      const parts = [0, 1, 2].map((step) => {
        const number = offset / blockBytes + step;
        if (number === rows + 5) return final;
        return (number === missing ? undefined : blocks.get(number)) ?? Buffer.alloc(blockBytes);
      });
      return Buffer.concat(parts);
    };
    return new ShardFile({ sizeBytes: (rows + 8) * blockBytes, bytesAt });
  };
  const checkOf = async (missing?: number) => {
    const { access, check, files } = await open([fileWithout(missing)]);
    assert.equal(access.layout.totalBlocks, totalBlocks);
    access.shards[0]?.note(0, new Uint8Array(rows).fill(1));
    const { state, damagedBlocks } = await check(0);
    assert.deepEqual(
      files[0]?.reads.map(([first]) => first),
      [0, rowsPerGroup + 2, 2 * (rowsPerGroup + 2), rows + 6],
    );
    return `${state} ${damagedBlocks}`;
  };
  assert.equal(await checkOf(), 'intact 0');
  for (const missing of blocks.keys()) assert.equal(await checkOf(missing), 'damaged 1', `block ${missing}`);
});

test('one whose storage does not answer is unreadable, whatever was found of it before', async () => {
  const failure = new HoldfastError('storage.unavailable');
  for (const failing of [0, 1, 2]) {
    const files = three.map((bytes) => new ShardFile(bytes));
    const { check } = await open(files);
    const file = files[3] as ShardFile;
    file.onRead = () => {
      if (file.reads.length > failing) throw failure;
    };
    assert.deepEqual(await check(3), {
      ...intact[3],
      state: 'unreadable',
      error: failure,
    });
    assert.equal(file.reads.length, failing + 1, 'it is asked no more');
  }
});

test('a slow one is waited for', async () => {
  const files = three.map((bytes) => new ShardFile(bytes));
  const { access, check } = await open(files);
  for (const shard of access.shards) if (shard !== undefined) shard.isSlow = true;
  assert.deepEqual(await check(2), intact[2]);
  assert.deepEqual(files[2]?.reads, [
    [2, 4],
    [0, 2],
    [6, 2],
  ]);
});

test('it ends when it is told to', async () => {
  const { files, check } = await open(three);
  await assert.rejects(check(0, { signal: AbortSignal.abort() }), { code: 'operation.interrupted' });
  assert.deepEqual(files[0]?.reads, []);
});
