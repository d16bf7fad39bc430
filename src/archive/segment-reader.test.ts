import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import type { BlockStore, SegmentPlace } from './heal/block-store.ts';
import { SegmentReader } from './segment-reader.ts';
import { BulkMemory } from './worker/bulk-memory.ts';

/** Lets everything that can go on do so. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

/** A store whose segments hold their number; it remembers what was loaded, and loads when told. */
class FakeStore {
  readonly header = { segmentSizeBytes: 700_000 };
  /** Numbers of the segments of each group that was loaded. */
  readonly loaded: number[][] = [];
  readonly failing = new Set<number>();
  readonly waiting: (() => void)[] = [];
  holds = false;
  /** Why nothing can be loaded any more. */
  failure: Error | undefined;
  readonly checked = new Set<boolean>();

  async loadTogether(places: readonly SegmentPlace[], into: Uint8Array, checkBlocks: boolean): Promise<boolean> {
    this.checked.add(checkBlocks);
    if (this.failure !== undefined) throw this.failure;
    this.loaded.push(places.map(({ number }) => number));
    if (this.holds) await new Promise<void>((resolve) => this.waiting.push(resolve));
    if (places.some(({ number }) => this.failing.has(number))) return false;
    let end = 0;
    for (const { number, maximumPlainBytes } of places) {
      into.fill(number, end, end + maximumPlainBytes);
      end += maximumPlainBytes;
    }
    return true;
  }

  async load(place: SegmentPlace, into: Uint8Array): Promise<number> {
    if (this.failing.has(place.number)) throw new HoldfastError('archive.damaged');
    into.fill(place.number);
    return place.maximumPlainBytes;
  }
}

function readerOf(store: FakeStore, plan: readonly number[], ahead = 3): SegmentReader {
  const place = (number: number): SegmentPlace => ({
    number,
    kind: 0,
    offset: 0,
    length: 1,
    maximumPlainBytes: 1 + (number % 16),
  });
  return new SegmentReader({
    store: store as unknown as BlockStore,
    place,
    plan,
    ahead,
    memory: new BulkMemory(),
    checkBlocks: true,
  });
}

async function check(reader: SegmentReader, number: number): Promise<void> {
  const lease = await reader.get(number);
  assert.deepEqual([...lease.bytes], Array(1 + (number % 16)).fill(number));
  lease.release();
}

/** No two of these are consecutive, so that each is a group of its own. */
const plan = Array.from({ length: 40 }, (_, index) => index * 2);

test('a plan is read once, in order, and ahead', async () => {
  const store = new FakeStore();
  const reader = readerOf(store, plan);
  const first = await reader.get(0);
  assert.deepEqual(store.loaded, [[0], [2], [4], [6]]);
  first.release();
  for (const number of plan) await check(reader, number);
  assert.deepEqual(
    store.loaded,
    plan.map((number) => [number]),
  );
});

test('consecutive segments are loaded together, each once, also where one of them fails', async () => {
  for (const failing of [[], [5], [4, 9]]) {
    const store = new FakeStore();
    for (const number of failing) store.failing.add(number);
    const numbers = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 20];
    const reader = readerOf(store, numbers);
    for (const number of numbers) {
      if (failing.includes(number)) await assert.rejects(reader.get(number), { code: 'archive.damaged' });
      else await check(reader, number);
    }
    assert.ok(store.loaded.length < numbers.length);
    assert.deepEqual(store.loaded.flat(), numbers);
    for (const number of [11, 3, 20, 2, 0, 10]) await check(reader, number);
  }
});

test('no more is loaded at once than is read ahead', async () => {
  const store = new FakeStore();
  store.holds = true;
  const reader = readerOf(store, plan);
  const getting = reader.get(0);
  await turns();
  assert.equal(store.waiting.length, 4);
  for (const go of store.waiting.splice(0)) go();
  (await getting).release();
  await turns();
  assert.equal(store.waiting.length, 0);
});

test('going back, skipping, and asking for what is not planned is right', async () => {
  const store = new FakeStore();
  const reader = readerOf(store, plan);
  const asked = [0, 2, 0, 40, 1, 3, 78, 0, 76, 41, 2, 2, 60, 58, 56, 54, 52, 50, 0, 79];
  for (let round = 0; round < 5; round++) for (const number of asked) await check(reader, number);
});

test('a segment that is lent stays as it is while others pass', async () => {
  const store = new FakeStore();
  const reader = readerOf(store, plan);
  const lease = await reader.get(10);
  for (const number of plan.slice(6)) await check(reader, number);
  assert.deepEqual([...lease.bytes], Array(11).fill(10));
  lease.release();
  for (const number of plan) await check(reader, number);
});

test('two leases of one segment are the same bytes, loaded once', async () => {
  const store = new FakeStore();
  const reader = readerOf(store, []);
  const [one, other] = await Promise.all([reader.get(7), reader.get(7)]);
  assert.equal(one.bytes, other.bytes);
  assert.deepEqual(store.loaded, [[7]]);
  one.release();
  other.release();
});

test('a segment that fails is an error for who asks for it, every time, and holds no buffer', async () => {
  const store = new FakeStore();
  for (const number of plan) if (number % 3 === 0) store.failing.add(number);
  const reader = readerOf(store, plan);
  for (let round = 0; round < 4; round++) {
    for (const number of plan) {
      if (store.failing.has(number)) await assert.rejects(reader.get(number), { code: 'archive.damaged' });
      else await check(reader, number);
    }
  }
  store.failing.clear();
  for (const number of plan) await check(reader, number);
});

test('many that ask at once for a segment that fails are all told', async () => {
  const store = new FakeStore();
  store.failing.add(4);
  const reader = readerOf(store, plan);
  for (let round = 0; round < 20; round++) {
    const asked = await Promise.allSettled([reader.get(4), reader.get(4)]);
    assert.ok(asked.every(({ status }) => status === 'rejected'));
  }
  await check(reader, 6);
});

test('read-ahead that fails is no error while nobody asks', async () => {
  const store = new FakeStore();
  store.failing.add(2);
  const reader = readerOf(store, plan);
  await check(reader, 0);
  await turns();
  await check(reader, 8);
});

test('a storage that fails is an error for all who ask, and holds no buffer', async () => {
  const store = new FakeStore();
  const reader = readerOf(store, plan);
  store.failure = new HoldfastError('storage.unavailable');
  await assert.rejects(reader.get(0), { code: 'storage.unavailable' });
  // What was read ahead has failed as well, and nobody asked for it yet.
  await new Promise((resolve) => setImmediate(resolve));
  for (const number of plan) await assert.rejects(reader.get(number), { code: 'storage.unavailable' });
  assert.deepEqual([...store.checked], [true]);
  await turns();
});

test('what was asked for last is kept: three groups beside those that are read ahead', async () => {
  const store = new FakeStore();
  const reader = readerOf(store, [], 2);
  for (const number of [0, 2, 4, 6]) await check(reader, number);
  assert.equal(store.loaded.length, 4);
  for (const number of [0, 2, 4, 6]) await check(reader, number);
  assert.equal(store.loaded.length, 4, 'four are there, and one is lent');
  await check(reader, 8);
  await check(reader, 2);
  assert.equal(store.loaded.length, 5);
  await check(reader, 0);
  assert.equal(store.loaded.length, 6, 'the one that was used longest ago is gone');
});

test('closed, all memory is given back', async () => {
  const store = new FakeStore();
  const memory = new BulkMemory();
  const place = (number: number): SegmentPlace => ({ number, kind: 0, offset: 0, length: 1, maximumPlainBytes: 5 });
  const options = { store: store as unknown as BlockStore, place, plan, ahead: 2, memory, checkBlocks: false };
  const reader = new SegmentReader(options);
  const { bytes, release } = await reader.get(0);
  release();
  reader.close();
  await turns();
  const buffers = new Set(Array.from({ length: 3 }, () => memory.take(2 * 700_000).buffer));
  assert.ok(buffers.has(bytes.buffer));
  assert.deepEqual([...store.checked], [false]);
});
