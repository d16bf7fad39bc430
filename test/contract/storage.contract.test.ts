import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { LocalStorage } from '../../src/storage/local/local-storage.ts';
import { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { SpreadStorage } from '../../src/storage/spread/spread-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { ForwardingStorage } from '../../src/storage/wrap/forwarding-storage.ts';
import { logStorage } from '../../src/storage/wrap/log.ts';
import { prefixStorage } from '../../src/storage/wrap/prefix.ts';
import { readOnlyStorage } from '../../src/storage/wrap/read-only.ts';
import { retryStorage } from '../../src/storage/wrap/retry.ts';
import { type AppendWriter, openSpooledWriter } from '../../src/storage/wrap/spool.ts';
import { throttleStorage } from '../../src/storage/wrap/throttle.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { FaultyStorage } from '../../src/testing/faulty-storage.ts';
import { storageCases } from '../../src/testing/storage-cases.ts';
import { ArchivedStorage } from './archived-storage.ts';

let folder: string;
let count = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-contract-'));
});
after(async () => {
  await workers.close();
  await rm(folder, { recursive: true, force: true });
});

const workers = new WorkerPool(1);

function localStorage(): LocalStorage {
  count += 1;
  // Its root is not there yet: that is an empty storage too.
  return new LocalStorage({ root: join(folder, `${count}`, 'root') });
}

/** What is written goes through a spool, as to a storage that can only append. */
function spooledStorage(): Storage {
  const storage = new MemoryStorage();
  const writer = storage.writer.bind(storage);
  storage.writer = (name, options) =>
    openSpooledWriter(async (): Promise<AppendWriter> => {
      const inner = await writer(name, { copies: 1, createOnly: options.createOnly ?? false });
      return {
        append: (bytes) => inner.write(bytes),
        commit: (check) => inner.commit(check),
        abort: () => inner.abort(),
      };
    }, options);
  return storage;
}

/** What a read-only storage holds has to get there past it. */
class WrittenBehind extends ForwardingStorage {
  readonly #readable: Storage;

  constructor(inner: Storage) {
    super(inner);
    this.#readable = readOnlyStorage(inner);
  }

  override open(name: string) {
    return this.#readable.open(name);
  }

  override stat(name: string) {
    return this.#readable.stat(name);
  }

  override list(prefix?: string) {
    return this.#readable.list(prefix);
  }

  override url(name: string) {
    return this.#readable.url(name);
  }
}

function throttled(): Storage {
  const clock = new FakeClock();
  const rates = { readBytesPerSecond: 1000, writeBytesPerSecond: 1000 };
  return throttleStorage(new MemoryStorage(), { ...rates, clock, wait: clock.wait });
}

function retried(): Storage {
  const clock = new FakeClock();
  const unsteady = new FaultyStorage(new MemoryStorage(), {
    seed: 2,
    faults: { callErrorRate: 0.3, readErrorRate: 0.3 },
  });
  return retryStorage(unsteady, { tries: 100, totalTimeMs: 1e9, clock, wait: clock.wait });
}

function spread(): SpreadStorage {
  const members = ['a', 'b', 'c'].map((label) => ({ label, storage: new MemoryStorage() }));
  return new SpreadStorage({ shape: { data: 2, parity: 1 }, members });
}

const adapters: Readonly<Record<string, () => Storage>> = {
  local: localStorage,
  memory: () => new MemoryStorage(),
  'spooled, on memory': spooledStorage,
  'faulty without faults, on memory': () => new FaultyStorage(new MemoryStorage(), { seed: 1 }),
  'retry, of an unsteady storage': retried,
  'throttle, on memory': throttled,
  'read-only, written from behind': () => new WrittenBehind(new MemoryStorage()),
  'prefix, on memory': () => prefixStorage(new MemoryStorage(), 'a/b'),
  'prefix, on local': () => prefixStorage(localStorage(), 'shop'),
  'log, on memory': () => logStorage(new MemoryStorage(), { onCall: () => undefined }),
  'all wrappers at once': () => prefixStorage(logStorage(retried(), { onCall: () => undefined }), 'deep'),
  'spread over three': () => new ArchivedStorage(spread(), workers),
  'faulty without faults, on local': () => new FaultyStorage(localStorage(), { seed: 1 }),
};

for (const [adapter, make] of Object.entries(adapters)) {
  describe(adapter, () => {
    for (const each of storageCases) {
      const isLeftOut = each.needs?.includes('many objects') && adapter.includes('local');
      const skip = isLeftOut ? 'a folder is not listed in pages, and syncing a thousand files takes long' : false;
      test(each.name, { skip }, () => each.run(async () => make()));
    }
  });
}

test('the cases have names of their own', () => {
  assert.equal(new Set(storageCases.map((each) => each.name)).size, storageCases.length);
});

test('the cases notice a storage that publishes before commit', async () => {
  const eager = new MemoryStorage();
  const writer = eager.writer.bind(eager);
  eager.writer = async (name, options) => {
    await (await writer(name, options)).commit();
    return writer(name, options);
  };
  const broken = storageCases.find((each) => each.name === 'an object appears at commit, not before');
  await assert.rejects(async () => broken?.run(async () => eager), assert.AssertionError);
});
