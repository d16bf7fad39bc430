import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, HoldfastError } from '../../errors.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { bytesOf, put } from '../../testing/storage-case.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type { Storage, StoredObject } from '../storage.ts';
import { ForwardingStorage } from './forwarding-storage.ts';
import { type RetrySettings, retryStorage } from './retry.ts';

/** A storage whose `stat` and `list` fail as often as told. */
class Unsteady extends ForwardingStorage {
  calls = 0;
  failures: (HoldfastError | undefined)[] = [];
  /** A listing fails before each of these objects, once. */
  readonly failBefore = new Set<string>();

  override async stat(name: string): Promise<StoredObject> {
    this.calls += 1;
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    return this.inner.stat(name);
  }

  override async *list(prefix?: string): AsyncIterable<StoredObject> {
    for await (const object of this.inner.list(prefix)) {
      if (this.failBefore.delete(object.name)) throw new HoldfastError('storage.timeout');
      yield object;
    }
  }
}

async function setUp(settings: RetrySettings = {}) {
  const inner = new MemoryStorage();
  await put(inner, 'x', 'x');
  const unsteady = new Unsteady(inner);
  const clock = new FakeClock();
  const controller = new AbortController();
  const options = { clock, wait: clock.wait, random: new SeededRandom(1), signal: controller.signal };
  return { unsteady, clock, controller, storage: retryStorage(unsteady, { ...settings, ...options }) };
}

const failures = (count: number, code: ErrorCode = 'storage.unavailable', context = {}) =>
  Array.from({ length: count }, () => new HoldfastError(code, { context }));

test('what fails for a moment is repeated, with pauses that grow, and no more often than the tries', async () => {
  const { unsteady, clock, storage } = await setUp({ firstDelayMs: 1000 });
  unsteady.failures = failures(4);
  await storage.stat('x');
  assert.equal(unsteady.calls, 5);
  const waitedMs = clock.monotonicMs();
  assert.ok(waitedMs >= 7500 && waitedMs <= 15_000, `${waitedMs} ms of 1, 2, 4 and 8 s, each by half at least`);
  unsteady.calls = 0;
  unsteady.failures = failures(5);
  await assert.rejects(storage.stat('x'), { code: 'storage.unavailable' });
  assert.equal(unsteady.calls, 5);
});

test('no pause is longer than the longest, and none ends after the time for all', async () => {
  const { unsteady, clock, storage } = await setUp({ tries: 100, maximumDelayMs: 4000, totalTimeMs: 30_000 });
  unsteady.failures = failures(100);
  await assert.rejects(storage.stat('x'), { code: 'storage.unavailable' });
  assert.ok(clock.monotonicMs() <= 30_000 && clock.monotonicMs() > 22_000, `${clock.monotonicMs()} ms`);
  assert.ok(unsteady.calls > 9);
});

test('a storage that says how long to wait is waited for so long', async () => {
  const { unsteady, clock, storage } = await setUp();
  unsteady.failures = failures(1, 'storage.throttled', { retryAfterMs: 20_000 });
  await storage.stat('x');
  assert.equal(clock.monotonicMs(), 20_000);
  unsteady.failures = failures(1, 'storage.throttled', { retryAfterMs: 3_600_000 });
  await assert.rejects(storage.stat('x'), { code: 'storage.throttled' });
});

test('what a moment does not mend is not repeated', async () => {
  const codes: ErrorCode[] = ['storage.full', 'storage.unauthorized', 'storage.not_found', 'storage.failed'];
  for (const code of codes) {
    const { unsteady, storage } = await setUp();
    unsteady.failures = failures(1, code);
    await assert.rejects(storage.stat('x'), { code });
    assert.equal(unsteady.calls, 1, code);
  }
});

test('a signal ends the pauses', async () => {
  const { unsteady, controller, storage } = await setUp();
  unsteady.failures = failures(1);
  controller.abort();
  await assert.rejects(storage.stat('x'), { code: 'operation.interrupted' });
});

test('a listing goes on where it stopped, each object once; one that never gets further ends', async () => {
  const { unsteady, storage } = await setUp();
  const names = ['x', ...Array.from({ length: 20 }, (_, index) => `n${index}`)];
  for (const name of names.slice(1)) await put(unsteady, name, name);
  const listed = async () => {
    const found: string[] = [];
    for await (const { name } of storage.list()) found.push(name);
    return found;
  };
  for (const name of names) unsteady.failBefore.add(name);
  assert.deepEqual((await listed()).sort(), [...names].sort());
  unsteady.list = async function* () {
    yield { name: 'x', sizeBytes: 1, modifiedMs: 0 };
    throw new HoldfastError('storage.unavailable');
  };
  await assert.rejects(listed(), { code: 'storage.unavailable' });
});

test('a write and a commit are not repeated: nobody knows how much of them arrived', async () => {
  const inner: Storage = new MemoryStorage();
  let calls = 0;
  const failing = new ForwardingStorage(inner);
  failing.writer = async (name, options) => {
    const writer = await inner.writer(name, options);
    const fail = async (): Promise<never> => {
      calls += 1;
      throw new HoldfastError('storage.unavailable');
    };
    return { write: fail, commit: fail, abort: () => writer.abort() };
  };
  const clock = new FakeClock();
  const writer = await retryStorage(failing, { clock, wait: clock.wait }).writer('x', { copies: 1 });
  await assert.rejects(writer.write(bytesOf('x')), { code: 'storage.unavailable' });
  await assert.rejects(writer.commit(), { code: 'storage.unavailable' });
  assert.equal(calls, 2);
});
