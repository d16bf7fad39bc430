/** Several storages: fed by one run, synchronised, and healed from one another. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import {
  type BackupOutput,
  createBackup,
  FilesSource,
  LocalStorage,
  MemoryStorage,
  pullBackup,
  pushBackup,
  readOnlyStorage,
  repairArchive,
  restoreBackup,
  Secret,
  type Storage,
  scrubStorages,
  syncStorages,
  validateBackup,
} from '../../src/index.ts';
import { FaultyStorage, SeededRandom } from '../../src/testing/index.ts';
import { putBytes, readAll } from '../../src/testing/storage-case.ts';
import { describeTree, emptyFolder, entriesSource, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('storages');
const tree = join(workspace, 'tree');
const keys = { passphrases: [new Secret('near and far')] };

before(() => {
  mkdirSync(tree);
  const random = new SeededRandom(9);
  for (let index = 0; index < 6; index += 1) writeFileSync(join(tree, `f${index}`), random.bytes(14_000 * index));
});

function backUp(output: BackupOutput | readonly BackupOutput[]) {
  return createBackup({ threads: 0, sources: [new FilesSource({ path: tree })], output, encryption: 'none' });
}

async function bytesIn(storage: Storage, name: string): Promise<Uint8Array> {
  const access = await storage.open(name);
  try {
    return await readAll(access);
  } finally {
    await access.close();
  }
}

async function namesIn(storage: Storage): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list()) names.push(name);
  return names.sort();
}

/** Overwrites blocks with noise, each with the given chance. */
async function damageBlocks(storage: Storage, name: string, options: { seed: number; fraction: number }) {
  const random = new SeededRandom(options.seed);
  const bytes = await bytesIn(storage, name);
  for (let offset = 0; offset < bytes.length; offset += 4096) {
    if (random.float() < options.fraction) random.fill(bytes.subarray(offset, offset + 4096));
  }
  await putBytes(storage, name, bytes);
}

async function assertRestores(storage: Storage, name: string, from: Storage[] = []) {
  const filesTo = await emptyFolder(workspace, 'out');
  const replicas = from.map((other) => ({ storage: other, name }));
  await restoreBackup({ archive: { storage, name }, from: replicas, threads: 0, filesTo, overwrite: true });
  assert.deepEqual(await describeTree(join(filesTo, 'tree')), await describeTree(tree));
}

test('one run feeds all storages with the same bytes, and each restores', async () => {
  const near = new LocalStorage({ root: await emptyFolder(workspace, 'near') });
  const far = new MemoryStorage();
  const outputs = [near, far].map((storage, index) => ({ storage, name: 'a.holdfast', label: `s${index}` }));
  const report = await createBackup({
    threads: 0,
    sources: [new FilesSource({ path: tree })],
    output: outputs,
    keys,
  });
  assert.deepEqual(
    report.outputs.map(({ storage, sizeBytes, error }) => ({ storage, sizeBytes, error })),
    ['s0', 's1'].map((storage) => ({ storage, sizeBytes: report.sizeBytes, error: undefined })),
  );
  assert.equal(Buffer.compare(await bytesIn(near, 'a.holdfast'), await bytesIn(far, 'a.holdfast')), 0);
  for (const storage of [near, far]) {
    const archive = { storage, name: 'a.holdfast' };
    assert.equal((await validateBackup({ archive, keys, threads: 0 })).state, 'intact');
    const filesTo = await emptyFolder(workspace, 'out');
    await restoreBackup({ archive, keys, threads: 0, filesTo, only: ['files/tree/f3'] });
    assert.equal((await describeTree(filesTo)).filter((line) => line.includes('f3')).length, 1);
  }
});

test('one storage that fails is named, holds nothing, and does not stop the run; when all fail it throws', async () => {
  const near = new MemoryStorage();
  const faults = [
    { callErrorRate: 1 },
    { writeFailure: { atByte: 100_000 } },
    { commitFailure: { when: 'before' } },
    { bitRotRate: 1e-4 },
  ] as const;
  for (const [index, fault] of faults.entries()) {
    const name = `${index}.holdfast`;
    const bad = new FaultyStorage(new MemoryStorage(), { seed: 1, faults: fault });
    const report = await backUp([
      { storage: bad, name, label: 'bad' },
      { storage: near, name, label: 'near' },
    ]);
    assert.equal(report.output, near.url(name));
    assert.ok(report.outputs[0]?.error !== undefined && report.outputs[0].sizeBytes === undefined);
    assert.equal(report.outputs[1]?.error, undefined);
    bad.faults = {};
    assert.deepEqual(await namesIn(bad), []);
    assert.equal((await validateBackup({ archive: { storage: near, name }, threads: 0 })).state, 'intact');
  }
  const bad = () => new FaultyStorage(new MemoryStorage(), { seed: 1, faults: { writeFailure: { atByte: 5000 } } });
  await assert.rejects(backUp(['a', 'b'].map((label) => ({ storage: bad(), name: 'x.holdfast', label }))), {
    code: 'storage.full',
    message: /^no storage took it: a: .*; b: /,
  });
});

test('a storage that stalls is given up, and the run goes on in bounded memory', async () => {
  const near = new MemoryStorage();
  const stalled = new FaultyStorage(new MemoryStorage(), { seed: 1, faults: { writeStall: { atByte: 1_000_000 } } });
  const bytes = new SeededRandom(1).bytes(6_000_000);
  const report = await createBackup({
    threads: 0,
    sources: [entriesSource('given', [{ path: 'files/given/a', bytes }])],
    output: [stalled, near].map((storage) => ({ storage, name: 'a.holdfast' })),
    encryption: 'none',
    severalOutputs: { bufferBytes: 2_000_000, stallTimeoutMs: 300 },
  });
  assert.equal(report.outputs[0]?.error?.code, 'storage.timeout');
  assert.equal(report.outputs[1]?.error, undefined);
  stalled.faults = {};
  assert.deepEqual(await namesIn(stalled), []);
});

test('push and pull carry an archive there and back, heal it on the way, and replace nothing unasked', async () => {
  const folder = await emptyFolder(workspace, 'push');
  const local = new LocalStorage({ root: folder });
  await backUp({ storage: local, name: 'a.holdfast' });
  const whole = await bytesIn(local, 'a.holdfast');
  const far = new MemoryStorage();
  const file = join(folder, 'a.holdfast');
  await damageBlocks(local, 'a.holdfast', { seed: 3, fraction: 0.03 });
  const dry = await pushBackup({ archive: file, storage: far, threads: 0, dryRun: true });
  assert.ok(dry.healed && dry.dryRun);
  assert.deepEqual(await namesIn(far), []);
  const pushed = await pushBackup({ archive: file, storage: far, threads: 0 });
  assert.ok(pushed.healed);
  assert.equal(Buffer.compare(await bytesIn(far, 'a.holdfast'), whole), 0);
  await assert.rejects(pushBackup({ archive: file, storage: far, threads: 0 }), { code: 'storage.conflict' });
  await pushBackup({ archive: file, storage: far, threads: 0, overwrite: true });
  const pull = { storage: far, name: 'a.holdfast', threads: 0 };
  await assert.rejects(pullBackup({ ...pull, output: file }), { code: 'target.exists' });
  const pulled = await pullBackup({ ...pull, output: join(folder, 'b.holdfast') });
  assert.ok(!pulled.healed && pulled.archiveId === pushed.archiveId);
  assert.equal(Buffer.compare(await bytesIn(local, 'b.holdfast'), whole), 0);
  await assert.rejects(pullBackup({ ...pull, name: 'c.holdfast', output: join(folder, 'c') }), {
    code: 'storage.not_found',
  });
  writeFileSync(join(folder, 'no.holdfast'), 'no archive');
  await assert.rejects(pushBackup({ archive: join(folder, 'no.holdfast'), storage: far, threads: 0 }), {
    code: 'archive.not_an_archive',
  });
  assert.deepEqual(await namesIn(far), ['a.holdfast']);
});

test('sync copies what is lacking, names what it cannot, and a dry run copies nothing', async () => {
  const [from, to] = [new MemoryStorage(), new MemoryStorage()];
  for (const name of ['a.holdfast', 'b/b.holdfast', 'c.holdfast']) await backUp({ storage: from, name });
  await putBytes(from, 'broken.holdfast', new Uint8Array(10_000));
  await putBytes(from, 'note.txt', new Uint8Array(1));
  await damageBlocks(from, 'c.holdfast', { seed: 5, fraction: 0.02 });
  await backUp({ storage: to, name: 'a.holdfast' });
  const dry = await syncStorages({ from, to, dryRun: true });
  assert.deepEqual([dry.archives.length, dry.copiedCount, dry.presentCount], [3, 0, 1]);
  assert.deepEqual(await namesIn(to), ['a.holdfast']);
  const report = await syncStorages({ from, to, threads: 0 });
  assert.deepEqual([report.copiedCount, report.failedCount, report.presentCount], [2, 1, 1]);
  assert.equal(report.archives.find(({ name }) => name === 'broken.holdfast')?.error?.code, 'archive.not_an_archive');
  assert.equal(report.archives.find(({ name }) => name === 'c.holdfast')?.healed, true);
  assert.deepEqual(await namesIn(to), ['a.holdfast', 'b/b.holdfast', 'c.holdfast']);
  for (const name of ['b/b.holdfast', 'c.holdfast']) await assertRestores(to, name);
});

/** Three storages with the same two archives. */
async function threeStorages() {
  const root = await emptyFolder(workspace, 'first');
  const storages = [new LocalStorage({ root }), new MemoryStorage(), new MemoryStorage()] as const;
  const named = storages.map((storage, index) => ({ storage, name: `s${index}` }));
  for (const name of ['a.holdfast', 'b.holdfast']) {
    await backUp(storages.map((storage) => ({ storage, name })));
  }
  const originals = [await bytesIn(storages[0], 'a.holdfast'), await bytesIn(storages[0], 'b.holdfast')] as const;
  const assertWhole = async () => {
    for (const storage of storages) {
      assert.deepEqual(await namesIn(storage), ['a.holdfast', 'b.holdfast']);
      for (const [index, name] of ['a.holdfast', 'b.holdfast'].entries()) {
        assert.equal(Buffer.compare(await bytesIn(storage, name), originals[index] ?? new Uint8Array()), 0, name);
      }
    }
  };
  return { storages, named, assertWhole };
}

test('one storage lost whole and 30 % of the blocks of another: all restores from what is left, and scrub brings both back', async () => {
  const { storages, named, assertWhole } = await threeStorages();
  const [lost, damaged, third] = storages;
  for (const name of ['a.holdfast', 'b.holdfast']) {
    await lost.delete(name);
    await damageBlocks(damaged, name, { seed: 7, fraction: 0.3 });
    // The third has its own damage: no storage is whole any more.
    await damageBlocks(third, name, { seed: 8, fraction: 0.05 });
    await assertRestores(damaged, name, [third]);
  }
  const dry = await scrubStorages({ storages: named, threads: 0, dryRun: true });
  assert.deepEqual(dry.archives.map(({ storage, state }) => `${storage} ${state}`).sort(), [
    's0 missing',
    's0 missing',
    's1 repairable',
    's1 repairable',
    's2 repairable',
    's2 repairable',
  ]);
  const report = await scrubStorages({ storages: named, threads: 0 });
  assert.deepEqual(report.archives.map(({ storage, state }) => `${storage} ${state}`).sort(), [
    's0 restored',
    's0 restored',
    's1 repaired',
    's1 repaired',
    's2 repaired',
    's2 repaired',
  ]);
  await assertWhole();
  const again = await scrubStorages({ storages: named, threads: 0 });
  assert.ok(again.archives.every(({ state }) => state === 'intact') && again.archives.length === 6);
});

test('two storages: one lost whole, the other with 30 % of each archive gone in one piece', async () => {
  const { storages, named, assertWhole } = await threeStorages();
  const [lost, damaged, third] = storages;
  for (const name of ['a.holdfast', 'b.holdfast']) {
    await lost.delete(name);
    await third.delete(name);
    const bytes = await bytesIn(damaged, name);
    new SeededRandom(4).fill(bytes.subarray(bytes.length * 0.4, bytes.length * 0.7));
    await putBytes(damaged, name, bytes);
    await assertRestores(damaged, name);
  }
  await scrubStorages({ storages: named, threads: 0 });
  await assertWhole();
});

test('an archive of which nothing is left is replaced by its namesake, and what is lost everywhere is named', async () => {
  const { storages, named, assertWhole } = await threeStorages();
  const [first, second, third] = storages;
  await putBytes(first, 'a.holdfast', new Uint8Array(50_000));
  const replaced = await scrubStorages({ storages: named, threads: 0 });
  assert.deepEqual(
    replaced.archives.filter(({ state }) => state !== 'intact').map(({ storage, state }) => `${storage} ${state}`),
    ['s0 repaired'],
  );
  await assertWhole();
  for (const storage of [first, second, third]) {
    await damageBlocks(storage, 'a.holdfast', { seed: 3, fraction: 0.6 });
  }
  const before = await bytesIn(first, 'a.holdfast');
  const report = await scrubStorages({ storages: named, threads: 0 });
  assert.deepEqual(
    report.archives.map(({ name, state }) => `${name} ${state}`).filter((line) => line.startsWith('a')),
    Array.from({ length: 3 }, () => 'a.holdfast lost'),
  );
  assert.equal(Buffer.compare(await bytesIn(first, 'a.holdfast'), before), 0, 'what is lost is left as it is');
});

test('a storage that cannot be listed or written does not stop the scrub of the others', async () => {
  const { storages, named, assertWhole } = await threeStorages();
  const [first, second] = storages;
  await damageBlocks(first, 'a.holdfast', { seed: 2, fraction: 0.02 });
  await damageBlocks(second, 'a.holdfast', { seed: 2, fraction: 0.02 });
  const dead = new FaultyStorage(new MemoryStorage(), { seed: 1, faults: { callErrorRate: 1 } });
  const report = await scrubStorages({
    storages: [
      { name: 'dead', storage: dead },
      { name: 'kept', storage: readOnlyStorage(second) },
      ...named.filter(({ storage }) => storage !== second),
    ],
    threads: 0,
  });
  assert.deepEqual(
    report.failedStorages.map(({ storage, error }) => `${storage} ${error.code}`),
    ['dead storage.unavailable'],
  );
  const states = new Map(report.archives.map(({ storage, name, state }) => [`${storage} ${name}`, state]));
  assert.equal(states.get('kept a.holdfast'), 'repairable');
  assert.equal(states.get('s0 a.holdfast'), 'repaired');
  const kept = report.archives.find(({ storage, name }) => storage === 'kept' && name === 'a.holdfast');
  assert.equal(kept?.error?.code, 'storage.read_only');
  await repairArchive({ archive: { storage: second, name: 'a.holdfast' }, threads: 0 });
  await assertWhole();
});

test('missing archives stay missing where that is wanted', async () => {
  const { storages, named } = await threeStorages();
  await storages[1].delete('a.holdfast');
  const report = await scrubStorages({ storages: named, threads: 0, restoreMissing: false });
  assert.equal(report.archives.length, 5);
  assert.deepEqual(await namesIn(storages[1]), ['b.holdfast']);
});
