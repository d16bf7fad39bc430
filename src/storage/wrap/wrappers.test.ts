import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../testing/fake-clock.ts';
import { FaultyStorage } from '../../testing/faulty-storage.ts';
import { bytesOf, get, put, readAll } from '../../testing/storage-case.ts';
import { LocalStorage } from '../local/local-storage.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import { logStorage, type StorageCall } from './log.ts';
import { prefixStorage } from './prefix.ts';
import { readOnlyStorage } from './read-only.ts';
import { throttleStorage } from './throttle.ts';

test('a rate holds for all objects together, each way by itself, and counts each copy', async () => {
  const clock = new FakeClock();
  const rates = { readBytesPerSecond: 2000, writeBytesPerSecond: 1000 };
  const storage = throttleStorage(new MemoryStorage(), { ...rates, clock, wait: clock.wait });
  const writers = await Promise.all(['a', 'b'].map((name) => storage.writer(name, { copies: 2 })));
  for (const writer of writers) await writer.write(new Uint8Array(1000));
  assert.equal(clock.monotonicMs(), 4000);
  for (const writer of writers) await writer.commit();
  assert.equal(clock.monotonicMs(), 4000);
  const access = await storage.open('a');
  await readAll(access);
  assert.equal(clock.monotonicMs(), 5000);
  // What was not used is not saved up.
  clock.advance(60_000);
  await readAll(access);
  assert.equal(clock.monotonicMs(), 66_000);
});

test('one way may be free; small pieces add up to one pause', async () => {
  const clock = new FakeClock();
  const storage = throttleStorage(new MemoryStorage(), { writeBytesPerSecond: 1000, clock, wait: clock.wait });
  const writer = await storage.writer('a', { copies: 1 });
  for (let count = 0; count < 100; count += 1) await writer.write(new Uint8Array(1));
  assert.ok(clock.monotonicMs() > 75 && clock.monotonicMs() <= 100, `${clock.monotonicMs()} ms`);
  await writer.commit();
  const waitedMs = clock.monotonicMs();
  assert.equal((await get(storage, 'a')).length, 100);
  assert.equal(clock.monotonicMs(), waitedMs);
});

test('a signal ends the pause of a write', async () => {
  const clock = new FakeClock();
  const storage = throttleStorage(new MemoryStorage(), { writeBytesPerSecond: 1, clock, wait: clock.wait });
  const controller = new AbortController();
  const writer = await storage.writer('a', { copies: 1, signal: controller.signal });
  const writing = writer.write(new Uint8Array(1000));
  controller.abort();
  await assert.rejects(writing, { code: 'operation.interrupted' });
  await writer.abort();
});

test('read-only refuses to write and to delete, and says how to allow it', async () => {
  const inner = new MemoryStorage();
  await put(inner, 'x', 'kept');
  const storage = readOnlyStorage(inner);
  await assert.rejects(storage.writer('x', { copies: 1 }), { code: 'storage.read_only', hint: /readOnly/ });
  await assert.rejects(storage.delete('x'), { code: 'storage.read_only' });
  await assert.rejects(storage.delete('../x'), { code: 'storage.unauthorized' });
  assert.equal(await get(storage, 'x'), 'kept');
});

test('a prefix shows what is below it alone, and cannot be left', async () => {
  const inner = new MemoryStorage();
  await put(inner, 'shop/a', 'of the shop');
  await put(inner, 'shopping/a', 'of another');
  const storage = prefixStorage(inner, 'shop');
  const names: string[] = [];
  for await (const { name } of storage.list()) names.push(name);
  assert.deepEqual(names, ['a']);
  assert.equal(storage.url('a'), 'memory:shop/a');
  assert.match(storage.properties.place, /shop/);
  await assert.rejects(storage.open('../shopping/a'), { code: 'storage.unauthorized' });
  assert.throws(() => prefixStorage(inner, '/shop'), { code: 'storage.unauthorized' });
});

test('the log tells each call with its bytes, its time and its code', async () => {
  const clock = new FakeClock();
  const calls: StorageCall[] = [];
  const faulty = new FaultyStorage(new MemoryStorage({ clock }), { seed: 1 });
  const storage = logStorage(faulty, { clock, onCall: (call) => calls.push(call) });
  const writer = await storage.writer('x', { copies: 2 });
  await writer.write(bytesOf('12345'));
  await writer.commit(async (stored) => void (await readAll(stored)));
  assert.equal(await get(storage, 'x'), '1234512345');
  for await (const _ of storage.list('x')) clock.advance(30);
  await assert.rejects(storage.stat('y'), { code: 'storage.not_found' });
  faulty.faults = { readErrorRate: 1 };
  await assert.rejects(get(storage, 'x'), { code: 'storage.unavailable' });
  await storage.delete('x');
  assert.deepEqual(
    calls.map(({ operation, name, sizeBytes, durationMs, errorCode }) =>
      [operation, name, sizeBytes, durationMs, errorCode ?? ''].join(' ').trim(),
    ),
    [
      'writer x 0 0',
      'write x 5 0',
      'read x 10 0',
      'commit x 10 0',
      'open x 0 0',
      'read x 10 0',
      'list x 0 30',
      'stat y 0 0 storage.not_found',
      'open x 0 0',
      'read x 0 0 storage.unavailable',
      'delete x 0 0',
    ],
  );
});

test('what is read back while it is written goes through the wrappers too', async () => {
  const { mkdtemp, rm } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const folder = await mkdtemp(`${tmpdir()}/holdfast-wrap-`);
  try {
    const clock = new FakeClock();
    const calls: StorageCall[] = [];
    const slow = throttleStorage(new LocalStorage({ root: folder }), {
      readBytesPerSecond: 1_000_000,
      clock,
      wait: clock.wait,
    });
    const storage = prefixStorage(logStorage(slow, { onCall: (call) => calls.push(call) }), 'p');
    const writer = await storage.writer('x', { copies: 1 });
    await writer.write(new Uint8Array(4 * 1024 * 1024));
    const readBack = writer.readBack;
    assert.ok(readBack?.isKept);
    const into = new Uint8Array(100_000);
    const isRead = await readBack.read(0, 0, into);
    assert.equal(clock.monotonicMs(), isRead ? 100 : 0);
    assert.equal(calls.filter(({ operation }) => operation === 'read').length, 1);
    await writer.abort();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
