import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { storageAdapters } from '../storage/adapters.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { openStorage } from './open-storage.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-open-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('settings are opened relative to a folder, with a rate and read-only where they say so', async () => {
  const clock = new FakeClock();
  const options = { folder, clock, wait: clock.wait };
  const storage = await openStorage({ backend: 'local', path: 'near', throttle: 1000 }, options);
  assert.equal(storage.url('x'), join(folder, 'near/x'));
  const writer = await storage.writer('x', { copies: 1 });
  await writer.write(new Uint8Array(5000));
  await writer.commit();
  assert.equal(clock.monotonicMs(), 5000);
  await storage.close();
  const kept = await openStorage({ backend: 'local', path: 'near', readOnly: true }, options);
  assert.equal((await kept.stat('x')).sizeBytes, 5000);
  await assert.rejects(kept.delete('x'), { code: 'storage.read_only' });
  await assert.rejects(kept.writer('x', { copies: 1 }), { code: 'storage.read_only' });
});

test('a storage that is one already is given back, and wrong settings are named', async () => {
  const storage = new MemoryStorage();
  assert.equal(await openStorage(storage), storage);
  await assert.rejects(openStorage({ backend: 'local', paht: 'x' } as never), {
    code: 'config.invalid',
    message: /^storage: (path|paht): /,
  });
});

test('no adapter has a setting that every storage has', () => {
  const common = ['enabled', 'copies', 'parityBlocks', 'throttle', 'readOnly', 'retry'];
  for (const { backend, schema } of storageAdapters) {
    assert.deepEqual(
      Object.keys(schema.shape).filter((name) => common.includes(name)),
      [],
      backend,
    );
  }
});
