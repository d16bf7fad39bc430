import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Source } from '../source/source.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import type { StorageWriter, WriterOptions } from '../storage/storage.ts';
import { ForwardingStorage, ForwardingWriter } from '../storage/wrap/forwarding-storage.ts';
import { createBackup } from './backup.ts';
import { syncStorages } from './sync.ts';

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
