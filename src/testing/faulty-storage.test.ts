import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { FaultyStorage, type StorageFaults } from './faulty-storage.ts';
import { SeededRandom } from './seeded-random.ts';

const original = new SeededRandom(1).bytes(100 * 4096);
let inner: MemoryStorage;
beforeEach(async () => {
  inner = new MemoryStorage();
  await put(inner, 'x', original);
});

async function put(storage: Storage, name: string, bytes: Uint8Array): Promise<void> {
  const writer = await storage.writer(name, { copies: 1 });
  await writer.write(bytes);
  await writer.commit();
}

async function faulty(faults: StorageFaults, seed = 1) {
  const access = await new FaultyStorage(inner, { seed, faults }).open('x');
  return async (offset: number, length: number) => {
    const into = new Uint8Array(length);
    return into.subarray(0, await access.read(offset, into));
  };
}

async function countRejected(
  code: string,
  count: number,
  read: (index: number) => Promise<unknown>,
): Promise<number[]> {
  const rejected: number[] = [];
  for (let index = 0; index < count; index += 1) {
    try {
      await read(index);
    } catch (error) {
      assert.ok(error instanceof Error && 'code' in error);
      assert.equal(error.code, code);
      rejected.push(index);
    }
  }
  return rejected;
}

test('reads fail at their rate, and pass when tried again', async () => {
  const read = await faulty({ readErrorRate: 0.3 });
  const rejected = await countRejected('storage.unavailable', 200, () => read(0, 10));
  assert.ok(rejected.length > 40 && rejected.length < 80, `${rejected.length}`);
});

test('bad sectors stay bad, and only they', async () => {
  const read = await faulty({ badSectorFraction: 0.2 });
  const bad = await countRejected('storage.failed', 100, (sector) => read(sector * 4096, 4096));
  assert.ok(bad.length > 8 && bad.length < 35, `${bad.length}`);
  assert.deepEqual(await countRejected('storage.failed', 100, (sector) => read(sector * 4096 + 4095, 1)), bad);
  const straddling = await countRejected('storage.failed', 99, (sector) => read(sector * 4096 + 4095, 2));
  assert.deepEqual(
    straddling,
    [...Array(99).keys()].filter((sector) => bad.includes(sector) || bad.includes(sector + 1)),
  );
});

test('short reads give at least a byte, and right ones', async () => {
  const read = await faulty({ shortReadRate: 0.5 });
  let short = 0;
  for (let index = 0; index < 100; index += 1) {
    const bytes = await read(index, 50);
    assert.ok(bytes.length >= 1);
    assert.deepEqual(bytes, original.slice(index, index + bytes.length));
    if (bytes.length < 50) short += 1;
  }
  assert.ok(short > 30 && short < 70, `${short}`);
});

test('rot is at its rate, and alike however it is read', async () => {
  const read = await faulty({ bitRotRate: 0.001 });
  const whole = await read(0, original.length);
  const changed = whole.filter((byte, index) => byte !== original[index]).length;
  assert.ok(changed > 320 && changed < 500, `${changed}`);
  for (const [offset, length] of [
    [0, 1],
    [4095, 2],
    [1234, 56_789],
    [original.length - 5, 99],
  ] as const) {
    assert.equal(Buffer.compare(await read(offset, length), whole.slice(offset, offset + length)), 0);
  }
  const other = await (await faulty({ bitRotRate: 0.001 }, 2))(0, original.length);
  assert.notEqual(Buffer.compare(other, whole), 0);
});

test('rot is seen by the check of a commit', async () => {
  const storage = new FaultyStorage(inner, { seed: 1, faults: { bitRotRate: 0.5 } });
  const writer = await storage.writer('y', { copies: 1 });
  await writer.write(original);
  const commit = writer.commit(async (stored) => {
    const bytes = new Uint8Array(stored.sizeBytes);
    await stored.read(0, bytes);
    assert.equal(Buffer.compare(bytes, original), 0);
  });
  await assert.rejects(commit, assert.AssertionError);
  await assert.rejects(storage.stat('y'), { code: 'storage.not_found' });
});

test('a write fails where told, not a byte before', async () => {
  const storage = new FaultyStorage(inner, { seed: 1 });
  storage.faults = { writeFailure: { atByte: 10 } };
  await put(storage, 'x', original.subarray(0, 10));
  await assert.rejects(put(storage, 'x', original.subarray(0, 11)), { code: 'storage.full' });
  storage.faults = { writeFailure: { atByte: 0, code: 'storage.unavailable' } };
  await assert.rejects(put(storage, 'x', original), { code: 'storage.unavailable' });
  assert.equal((await storage.stat('x')).sizeBytes, 10);
});

test('a commit fails before the object appears, or after', async () => {
  const before = new FaultyStorage(inner, { seed: 1, faults: { commitFailure: { when: 'before' } } });
  await assert.rejects(put(before, 'x', original.subarray(1)), { code: 'storage.unavailable' });
  assert.equal((await inner.stat('x')).sizeBytes, original.length);
  const faults: StorageFaults = { commitFailure: { when: 'after', code: 'storage.failed' } };
  const after = new FaultyStorage(inner, { seed: 1, faults });
  await assert.rejects(put(after, 'x', original.subarray(1)), { code: 'storage.failed' });
  assert.equal((await inner.stat('x')).sizeBytes, original.length - 1);
});

test('calls fail at their rate, a listing on its way too', async () => {
  const storage = new FaultyStorage(inner, { seed: 1, faults: { callErrorRate: 0.25 } });
  const calls = [
    () => storage.open('x'),
    () => storage.stat('x'),
    () => storage.delete('y'),
    () => storage.writer('y', { copies: 1 }),
    async () => void (await storage.list()[Symbol.asyncIterator]().next()),
  ];
  for (const call of calls) {
    const { length } = await countRejected('storage.unavailable', 400, async () => call());
    assert.ok(length > 60 && length < 140, `${length}`);
  }
  for (let index = 0; index < 1000; index += 1) await put(inner, `many/${index}`, new Uint8Array(0));
  const worse = new FaultyStorage(inner, { seed: 1, faults: { callErrorRate: 0.8 } });
  let listed = 0;
  const listing = async () => {
    for await (const _ of worse.list('many/')) listed += 1;
  };
  while (listed === 0) await assert.rejects(listing(), { code: 'storage.unavailable' });
  assert.ok(listed < 1000);
});

test('a write that stalls ends with its signal, and not before', async () => {
  const storage = new FaultyStorage(inner, { seed: 1, faults: { writeStall: { atByte: 10 } } });
  const controller = new AbortController();
  const writer = await storage.writer('y', { copies: 1, signal: controller.signal });
  await writer.write(new Uint8Array(10));
  let isOver = false;
  const writing = assert.rejects(writer.write(new Uint8Array(1)), { code: 'operation.interrupted' });
  void writing.then(() => {
    isOver = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(!isOver);
  controller.abort();
  await writing;
});
