/** Operations without threads of their own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Source } from '../source/source.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { createBackup } from './backup.ts';
import { openArchive } from './open.ts';
import { scrubStorages } from './scrub.ts';
import { validateBackup } from './verify.ts';

const bytes = new SeededRandom(1).bytes(3_000_000);

function source(): Source {
  return {
    name: 'one',
    describe: async () => ({ type: 'files', label: 'one', expectedSizeBytes: bytes.length }),
    async *entries() {
      const open = async function* () {
        for (let offset = 0; offset < bytes.length; offset += 100_000) yield bytes.subarray(offset, offset + 100_000);
      };
      yield { path: 'files/one', kind: 'file', expectedSizeBytes: bytes.length, metadata: {}, open };
    },
    close: async () => undefined,
  };
}

test('0 threads make, check, heal and read the same archive as one', async () => {
  const name = 'one.holdfast';
  const storages: MemoryStorage[] = [];
  for (const threads of [0, 1]) {
    const storage = new MemoryStorage();
    storages.push(storage);
    const run = { threads, clock: new FakeClock(), random: new SeededRandom(3) };
    await createBackup({ ...run, sources: [source()], output: { storage, name }, encryption: 'none' });
  }
  const [inPlace, threaded] = await Promise.all(
    storages.map(async (storage) => {
      const access = await storage.open(name);
      const all = new Uint8Array(access.sizeBytes);
      await access.read(0, all);
      return all;
    }),
  );
  assert.ok(inPlace && threaded);
  assert.equal(Buffer.compare(inPlace, threaded), 0);
  const damagedStorage = new MemoryStorage();
  const writer = await damagedStorage.writer(name, { copies: 1 });
  await writer.write(Uint8Array.from(inPlace).fill(0, 100_000, 2_000_000));
  await writer.commit();
  const { archives } = await scrubStorages({ threads: 0, storages: [{ name: 'near', storage: damagedStorage }] });
  assert.deepEqual(
    archives.map(({ state }) => state),
    ['repaired'],
  );
  const report = await validateBackup({ threads: 0, archive: { storage: damagedStorage, name } });
  assert.equal(report.state, 'intact');
  await using archive = await openArchive({ threads: 0, archive: { storage: damagedStorage, name } });
  const read: Uint8Array[] = [];
  for await (const chunk of archive.read('files/one')) read.push(Uint8Array.from(chunk));
  assert.equal(Buffer.compare(Buffer.concat(read), bytes), 0);
});

test('a clock may tell fractions of milliseconds', async () => {
  const storage = new MemoryStorage();
  const clock = new FakeClock(Date.UTC(2026, 0, 1) + 0.25);
  const name = 'one.holdfast';
  await createBackup({ threads: 0, clock, sources: [source()], output: { storage, name }, encryption: 'none' });
  await using archive = await openArchive({ threads: 0, archive: { storage, name } });
  assert.equal(archive.summary.createdMs, Date.UTC(2026, 0, 1));
});
