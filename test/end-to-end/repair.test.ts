/** A repaired archive is the archive as it was written, byte for byte. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import {
  createBackup,
  FilesSource,
  HoldfastError,
  inspectArchive,
  type RepairOptions,
  repairArchive,
  restoreBackup,
  validateBackup,
} from '../../src/index.ts';
import { Corruptor, memoryRandomAccess, SeededRandom } from '../../src/testing/index.ts';
import { ageKeys, emptyFolder, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('repair');
const original = join(workspace, 'original.holdfast');
const blockBytes = 4096;
let whole: Buffer;
let other: Buffer;

before(async () => {
  const tree = join(workspace, 'tree');
  mkdirSync(tree);
  const random = new SeededRandom(8);
  for (let index = 0; index < 4; index += 1) writeFileSync(join(tree, `f${index}`), random.bytes(300_000));
  const sources = () => [new FilesSource({ path: tree })];
  // Sealed: none of what follows needs the key.
  const keys = { recipients: [ageKeys[0].recipient] };
  await createBackup({ threads: 1, sources: sources(), output: original, keys });
  whole = readFileSync(original);
  const second = join(workspace, 'second.holdfast');
  await createBackup({ threads: 1, sources: sources(), output: second, encryption: 'none', copies: 1 });
  other = readFileSync(second);
});

/** Repairs these bytes in a folder of their own. */
async function repair(bytes: Uint8Array, options: Partial<RepairOptions> = {}) {
  const folder = await emptyFolder(workspace, 'work');
  const archive = join(folder, 'x.holdfast');
  writeFileSync(archive, bytes);
  const { ino, mtimeMs } = statSync(archive);
  const report = await repairArchive({ threads: 1, archive, ...options });
  return {
    folder,
    archive,
    report,
    isSameFile: statSync(archive).ino === ino && statSync(archive).mtimeMs === mtimeMs,
  };
}

const damages: Record<string, (bytes: Buffer) => Uint8Array> = {
  'a few flipped bytes': (bytes) => new Corruptor(new SeededRandom(1)).flipBytes(40).applyTo(bytes),
  'a lost first copy': (bytes) => Buffer.from(bytes).fill(0, 0, bytes.length / 2),
  'a lost second copy': (bytes) => Buffer.from(bytes).fill(0, bytes.length / 2),
  'lost headers': (bytes) => Buffer.from(bytes).fill(1, 0, 3 * blockBytes),
  'a tenth of all sectors': (bytes) => new Corruptor(new SeededRandom(2)).loseSectors(0.1).applyTo(bytes),
  'a cut end': (bytes) => bytes.subarray(0, bytes.length - 1000),
  'half of it': (bytes) => bytes.subarray(0, bytes.length / 2),
  'a foreign tail': (bytes) => Buffer.concat([bytes, Buffer.from('x'.repeat(5000))]),
  'a shift': (bytes) => Buffer.concat([Buffer.from('y'.repeat(777)), bytes]),
  // The copies are alike, so that swapped halves would be the archive itself.
  'its last quarter first': (bytes) => {
    const quarter = Math.floor(bytes.length / 4);
    return Buffer.concat([bytes.subarray(-quarter), bytes.subarray(0, -quarter)]);
  },
  'a hole': (bytes) => new Corruptor(new SeededRandom(4)).remove(50_000, 3333).applyTo(bytes),
};

for (const [name, damage] of Object.entries(damages)) {
  test(`repaired in place: ${name}`, async () => {
    const { folder, archive, report } = await repair(damage(Buffer.from(whole)));
    assert.deepEqual([report.state, report.written, report.output], ['repaired', true, archive]);
    assert.ok(readFileSync(archive).equals(whole));
    assert.deepEqual(readdirSync(folder), ['x.holdfast']);
  });
}

test('an intact archive is left alone, unless an output is named', async () => {
  const { folder, report, isSameFile } = await repair(whole);
  assert.deepEqual([report.state, report.written, isSameFile, report.blocks.damaged], ['intact', false, true, 0]);
  const output = join(folder, 'new', 'copy.holdfast');
  const copied = await repairArchive({ threads: 1, archive: original, output });
  assert.deepEqual([copied.state, copied.written, copied.output], ['intact', true, output]);
  assert.ok(readFileSync(output).equals(whole));
});

test('a dry run tells what is wrong and writes nothing', async () => {
  const bytes = Buffer.from(whole).fill(0, 10 * blockBytes, 20 * blockBytes);
  const { archive, report, isSameFile } = await repair(bytes, { dryRun: true });
  assert.deepEqual([report.state, report.written, isSameFile, report.blocks.damaged], ['repaired', false, true, 10]);
  assert.ok(readFileSync(archive).equals(bytes));
});

test('a repair to an output leaves the damaged archive as it is', async () => {
  const bytes = Buffer.from(whole).fill(0, 10 * blockBytes, 20 * blockBytes);
  const output = join(workspace, 'healed.holdfast');
  const { archive, isSameFile } = await repair(bytes, { output });
  assert.ok(isSameFile && readFileSync(archive).equals(bytes));
  assert.ok(readFileSync(output).equals(whole));
});

/** Beyond repair: this part of both copies is gone. */
function lose(from: number, to: number): Buffer {
  const half = whole.length / 2;
  return Buffer.from(whole)
    .fill(0, from * blockBytes, to * blockBytes)
    .fill(0, half + from * blockBytes, half + to * blockBytes);
}

test('beyond repair alone, an archive is refused and stays, and a replica that is damaged elsewhere mends it', async () => {
  const bytes = lose(20, 80);
  await assert.rejects(repair(bytes), { code: 'archive.damaged', exitCode: 11 });
  assert.ok(readFileSync(join(workspace, 'work', 'x.holdfast')).equals(bytes));
  assert.deepEqual(readdirSync(join(workspace, 'work')), ['x.holdfast']);
  const { archive } = await repair(bytes, { from: [memoryRandomAccess(lose(150, 220))] });
  assert.ok(readFileSync(archive).equals(whole));
  await assert.rejects(repair(bytes, { from: [memoryRandomAccess(lose(10, 90))] }), { code: 'archive.damaged' });
  await assert.rejects(repair(bytes, { from: [join(workspace, 'none')] }), { code: 'storage.not_found' });
});

/** Where no length fits, not even the size tells one. */
async function stateOf(bytes: Uint8Array): Promise<string> {
  try {
    return (await validateBackup({ archive: memoryRandomAccess(bytes), level: 'structure', threads: 1 })).state;
  } catch (error) {
    assert.ok(error instanceof HoldfastError && error.code === 'archive.damaged', String(error));
    return 'lost';
  }
}

test('an archive that was cut comes back at its true length, or is refused and stays as it is', async () => {
  const folder = await emptyFolder(workspace, 'cut');
  writeFileSync(join(folder, 'small.txt'), new SeededRandom(5).bytes(10_000));
  const small = join(folder, 'small.holdfast');
  const sources = [new FilesSource({ path: join(folder, 'small.txt') })];
  await createBackup({ threads: 1, sources, output: small, encryption: 'none', copies: 1 });
  const bytes = readFileSync(small);
  const found = { repaired: 0, refused: 0 };
  for (let lostBytes = 1024; lostBytes < bytes.length - 4 * blockBytes; lostBytes += 7168) {
    // Where nothing is left but headers and the first data, a shorter archive would look whole once it was healed.
    for (const emptied of [undefined, [3, 4], [4, 99], [5, 99]] as const) {
      const cut = Buffer.from(bytes.subarray(0, bytes.length - lostBytes));
      const [from, to] = emptied?.map((block) => Math.min(cut.length, block * blockBytes)) ?? [0, 0];
      cut.fill(0, from, to);
      const state = await stateOf(cut);
      try {
        const { archive } = await repair(cut);
        assert.ok(readFileSync(archive).equals(bytes), `${lostBytes} bytes less`);
        assert.equal(state, 'repairable');
        found.repaired += 1;
      } catch (error) {
        assert.ok(error instanceof HoldfastError && error.code === 'archive.damaged', String(error));
        assert.ok(readFileSync(join(workspace, 'work', 'x.holdfast')).equals(cut));
        assert.equal(state, 'lost');
        found.refused += 1;
      }
    }
  }
  assert.ok(found.repaired > 5 && found.refused > 5, JSON.stringify(found));
});

test('a damaged archive is repaired although a whole replica stands by', async () => {
  for (const bytes of [
    Buffer.from(whole).fill(0, 20 * blockBytes, 21 * blockBytes),
    Buffer.from(whole).fill(0, 0, whole.length / 2),
    Buffer.concat([whole, Buffer.alloc(blockBytes)]),
    lose(3, 200),
  ]) {
    const { archive, report } = await repair(bytes, { from: [memoryRandomAccess(whole)] });
    assert.deepEqual([report.state, report.written], ['repaired', true]);
    assert.ok(readFileSync(archive).equals(whole));
  }
  const { report, isSameFile } = await repair(whole, { from: [memoryRandomAccess(lose(20, 80))] });
  assert.deepEqual([report.state, report.written, isSameFile, report.blocks.damaged], ['intact', false, true, 0]);
});

test('what is no archive is not overwritten with one, whatever the replicas hold', async () => {
  const foreign = Buffer.from('the accounts of the last ten years '.repeat(5000));
  const from = [memoryRandomAccess(whole)];
  await assert.rejects(repair(foreign, { from }), { code: 'archive.not_an_archive' });
  assert.ok(readFileSync(join(workspace, 'work', 'x.holdfast')).equals(foreign));
  const output = join(workspace, 'from-replica.holdfast');
  const { report } = await repair(foreign, { from, output });
  assert.equal(report.written, true);
  assert.ok(readFileSync(output).equals(whole));
});

test('several archives in one image are told apart by their id', async () => {
  const noise = new SeededRandom(5).bytes(10_000);
  const image = Buffer.concat([noise, whole, noise, other, noise]);
  const access = () => memoryRandomAccess(image);
  await assert.rejects(validateBackup({ archive: access(), threads: 1 }), { code: 'archive.ambiguous', exitCode: 13 });
  for (const bytes of [whole, other]) {
    const { archiveId } = await validateBackup({ archive: memoryRandomAccess(bytes), threads: 1, level: 'structure' });
    const inspected = await inspectArchive({ archive: access(), threads: 1, archiveId: archiveId.toUpperCase() });
    assert.deepEqual([inspected.summary.archiveId, inspected.state], [archiveId, 'repairable']);
    const output = join(workspace, `${archiveId}.holdfast`);
    await repairArchive({ archive: access(), threads: 1, archiveId, output });
    assert.ok(readFileSync(output).equals(bytes));
  }
  const { archiveId } = await validateBackup({ archive: memoryRandomAccess(other), threads: 1 });
  const filesTo = join(workspace, 'from-image');
  assert.equal((await restoreBackup({ archive: access(), threads: 1, archiveId, filesTo })).entryCount, 5);
  await assert.rejects(repair(image, { archiveId }), { code: 'usage.invalid', message: /not repaired in place/ });
  await assert.rejects(repairArchive({ archive: access(), threads: 1, archiveId }), { code: 'usage.invalid' });
  const unknown = { archive: access(), threads: 1, archiveId: '0'.repeat(32) };
  await assert.rejects(validateBackup(unknown), { code: 'archive.not_an_archive' });
});

test('an image that holds a single archive among much else is not overwritten with it', async () => {
  const image = Buffer.alloc(2 * whole.length + 2 * 8 * 1024 * 1024 + 1, 'other things ');
  image.set(whole, 1_000_000);
  await assert.rejects(repair(image), { code: 'usage.invalid', message: /not overwritten/ });
  assert.ok(readFileSync(join(workspace, 'work', 'x.holdfast')).equals(image));
  const { archive } = await repair(image.subarray(0, -1));
  assert.ok(readFileSync(archive).equals(whole));
});

test('a link to an archive stays a link, and what it leads to is repaired', async () => {
  const folder = await emptyFolder(workspace, 'links');
  writeFileSync(join(folder, 'real.holdfast'), Buffer.from(whole).fill(0, 40_960, 81_920));
  chmodSync(join(folder, 'real.holdfast'), 0o600);
  symlinkSync('real.holdfast', join(folder, 'link.holdfast'));
  await repairArchive({ threads: 1, archive: join(folder, 'link.holdfast') });
  assert.ok(readFileSync(join(folder, 'real.holdfast')).equals(whole));
  assert.deepEqual(readdirSync(folder).sort(), ['link.holdfast', 'real.holdfast']);
});
