import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { blockSizeBytes } from '../../src/archive/heal/geometry.ts';
import { checkShard, type ShardHealth } from '../../src/archive/spread/check-shard.ts';
import type { ShardSource } from '../../src/archive/spread/shard.ts';
import {
  rowOffset,
  rowsInShard,
  rowsPerGroup,
  shardCount,
  shardRows,
  shardSizeBytes,
} from '../../src/archive/spread/shard-format.ts';
import { SpreadAccess } from '../../src/archive/spread/spread-access.ts';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { HoldfastError } from '../../src/errors.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { judge, makeSubject, type Subject } from '../damage/subject.ts';
import { join, sourcesOf, spread } from './spread-shards.ts';

const workers = new WorkerPool(1);
let subject: Subject;
let other: Subject;

before(async () => {
  const options = { name: 'spread', copies: 1, dataBlocks: 5, parityBlocks: 2 };
  subject = await makeSubject(workers, { ...options, seed: 1, sizeBytes: 300_000 });
  other = await makeSubject(workers, { ...options, seed: 2, sizeBytes: 300_000 });
});
after(() => workers.close());

/** Which of n are lost: `count` of them. */
const lostOf = (n: number, count: number) =>
  fc.shuffledSubarray(
    Array.from({ length: n }, (_, index) => index),
    { minLength: count, maxLength: count },
  );

const shapes = fc.record({ data: fc.integer({ min: 1, max: 9 }), parity: fc.integer({ min: 1, max: 5 }) });

describe('the outline of a shard', () => {
  test('its size tells its rows, and each row has its own place', () => {
    for (const rows of [
      0,
      1,
      2,
      rowsPerGroup - 1,
      rowsPerGroup,
      rowsPerGroup + 1,
      2 * rowsPerGroup,
      3 * rowsPerGroup + 7,
    ]) {
      assert.equal(rowsInShard(shardSizeBytes(rows)), rows, `${rows}`);
      if (rows > 0) assert.ok(rowOffset(rows - 1) + 3 * blockSizeBytes <= shardSizeBytes(rows));
    }
    assert.equal(rowOffset(0), 2 * blockSizeBytes);
    assert.equal(rowOffset(rowsPerGroup) - rowOffset(rowsPerGroup - 1), 3 * blockSizeBytes);
  });
});

describe('shards', () => {
  test('any m may be lost, whatever the numbers', async () => {
    const cases = shapes.chain((shape) =>
      fc.record({ shape: fc.constant(shape), lost: lostOf(shardCount(shape), shape.parity) }),
    );
    const law = fc.asyncProperty(cases, async ({ shape, lost }) => {
      const shards = spread(subject.bytes, shape, 10_007);
      for (const [index, shard] of shards.entries()) {
        assert.equal(shard.length, shardSizeBytes(shardRows(shape, index, subject.blocksPerCopy)));
      }
      const left = shards.map((shard, index) => (lost.includes(index) ? undefined : shard));
      assert.ok((await join(left)).equals(subject.bytes));
    });
    await fc.assert(law, { numRuns: 25 });
  });

  test('many shards, of which some are empty', async () => {
    for (const shape of [
      { data: 200, parity: 16 },
      { data: 160, parity: 3 },
    ]) {
      const shards = spread(subject.bytes, shape);
      assert.ok(
        (await join(shards.map((shard, index) => (index % 70 === 3 ? undefined : shard)))).equals(subject.bytes),
      );
    }
  });

  test('one more than m lost is refused, and names what is missing', async () => {
    const shards = spread(subject.bytes, { data: 3, parity: 2 });
    const left = shards.map((shard, index) => ([0, 2, 4].includes(index) ? undefined : shard));
    await assert.rejects(join(left), (error: unknown) => {
      assert.ok(error instanceof HoldfastError);
      assert.equal(error.code, 'archive.damaged');
      assert.match(error.message, /^2 of the 3 shards that are needed are there: missing are 1, 3, 5 of 5/);
      return true;
    });
  });

  test('every shard may be damaged, as long as each row has k good blocks', async () => {
    const shape = { data: 4, parity: 2 };
    const law = fc.asyncProperty(fc.nat(), async (seed) => {
      const random = new SeededRandom(seed);
      const shards = spread(subject.bytes, shape);
      const rows = Math.ceil(subject.blocksPerCopy / shape.data);
      for (let row = 0; row < rows; row += 1) {
        const bad = [random.integer(6), random.integer(6)];
        for (const index of bad) {
          const at = rowOffset(row) + random.integer(blockSizeBytes);
          if (rowOffset(row) < rowOffset(shardRows(shape, index, subject.blocksPerCopy))) {
            const shard = shards[index] as Buffer;
            shard[at] = (shard[at] ?? 0) ^ (1 + random.integer(255));
          }
        }
      }
      assert.ok((await join(shards)).equals(subject.bytes));
    });
    await fc.assert(law, { numRuns: 10 });
  });

  test('ranges are the same as the whole, and read only what they need', async () => {
    const shape = { data: 3, parity: 2 };
    const shards = spread(subject.bytes, shape);
    for (const lost of [[], [1], [0, 2]]) {
      const left = shards.map((shard, index) => (lost.includes(index) ? undefined : shard));
      const access = await SpreadAccess.open({ shards: sourcesOf(left) });
      const law = fc.asyncProperty(fc.nat(subject.bytes.length), fc.nat(30_000), async (offset, length) => {
        const into = Buffer.alloc(length);
        const read = await access.read(offset, into);
        assert.ok(into.subarray(0, read).equals(Buffer.from(subject.bytes.subarray(offset, offset + length))));
        assert.equal(read, Math.min(length, subject.bytes.length - offset));
      });
      await fc.assert(law, { numRuns: 40 });
    }
  });

  test('heads that are lost are told by the names, and by the last blocks', async () => {
    const shards = spread(subject.bytes, { data: 3, parity: 2 });
    const size = (shard: Buffer) => shard.length;
    for (const shard of shards) shard.fill(7, 0, 2 * blockSizeBytes);
    assert.ok((await join(shards)).equals(subject.bytes), 'the ends tell');
    for (const shard of shards) shard.fill(7, size(shard) - 2 * blockSizeBytes);
    const access = await SpreadAccess.open({ shards: sourcesOf(shards), shape: { data: 3, parity: 2 } });
    const bytes = Buffer.alloc(access.sizeBytes);
    await access.read(0, bytes);
    assert.ok(bytes.equals(subject.bytes));
  });

  test('a shard that is cut, or of another archive, or under another number, costs no more than itself', async () => {
    const shape = { data: 3, parity: 2 };
    const shards = spread(subject.bytes, shape);
    const foreign = spread(other.bytes, shape);
    const cut = shards.map((shard, index) =>
      index === 0 || index === 3 ? shard.subarray(0, shard.length / 2) : shard,
    );
    assert.ok((await join(cut)).equals(subject.bytes));
    const mixed = shards.map((shard, index) => (index === 1 || index === 4 ? foreign[index] : shard));
    assert.ok((await join(mixed)).equals(subject.bytes));
    const [a, b, c, d, e] = shards;
    assert.ok((await join([e, a, d, b, c])).equals(subject.bytes), 'what a shard says of itself counts');
    const more = await SpreadAccess.open({ shards: sourcesOf(mixed) });
    assert.deepEqual(
      more.foreign.map(({ label }) => label),
      ['s1', 's4'],
    );
  });

  test('a shard that is made anew is the same bytes', async () => {
    const shape = { data: 3, parity: 2 };
    const shards = spread(subject.bytes, shape);
    for (const wanted of [[1], [4], [0, 3]]) {
      const made = spread(subject.bytes, shape, 4096 * 5 + 1, wanted);
      for (const [index, shard] of made.entries()) {
        if (wanted.includes(index)) assert.ok(shard.equals(shards[index] as Buffer));
        else assert.equal(shard.length, 0);
      }
    }
  });

  test("what a row cannot give the archive's own parity does", async () => {
    const shape = { data: 3, parity: 1 };
    const shards = spread(subject.bytes, shape);
    // Two blocks of one row, which the code across shards gives back one of.
    for (const index of [0, 1]) shards[index]?.fill(0, rowOffset(7), rowOffset(8));
    const bytes = await join(shards);
    assert.ok(!bytes.equals(subject.bytes));
    assert.deepEqual(await judge(workers, subject, [bytes]), { kind: 'recovered' });
  });

  test('a check finds each damaged block of each shard, without a key', async () => {
    const shape = { data: 3, parity: 2 };
    const check = async (shards: readonly Buffer[]): Promise<ShardHealth[]> => {
      const access = await SpreadAccess.open({ shards: sourcesOf(shards) });
      const found: ShardHealth[] = [];
      for (const shard of access.shards) if (shard !== undefined) found.push(await checkShard(access, shard));
      return found;
    };
    const shards = spread(subject.bytes, shape);
    assert.deepEqual(
      (await check(shards)).map(({ state }) => state),
      ['intact', 'intact', 'intact', 'intact', 'intact'],
    );
    for (const index of [0, 4]) {
      for (let at = 0; at < (shards[index]?.length ?? 0); at += blockSizeBytes) {
        const damaged = shards.map((shard) => Buffer.from(shard));
        const shard = damaged[index] as Buffer;
        shard[at + 100] = (shard[at + 100] ?? 0) ^ 1;
        const states = (await check(damaged)).map(({ state, damagedBlocks }) => `${state} ${damagedBlocks}`);
        assert.deepEqual(
          states,
          shards.map((_, place) => (place === index ? 'damaged 1' : 'intact 0')),
          `${index} at ${at}`,
        );
      }
    }
    const short = shards.map((shard, index) => (index === 2 ? shard.subarray(0, -1) : shard));
    assert.equal((await check(short))[2]?.state, 'damaged');
  });

  test('what is no archive of one copy is not spread', async () => {
    const two = await makeSubject(workers, { name: 'two', copies: 2, seed: 3, sizeBytes: 1000 });
    const shape = { data: 2, parity: 1 };
    assert.throws(() => spread(two.bytes, shape), { code: 'usage.invalid', message: /an archive of 2 copies/ });
    assert.throws(() => spread(Buffer.from('text'), shape), { code: 'archive.not_an_archive' });
    assert.throws(() => spread(Buffer.alloc(20_000), shape), { code: 'archive.not_an_archive' });
    assert.throws(() => spread(subject.bytes.subarray(0, -1), shape), { code: 'archive.not_an_archive' });
    // What begins with another block, or with one whose hash is wrong.
    for (const start of [1, 3]) {
      const rest = subject.bytes.subarray(start * blockSizeBytes);
      assert.throws(() => spread(rest, shape), { code: 'archive.not_an_archive' }, `from block ${start}`);
    }
    const changed = Buffer.from(subject.bytes).fill(0, 4000, 4096);
    assert.throws(() => spread(changed, shape), { code: 'archive.not_an_archive' });
  });
});

describe('storages of shards', () => {
  const shape = { data: 3, parity: 2 };
  const failing = (code: 'storage.unavailable' | 'storage.failed') => async () => {
    throw new HoldfastError(code);
  };

  test('one that does not answer is passed over, as long as the others are enough', async () => {
    const sources = sourcesOf(spread(subject.bytes, shape));
    const away = (index: number) => ({
      ...(sources[index] as ShardSource),
      access: { ...(sources[index] as ShardSource).access, read: failing('storage.unavailable') },
    });
    const some = sources.map((source, index) => (index === 0 || index === 2 ? away(index) : source));
    const access = await SpreadAccess.open({ shards: some });
    const bytes = Buffer.alloc(access.sizeBytes);
    await access.read(0, bytes);
    assert.ok(bytes.equals(subject.bytes));
    const more = sources.map((source, index) => (index < 3 ? away(index) : source));
    const lacking = await SpreadAccess.open({ shards: more });
    await assert.rejects(lacking.read(0, bytes), { code: 'storage.unavailable' });
  });

  test('one that is slow is passed over, and waited for where it must be', async () => {
    const shards = spread(subject.bytes, shape);
    const sources = sourcesOf(shards);
    const gate = Promise.withResolvers<void>();
    let asked = 0;
    const slow = (source: ShardSource): ShardSource => ({
      ...source,
      access: {
        ...source.access,
        read: async (offset, into) => {
          asked += 1;
          await gate.promise;
          return await source.access.read(offset, into);
        },
      },
    });
    // Time passes for whoever waits for a slow one alone.
    const pause = async (_durationMs: number, signal?: AbortSignal) => {
      for (let turn = 0; turn < 50 && signal?.aborted !== true; turn += 1)
        await new Promise((resolve) => setImmediate(resolve));
    };
    const access = await SpreadAccess.open({
      shards: sources.map((source, index) => (index < 2 ? slow(source) : source)),
      pause,
    });
    const bytes = Buffer.alloc(access.sizeBytes);
    await access.read(0, bytes);
    assert.ok(bytes.equals(subject.bytes));
    assert.equal(asked, 2, 'they were asked once each');
    const needed = await SpreadAccess.open({
      shards: sources.slice(0, 3).map((source, index) => (index < 1 ? slow(source) : source)),
      pause,
    });
    const reading = needed.read(0, bytes.fill(0));
    gate.resolve();
    await reading;
    assert.ok(bytes.equals(subject.bytes));
  });

  test('sectors that cannot be read are damage', async () => {
    const sources = sourcesOf(spread(subject.bytes, shape));
    const access = await SpreadAccess.open({
      shards: sources.map((source, index) =>
        index > 1
          ? source
          : {
              ...source,
              access: {
                ...source.access,
                read: async (offset, into) =>
                  offset + into.length > 20_000 ? failing('storage.failed')() : source.access.read(offset, into),
              },
            },
      ),
    });
    const bytes = Buffer.alloc(access.sizeBytes);
    await access.read(0, bytes);
    assert.ok(bytes.equals(subject.bytes));
    assert.ok((access.shards[0]?.damagedCount ?? 0) > 0);
  });
});
