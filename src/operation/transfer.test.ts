import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../errors.ts';
import type { Source } from '../source/source.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import type { OpenedObject, StorageWriter, WriterOptions } from '../storage/storage.ts';
import { ForwardingStorage, ForwardingWriter, forwardReads } from '../storage/wrap/forwarding-storage.ts';
import { createBackup } from './backup.ts';
import { syncStorages } from './sync.ts';
import { transferArchive } from './transfer.ts';

const source: Source = {
  name: 'one',
  describe: async () => ({ type: 'files', label: 'one', expectedSizeBytes: 3 }),
  async *entries() {
    const open = async function* () {
      yield Buffer.from('one');
    };
    yield { path: 'files/one', kind: 'file', expectedSizeBytes: 3, metadata: {}, open };
  },
  close: async () => undefined,
};

class DoublingWriter extends ForwardingWriter {
  override async write(bytes: Uint8Array): Promise<void> {
    await this.inner.write(bytes);
    await this.inner.write(bytes);
  }
}

/** Stores twice what is sent once, as a repeated request does of which the first one arrived after all. */
class DoublingStorage extends ForwardingStorage {
  override async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    return new DoublingWriter(await this.inner.writer(name, options));
  }
}

/** Fails from an offset on, a little after it was asked; what is written waits until it has. */
class FailingStorage extends ForwardingStorage {
  readonly hasFailed = Promise.withResolvers<void>();
  readonly failsFrom = 3 * 2 ** 20;

  override async open(name: string): Promise<OpenedObject> {
    return forwardReads(await this.inner.open(name), async (plain, _, offset) => {
      if (offset < this.failsFrom) return await plain();
      setImmediate(() => setImmediate(() => this.hasFailed.resolve()));
      throw new HoldfastError('storage.unavailable');
    });
  }
}

test('a read ahead that fails while what comes before it is still written ends that copy, and nothing else', async () => {
  const from = new FailingStorage(new MemoryStorage());
  const writer = await from.writer('one.holdfast', { copies: 1 });
  await writer.write(new Uint8Array(6 * 2 ** 20));
  await writer.commit();
  const inner = new MemoryStorage();
  const to = new ForwardingStorage(inner);
  to.writer = async (name, options) => {
    const slow = await inner.writer(name, options);
    const write = slow.write.bind(slow);
    slow.write = async (bytes) => {
      await from.hasFailed.promise;
      await write(bytes);
    };
    return slow;
  };
  const unhandled: unknown[] = [];
  const hear = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', hear);
  try {
    const name = 'one.holdfast';
    const run = { threads: 0 };
    const transfer = transferArchive({ from: [{ storage: from, name }], to: { storage: to, name }, run });
    await assert.rejects(transfer, { code: 'storage.unavailable' });
  } finally {
    process.off('unhandledRejection', hear);
  }
  assert.deepEqual(unhandled, []);
  for await (const { name } of inner.list()) assert.fail(`${name} is there`);
});

test('a copy that stands there twice over is no copy', async () => {
  const from = new MemoryStorage();
  const output = { storage: from, name: 'one.holdfast' };
  await createBackup({ threads: 0, sources: [source], output, encryption: 'none' });
  const to = new MemoryStorage();
  const { archives } = await syncStorages({ threads: 0, from, to: new DoublingStorage(to) });
  assert.deepEqual(
    archives.map(({ error }) => error?.code),
    ['archive.verify_failed'],
  );
  for await (const { name } of to.list()) assert.fail(`${name} is there`);
  assert.equal((await syncStorages({ threads: 0, from, to })).copiedCount, 1);
});
