import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alignedMemory } from './aligned-memory.ts';
import { BufferPool } from './buffer-pool.ts';
import { BulkMemory } from './bulk-memory.ts';

test('memory is shared, of the size asked for, in pages', () => {
  for (const sizeBytes of [1, 65_535, 65_536, 65_537, 3_000_000]) {
    const memory = alignedMemory(sizeBytes);
    assert.equal(memory.length, sizeBytes);
    assert.equal(memory.byteOffset, 0);
    assert.ok(memory.buffer instanceof SharedArrayBuffer);
    assert.equal(memory.buffer.byteLength, Math.ceil(sizeBytes / 65_536) * 65_536);
  }
});

test('who wants one more than there are waits for one that comes back', async () => {
  const pool = new BufferPool({ count: 2, sizeBytes: 1000 });
  const [first, second] = await Promise.all([pool.acquire(), pool.acquire()]);
  assert.notEqual(first.buffer, second.buffer);
  let isServed = false;
  const waiting = pool.acquire().then((buffer) => {
    isServed = true;
    return buffer;
  });
  await Promise.resolve();
  assert.equal(isServed, false);
  pool.release(first);
  assert.equal((await waiting).buffer, first.buffer);
});

test('any view of its memory gives a buffer back, whole', async () => {
  const pool = new BufferPool({ count: 1, sizeBytes: 1000 });
  const own = await pool.acquire();
  for (const view of [own.subarray(10, 20), new Uint8Array(own.buffer), own]) {
    pool.release(view);
    const again = await pool.acquire();
    assert.equal(again.buffer, own.buffer);
    assert.equal(again.length, 1000);
  }
});

test('what is not lent is not taken back', async () => {
  const pool = new BufferPool({ count: 2, sizeBytes: 1000 });
  const buffer = await pool.acquire();
  pool.release(buffer);
  assert.throws(() => pool.release(buffer), assert.AssertionError);
  assert.throws(() => pool.release(new Uint8Array(1000)), assert.AssertionError);
});

test('a failure wakes those who wait, and those who come later', async () => {
  const pool = new BufferPool({ count: 1, sizeBytes: 1000 });
  await pool.acquire();
  const waiting = pool.acquire();
  const failure = new Error('elsewhere');
  pool.fail(failure);
  await assert.rejects(waiting, (error) => error === failure);
  await assert.rejects(pool.acquire(), (error) => error === failure);
});

test('several are lent at once, in the order in which they were asked for', async () => {
  const pool = new BufferPool({ count: 3, sizeBytes: 1000 });
  const order: string[] = [];
  const [one, two] = await pool.acquireSeveral(2);
  const many = pool.acquireSeveral(3).then((buffers) => {
    order.push('many');
    return buffers;
  });
  const single = pool.acquire().then(() => order.push('single'));
  await Promise.resolve();
  assert.deepEqual(order, []);
  pool.release(one!);
  pool.release(two!);
  for (const buffer of await many) pool.release(buffer);
  await single;
  assert.deepEqual(order, ['many', 'single']);
  assert.throws(() => pool.acquireSeveral(4), assert.AssertionError);
});

test('what is given back serves the next pool of the run, what is lent does not', async () => {
  const memory = new BulkMemory();
  const first = new BufferPool({ count: 2, sizeBytes: 2_000_000, memory });
  const [kept, free] = await first.acquireSeveral(2);
  first.release(free!);
  const second = new BufferPool({ count: 3, sizeBytes: 2_200_000, memory });
  const again = await second.acquire();
  assert.equal(again.buffer, free!.buffer);
  assert.equal(again.length, 2_200_000);
  assert.notEqual((await second.acquire()).buffer, kept!.buffer);
  first.release(kept!);
  assert.equal((await second.acquire()).buffer, kept!.buffer);
});

test('large memory comes in pieces of 768 KiB, small as it is', () => {
  const granule = 768 * 1024;
  const sizes = [1000, granule - 1, granule, granule + 1, 2 * granule].map((sizeBytes) => {
    return new BulkMemory().take(sizeBytes).length;
  });
  assert.deepEqual(sizes, [1000, granule - 1, granule, 2 * granule, 2 * granule]);
});

test('memory serves less by up to a piece, each once', () => {
  const granule = 768 * 1024;
  const memory = new BulkMemory();
  const [two, three] = [memory.take(2 * granule), memory.take(3 * granule)];
  memory.giveBack(two.buffer);
  memory.giveBack(three.buffer);
  assert.notEqual(memory.take(granule).buffer, two.buffer);
  assert.equal(memory.take(granule + 1).buffer, two.buffer);
  assert.equal(memory.take(2 * granule + 1).buffer, three.buffer);
  assert.notEqual(memory.take(2 * granule + 1).buffer, three.buffer);
});

test('memory serves what fits, not what is much smaller', () => {
  const memory = new BulkMemory();
  const large = memory.take(5_000_000);
  memory.giveBack(large.buffer);
  assert.notEqual(memory.take(2_000_000).buffer, large.buffer);
  assert.equal(memory.take(4_900_000).buffer, large.buffer);
});
