/** What opens an archive, what does not, and how that changes. */
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import {
  addKeySlots,
  createBackup,
  FilesSource,
  inspectArchive,
  openArchive,
  removeKeySlot,
  restoreBackup,
  Secret,
  summarizeArchive,
  validateBackup,
} from '../../src/index.ts';
import { memoryRandomAccess, SeededRandom } from '../../src/testing/index.ts';
import { ageKeys, countingAccess, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('keys');
const [first, second] = ageKeys;
const identity = new Secret(first.identity);
const passphrase = new Secret('the passphrase of the tests');
const tree = join(workspace, 'tree');
const sealed = join(workspace, 'sealed.holdfast');

before(async () => {
  await mkdir(tree);
  writeFileSync(join(tree, 'large'), new SeededRandom(5).bytes(4_000_000));
  await createBackup({
    threads: 0,
    sources: [new FilesSource({ path: tree })],
    output: sealed,
    keys: { passphrases: [passphrase], recipients: [first.recipient] },
  });
});

async function sealedForRecipient(name: string): Promise<string> {
  const output = join(workspace, `${name}.holdfast`);
  const keys = { recipients: [first.recipient] };
  await createBackup({ threads: 0, sources: [new FilesSource({ path: tree })], output, keys, copies: 1 });
  return output;
}

test('a wrong key is told after the headers were read, and nothing else', async () => {
  const bytes = readFileSync(sealed);
  const wrong = [{ passphrases: [new Secret('wrong')] }, { identities: [new Secret(second.identity)] }];
  for (const keys of wrong) {
    const operations = [validateBackup, restoreBackup, inspectArchive, openArchive];
    // A passphrase takes its time each time; that it is the same for all of them, identities show.
    for (const operation of 'passphrases' in keys ? operations.slice(0, 2) : operations) {
      const archive = countingAccess(memoryRandomAccess(bytes));
      const options = { archive, keys, threads: 0, filesTo: join(workspace, 'never'), level: 'contents' as const };
      // At level `structure`, which inspecting is, the blocks need no key; the index does.
      await assert.rejects(operation(options), { code: 'key.wrong', exitCode: 12 }, operation.name);
      assert.ok(archive.readBytes < 200_000, `${operation.name} read ${archive.readBytes} of ${bytes.length} bytes`);
    }
  }
  assert.ok(!(await readdir(workspace)).includes('never'));
});

test('without a key the blocks are checked, and nothing more', async () => {
  const options = { archive: sealed, threads: 0 };
  const checked = await validateBackup(options);
  assert.deepEqual([checked.state, checked.level, checked.entryCount], ['intact', 'structure', 0]);
  const missing = { code: 'key.missing', exitCode: 2 };
  await assert.rejects(validateBackup({ ...options, level: 'contents' }), missing);
  await assert.rejects(openArchive(options), missing);
  await assert.rejects(restoreBackup({ ...options, filesTo: join(workspace, 'never') }), missing);
  await assert.rejects(restoreBackup({ ...options, keys: { passphrases: [], identities: [] } }), missing);
  const inspected = await inspectArchive(options);
  assert.equal(inspected.entries, undefined);
  assert.equal(inspected.state, 'intact');
});

test('passphrases are tried in turn', async () => {
  const passphrases = [new Secret('wrong'), passphrase];
  const report = await validateBackup({ archive: sealed, threads: 0, keys: { passphrases } });
  assert.deepEqual([report.level, report.entryCount], ['contents', 2]);
});

test('a passphrase is the same however its letters are composed', async () => {
  const output = join(workspace, 'composed.holdfast');
  const sources = [new FilesSource({ path: tree })];
  await createBackup({ threads: 0, sources, output, keys: { passphrases: [new Secret('caf\u00e9')] }, verify: 'none' });
  await using archive = await openArchive({ archive: output, keys: { passphrases: [new Secret('cafe\u0301')] } });
  assert.equal((await archive.entry('files/tree/large')).sizeBytes, 4_000_000);
});

test('what is sealed for recipients alone is verified when it is written, and then opened by an identity only', async () => {
  const output = await sealedForRecipient('recipients');
  assert.equal((await validateBackup({ archive: output, threads: 0 })).level, 'structure');
  await assert.rejects(openArchive({ archive: output, keys: { passphrases: [passphrase] } }), { code: 'key.wrong' });
  await assert.rejects(openArchive({ archive: output, keys: { identities: [new Secret('nonsense')] } }), {
    code: 'key.invalid',
  });
  const keys = { identities: [new Secret(second.identity), identity] };
  assert.equal((await validateBackup({ archive: output, threads: 0, keys })).entryCount, 2);
});

/** Data blocks of a copy, by position: kind 1 at byte 28 of each. */
function dataBlocks(path: string): Map<bigint, string> {
  const bytes = readFileSync(path);
  const found = new Map<bigint, string>();
  for (let at = 0; at < bytes.length; at += 4096) {
    if (bytes[at + 28] === 1) found.set(bytes.readBigUInt64LE(at + 16), bytes.toString('latin1', at, at + 4096));
  }
  return found;
}

test('a new passphrase opens an archive that the old one no longer opens; its data stays byte for byte', async () => {
  const archive = await sealedForRecipient('changed');
  const keys = { identities: [identity] };
  const before = dataBlocks(archive);
  assert.ok(before.size > 900);
  const [old] = (await summarizeArchive(archive)).slots;
  const add = { passphrases: [passphrase] };
  const slots = await addKeySlots({ archive, keys, add, label: 'äußerst geheim', threads: 0 });
  assert.deepEqual(
    slots.map(({ type, label }) => [type, label]),
    [
      ['age', ''],
      ['passphrase', 'äußerst geheim'],
    ],
  );
  assert.deepEqual((await summarizeArchive(archive)).slots, slots);
  const slotId = old?.id.toUpperCase() ?? '';
  await removeKeySlot({ archive, keys: { passphrases: [passphrase] }, slotId, threads: 0 });
  await assert.rejects(openArchive({ archive, keys }), { code: 'key.wrong' });
  const checked = await validateBackup({ archive, keys: { passphrases: [passphrase] }, threads: 0 });
  assert.deepEqual([checked.state, checked.entryCount], ['intact', 2]);
  assert.deepEqual(dataBlocks(archive), before);
});

test('what cannot be done to key slots is refused, and the archive stays as it was', async () => {
  const archive = await sealedForRecipient('refused');
  const keys = { identities: [identity] };
  const before = [readFileSync(archive), statSync(archive).ino];
  const [slot] = (await summarizeArchive(archive)).slots;
  const common = { archive, keys, threads: 0 };
  await assert.rejects(removeKeySlot({ ...common, slotId: slot?.id ?? '' }), { code: 'key.last_slot' });
  await assert.rejects(removeKeySlot({ ...common, slotId: '00000000x' }), { code: 'key.slot_not_found' });
  await assert.rejects(addKeySlots({ ...common, add: {} }), { code: 'key.missing' });
  await assert.rejects(addKeySlots({ ...common, add: { recipients: ['age1x'] } }), { code: 'key.invalid' });
  await assert.rejects(addKeySlots({ ...common, add: { passphrases: [new Secret('')] } }), { code: 'key.invalid' });
  const add = { recipients: [second.recipient] };
  await assert.rejects(addKeySlots({ ...common, add, label: 'x'.repeat(65) }), { code: 'key.invalid' });
  const wrongKeys = { identities: [new Secret(second.identity)] };
  await assert.rejects(addKeySlots({ ...common, keys: wrongKeys, add }), { code: 'key.wrong' });
  await assert.rejects(addKeySlots({ ...common, keys: {}, add }), { code: 'key.missing' });
  assert.deepEqual([readFileSync(archive), statSync(archive).ino], before);
});

test('the header takes as many slots as fit, 16 at most, and then says that it is full', async () => {
  const archive = await sealedForRecipient('full');
  const common = { archive, keys: { identities: [identity] }, threads: 0 };
  const many = (count: number) => ({ recipients: new Array<string>(count).fill(second.recipient) });
  const full = { code: 'key.slots_full' };
  // 16 slots of age have no room; 15 leave some for two passphrases, but the 17th slot is one too many.
  await assert.rejects(addKeySlots({ ...common, add: many(15) }), full);
  assert.equal((await addKeySlots({ ...common, add: many(14) })).length, 15);
  assert.equal((await addKeySlots({ ...common, add: { passphrases: [passphrase] } })).length, 16);
  const bytes = readFileSync(archive);
  await assert.rejects(addKeySlots({ ...common, add: { passphrases: [passphrase] } }), full);
  assert.ok(readFileSync(archive).equals(bytes));
  const lastKey = { identities: [new Secret(second.identity)] };
  assert.equal((await validateBackup({ archive, keys: lastKey, threads: 0 })).entryCount, 2);
});

test('an archive without encryption has no keys to change', async () => {
  const archive = join(workspace, 'open.holdfast');
  const sources = [new FilesSource({ path: tree })];
  await createBackup({ threads: 0, sources, output: archive, encryption: 'none' });
  const add = { recipients: [second.recipient] };
  await assert.rejects(addKeySlots({ archive, keys: { identities: [identity] }, add }), { code: 'usage.invalid' });
  assert.equal((await validateBackup({ archive, threads: 0, keys: { passphrases: [passphrase] } })).entryCount, 2);
});
