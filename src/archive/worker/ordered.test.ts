import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BufferPool } from './buffer-pool.ts';
import { freeMemory } from './free-memory.ts';
import { Limiter, mapOrdered } from './ordered.ts';

/** Lets everything that can go on do so. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

test('results come in the order of the inputs, and at most so many are under way', async () => {
  let underWay = 0;
  let most = 0;
  const ends: (() => void)[] = [];
  const results: number[] = [];
  const run = (async () => {
    const work = async (input: number) => {
      most = Math.max(most, ++underWay);
      await new Promise<void>((resolve) => ends.push(resolve));
      underWay--;
      return input * 10;
    };
    for await (const result of mapOrdered([1, 2, 3, 4, 5, 6, 7], 3, work)) results.push(result);
  })();
  await turns();
  assert.equal(ends.length, 3);
  ends[2]?.();
  ends[1]?.();
  await turns();
  assert.deepEqual(results, []);
  ends[0]?.();
  await turns();
  assert.deepEqual(results, [10, 20, 30]);
  while (results.length < 7) {
    for (const end of ends) end();
    await turns();
  }
  await run;
  assert.deepEqual(results, [10, 20, 30, 40, 50, 60, 70]);
  assert.equal(most, 3);
});

test('a failure is thrown when its turn comes, and later ones are not unhandled', async () => {
  const seen: number[] = [];
  const work = async (input: number) => {
    if (input > 1) throw new Error(`input ${input}`);
    return input;
  };
  await assert.rejects(async () => {
    for await (const result of mapOrdered([1, 2, 3, 4], 4, work)) seen.push(result);
  }, /input 2/);
  assert.deepEqual(seen, [1]);
});

test('a limiter lets so many run, and goes on after a failure', async () => {
  const limiter = new Limiter(2);
  const ends: (() => void)[] = [];
  const start = () => limiter.run(() => new Promise<void>((resolve) => ends.push(resolve)));
  const all = [start(), start(), start()];
  await turns();
  assert.equal(ends.length, 2);
  ends[0]?.();
  await turns();
  assert.equal(ends.length, 3);
  for (const end of ends) end();
  await Promise.all(all);
  await assert.rejects(
    limiter.run(async () => {
      throw new Error('no');
    }),
    /no/,
  );
  assert.equal(await limiter.run(async () => 5), 5);
});

test('a limiter lets no more run after some have ended', async () => {
  const limiter = new Limiter(1);
  await limiter.run(async () => undefined);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const start = (number: number) =>
    limiter.run(async () => {
      begun.push(number);
      await new Promise<void>((resolve) => ends.push(resolve));
    });
  const all = [start(1), start(2)];
  await turns();
  assert.deepEqual(begun, [1]);
  ends[0]?.();
  await turns();
  assert.deepEqual(begun, [1, 2]);
  ends[1]?.();
  await Promise.all(all);
});

test('a pool lends so many buffers, and who waits gets the next', async () => {
  const pool = new BufferPool({ count: 2, sizeBytes: 10 });
  const [first, second] = [await pool.acquire(), await pool.acquire()];
  assert.deepEqual([first.length, second.length], [10, 10]);
  assert.notEqual(first.buffer, second.buffer);
  let isServed = false;
  const waiting = pool.acquire().then((buffer) => {
    isServed = true;
    return buffer;
  });
  await turns();
  assert.equal(isServed, false);
  pool.release(second);
  assert.equal((await waiting).buffer, second.buffer);
  pool.release(first);
  assert.equal((await pool.acquire()).buffer, first.buffer);
});

test('a pool that has failed wakes those who wait, and lends nothing more', async () => {
  const pool = new BufferPool({ count: 1, sizeBytes: 10 });
  const buffer = await pool.acquire();
  const waiting = [pool.acquire(), pool.acquire()];
  const failure = new Error('the run failed');
  pool.fail(failure);
  pool.fail(new Error('later'));
  for (const one of waiting) await assert.rejects(one, failure);
  pool.release(buffer);
  await assert.rejects(pool.acquire(), failure);
});

test('the memory of a large buffer is given back at once; that of a small or shared one stays', () => {
  const large = new Uint8Array(256 * 1024);
  freeMemory(large);
  assert.equal(large.length, 0);
  freeMemory(large);
  for (const kept of [new Uint8Array(256 * 1024 - 1), new Uint8Array(new SharedArrayBuffer(512 * 1024))]) {
    const { length } = kept;
    freeMemory(kept);
    assert.equal(kept.length, length);
  }
});
