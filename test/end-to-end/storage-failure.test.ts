/** Storages that fail, lie or rot: an archive appears whole or not at all, and the one before it stays. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import {
  addKeySlots,
  createBackup,
  FilesSource,
  LocalStorage,
  MemoryStorage,
  repairArchive,
  restoreBackup,
  Secret,
  type Storage,
  validateBackup,
} from '../../src/index.ts';
import { FaultyStorage, SeededRandom, type StorageFaults } from '../../src/testing/index.ts';
import { ageKeys, describeTree, emptyFolder, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('storage');
const tree = join(workspace, 'tree');

before(() => {
  mkdirSync(tree);
  const random = new SeededRandom(4);
  for (let index = 0; index < 5; index += 1) writeFileSync(join(tree, `f${index}`), random.bytes(50_000 * index));
});

function backUp(storage: Storage, options: { verify?: 'contents' | 'structure' | 'none' } = {}) {
  const sources = [new FilesSource({ path: tree })];
  return createBackup({ threads: 0, sources, output: { storage, name: 'x' }, encryption: 'none', ...options });
}

/** A folder with an older object, and a storage on it that fails. */
async function faulty(name: string, faults: StorageFaults) {
  const folder = await emptyFolder(workspace, name);
  writeFileSync(join(folder, 'x'), 'old');
  const storage = new FaultyStorage(new LocalStorage({ root: folder }), { seed: 1, faults });
  const assertOld = (what: string) => {
    assert.deepEqual(readdirSync(folder), ['x'], what);
    assert.equal(readFileSync(join(folder, 'x'), 'utf8'), 'old', what);
  };
  return { folder, storage, assertOld };
}

test('a write that fails at any byte leaves the older archive, and nothing else', async () => {
  const sound = new MemoryStorage();
  const copyBytes = (await backUp(sound)).sizeBytes / 2;
  const places = [0, 1, 4096, 300_000, copyBytes - 4096, copyBytes - 1];
  for (const atByte of places) {
    const { storage, assertOld } = await faulty('write', { writeFailure: { atByte } });
    await assert.rejects(backUp(storage), { code: 'storage.full' }, `at ${atByte}`);
    assertOld(`at ${atByte}`);
  }
  const { storage } = await faulty('write', { writeFailure: { atByte: copyBytes } });
  await backUp(storage);
});

test('a commit that fails leaves the older archive; one whose answer is lost leaves the new one', async () => {
  const before = await faulty('commit', { commitFailure: { when: 'before' } });
  await assert.rejects(backUp(before.storage), { code: 'storage.unavailable' });
  before.assertOld('before');
  const after = await faulty('commit', { commitFailure: { when: 'after' } });
  await assert.rejects(backUp(after.storage), { code: 'storage.unavailable' });
  assert.deepEqual(readdirSync(after.folder), ['x']);
  assert.equal((await validateBackup({ archive: join(after.folder, 'x'), threads: 0 })).state, 'intact');
});

test('what rots or cannot be read between write and check is no backup', async () => {
  const faults: StorageFaults[] = [
    { bitRotRate: 1e-6 },
    { bitRotRate: 1e-3 },
    { badSectorFraction: 0.05 },
    { badSectorFraction: 1 },
  ];
  for (const fault of faults) {
    const { storage, assertOld } = await faulty('rot', fault);
    await assert.rejects(backUp(storage), { code: 'archive.verify_failed', retryable: true }, JSON.stringify(fault));
    assertOld(JSON.stringify(fault));
    await assert.rejects(backUp(storage, { verify: 'structure' }), { code: 'archive.verify_failed' });
    assertOld(JSON.stringify(fault));
  }
  // A storage that does not answer says nothing of what was written.
  const { storage, assertOld } = await faulty('rot', { readErrorRate: 1 });
  await assert.rejects(backUp(storage), { code: 'storage.unavailable' });
  assertOld('no answer');
});

/** A storage to which other bytes get through than were written: byte `atByte` is another, as after a flip in memory. */
function flipping(inner: Storage, atByte: number, canReadBack = false): Storage {
  return {
    properties: inner.properties,
    writer: async (name, options) => {
      const writer = await inner.writer(name, options);
      let written = 0;
      return {
        write: (bytes) => {
          const changed = bytes.slice();
          const index = atByte - written;
          if (index >= 0 && index < changed.length) changed[index] = (changed[index] ?? 0) ^ 16;
          written += bytes.length;
          return writer.write(changed);
        },
        get readBack() {
          return canReadBack ? writer.readBack : undefined;
        },
        commit: (check) => writer.commit(check),
        abort: () => writer.abort(),
      };
    },
    open: (name) => inner.open(name),
    stat: (name) => inner.stat(name),
    list: (prefix) => inner.list(prefix),
    delete: (name) => inner.delete(name),
    url: (name) => inner.url(name),
    close: () => inner.close(),
  };
}

test('one bit that flips on the way to the storage is noticed, in every kind of block', async () => {
  const folder = await emptyFolder(workspace, 'flip');
  const inner = new LocalStorage({ root: folder });
  const { sizeBytes } = await backUp(new MemoryStorage());
  const copyBytes = sizeBytes / 2;
  // Header, frame, data, parity, final header.
  const places = [40, 3 * 4096 + 17, 30 * 4096 + 2000, copyBytes - 5 * 4096 + 99, copyBytes - 4096 + 500];
  for (const place of places) {
    for (const canReadBack of [true, false]) {
      const storage = flipping(inner, place, canReadBack);
      await assert.rejects(backUp(storage), { code: 'archive.verify_failed' }, `at ${place}`);
      assert.deepEqual(readdirSync(folder), []);
    }
  }
  // Who asks for no check gets none. Local storage makes the second copy from the first, so that both have it; parity heals it.
  await backUp(flipping(inner, places[2] ?? 0), { verify: 'none' });
  const archive = join(folder, 'x');
  assert.equal((await validateBackup({ archive, threads: 0 })).state, 'repairable');
  await restoreBackup({ archive, threads: 0, filesTo: join(folder, 'out') });
  assert.deepEqual(await describeTree(join(folder, 'out', 'tree')), await describeTree(tree));
});

test('a repair or a new key that cannot be written leaves the archive as it was', async () => {
  const { folder, storage } = await faulty('rewrite', {});
  const archive = join(folder, 'x');
  const sources = [new FilesSource({ path: tree })];
  const recipients = [ageKeys[0].recipient];
  await createBackup({ threads: 0, sources, output: archive, keys: { recipients } });
  const bytes = readFileSync(archive).fill(0, 20 * 4096, 22 * 4096);
  writeFileSync(archive, bytes);
  const location = { storage, name: 'x' };
  const failures: StorageFaults[] = [
    { writeFailure: { atByte: 0 } },
    { writeFailure: { atByte: 200_000 } },
    { commitFailure: { when: 'before' } },
  ];
  for (const faults of failures) {
    storage.faults = faults;
    await assert.rejects(repairArchive({ archive: location, threads: 0 }), { code: /^storage\./ });
    assert.deepEqual(readdirSync(folder), ['x']);
    assert.ok(readFileSync(archive).equals(bytes));
  }
  const keys = { identities: [new Secret(ageKeys[0].identity)] };
  const add = { recipients: [ageKeys[1].recipient] };
  const common = { archive, keys, add, threads: 0, signal: AbortSignal.abort() };
  await assert.rejects(addKeySlots(common), { code: 'operation.interrupted' });
  assert.ok(readFileSync(archive).equals(bytes));
  storage.faults = {};
  assert.equal((await repairArchive({ archive: location, threads: 0 })).state, 'repaired');
});

test('an archive on a storage is restored from it while it rots and fails to answer', async () => {
  const inner = new MemoryStorage();
  await backUp(inner);
  const storage = new FaultyStorage(inner, { seed: 3, faults: { bitRotRate: 1e-5, badSectorFraction: 0.02 } });
  const filesTo = await emptyFolder(workspace, 'rotten');
  const report = await restoreBackup({ archive: { storage, name: 'x' }, threads: 0, filesTo });
  assert.ok(report.healedBlocks > 0);
  assert.deepEqual(await describeTree(join(filesTo, 'tree')), await describeTree(tree));
});
