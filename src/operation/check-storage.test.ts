import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import { LocalStorage } from '../storage/local/local-storage.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import { ForwardingStorage } from '../storage/wrap/forwarding-storage.ts';
import { readOnlyStorage } from '../storage/wrap/read-only.ts';
import { FaultyStorage } from '../testing/faulty-storage.ts';
import { put } from '../testing/storage-case.ts';
import { checkStorage } from './check-storage.ts';

async function namesIn(storage: ForwardingStorage | MemoryStorage): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list()) names.push(name);
  return names;
}

test('a sound storage passes all, keeps what it held, and nothing of the check stays', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-check-'));
  try {
    await writeFile(join(folder, 'shop.holdfast'), 'kept');
    const seen: string[] = [];
    const storage = new LocalStorage({ root: folder });
    const report = await checkStorage({ storage, onStep: ({ name }) => seen.push(name) });
    const notPassed = report.steps.filter(({ state }) => state !== 'passed');
    assert.deepEqual(
      notPassed.map(({ name, state }) => `${name} ${state}`),
      ['a listing of more than a thousand objects gives each once skipped'],
    );
    assert.ok(report.passed && report.backend === 'local' && seen.length === report.steps.length);
    assert.deepEqual(await readdir(folder), ['shop.holdfast']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('many objects are tried where that is asked for', async () => {
  const { steps, passed } = await checkStorage({ storage: new MemoryStorage(), manyObjects: true });
  assert.ok(passed && steps.every(({ state }) => state === 'passed'));
});

test('a missing right is named by what the storage says of it, and the cases are not tried', async () => {
  const storage = new ForwardingStorage(new MemoryStorage());
  storage.delete = async () => {
    throw new HoldfastError('storage.unauthorized', { message: 's3:DeleteObject is not allowed', hint: 'allow it' });
  };
  const { passed, steps, leftovers } = await checkStorage({ storage });
  assert.ok(!passed);
  assert.deepEqual(
    steps.filter(({ state }) => state === 'failed').map(({ name, error }) => [name, error]),
    [['delete it', { code: 'storage.unauthorized', message: 's3:DeleteObject is not allowed', hint: 'allow it' }]],
  );
  assert.ok(steps.every(({ part }) => part === 'rights'));
  assert.equal(leftovers.length, 1);
  const readOnly = await checkStorage({ storage: readOnlyStorage(new MemoryStorage()) });
  assert.equal(readOnly.steps.find(({ name }) => name === 'write an object')?.error?.code, 'storage.read_only');
  assert.deepEqual(readOnly.leftovers, []);
});

test('a broken promise of the contract is named, and the rest is tried all the same', async () => {
  const inner = new MemoryStorage();
  await put(inner, 'kept', 'x');
  const storage = new ForwardingStorage(inner);
  storage.writer = async (name, options) => {
    const writer = await inner.writer(name, { ...options, copies: 1 });
    return {
      write: (bytes) => writer.write(bytes),
      commit: (check) => writer.commit(check),
      abort: () => writer.abort(),
    };
  };
  const { steps, passed } = await checkStorage({ storage });
  const failed = steps.filter(({ state }) => state === 'failed');
  assert.ok(!passed && failed.length > 2 && failed.every(({ part }) => part === 'contract'));
  assert.ok(failed.some(({ name }) => name.startsWith('copies: 2')));
  assert.ok(steps.filter(({ state }) => state === 'passed').length > 25);
  assert.deepEqual(await namesIn(inner), ['kept']);
});

test('what a storage cannot, and Holdfast does without, is no failure', async () => {
  const inner = new MemoryStorage();
  const storage = new ForwardingStorage(inner);
  storage.writer = async (name, options) => {
    const writer = await inner.writer(name, options);
    const commit: typeof writer.commit = async (check) => {
      const stored = await writer.commit();
      try {
        if (check) await check(await inner.open(name));
        if (options.signal?.aborted) throw new HoldfastError('operation.interrupted');
      } catch (error) {
        await inner.delete(name);
        throw error;
      }
      return stored;
    };
    return { write: (bytes) => writer.write(bytes), commit, abort: () => writer.abort() };
  };
  const { steps } = await checkStorage({ storage });
  const unsupported = steps.filter(({ state }) => state === 'unsupported').map(({ name }) => name);
  assert.deepEqual(unsupported, ['a check runs before the object appears', 'a failing check leaves the old object']);
});

test('a storage that never answers is given up step by step', async () => {
  const storage = new FaultyStorage(new MemoryStorage(), { seed: 1, faults: { writeStall: { atByte: 0 } } });
  const { steps, passed } = await checkStorage({ storage, stepTimeoutMs: 50 });
  assert.ok(!passed);
  assert.equal(steps.find(({ name }) => name === 'write an object')?.error?.code, 'storage.timeout');
});

test('where the storage is out of reach, one answer is enough', async () => {
  const storage = new FaultyStorage(new MemoryStorage(), { seed: 1, faults: { callErrorRate: 1 } });
  const { steps, passed, leftovers } = await checkStorage({ storage });
  assert.ok(!passed && leftovers.length === 0);
  assert.deepEqual([steps[0]?.state, steps[0]?.error?.code], ['failed', 'storage.unavailable']);
  assert.ok(steps.length > 5 && steps.slice(1).every(({ state }) => state === 'skipped'));
});
