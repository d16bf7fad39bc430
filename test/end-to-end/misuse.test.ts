/** Calls that make no sense are refused with a word on why, before anything is read or written. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import {
  type BackupOptions,
  CommandSource,
  createBackup,
  FilesSource,
  inspectArchive,
  openArchive,
  repairArchive,
  restoreBackup,
  Secret,
  summarizeArchive,
  validateBackup,
} from '../../src/index.ts';
import { memoryRandomAccess } from '../../src/testing/index.ts';
import { ageKeys, emptyFolder, entriesSource, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('misuse');
const tree = join(workspace, 'tree');

before(() => {
  mkdirSync(tree);
  writeFileSync(join(tree, 'a'), 'a');
});

const recipients = [ageKeys[0].recipient];
const refused: Record<string, readonly [Partial<BackupOptions>, string]> = {
  'no sources': [{ sources: [] }, 'source.empty'],
  'two sources of one name': [
    { sources: [new FilesSource({ path: tree }), new FilesSource({ path: '/elsewhere/tree' })] },
    'usage.invalid',
  ],
  'a database and a command of one name': [
    {
      sources: [
        new CommandSource({ name: 'shop', command: ['true'] }),
        new CommandSource({ name: 'other', command: ['true'] }),
        { ...entriesSource('shop', [{ path: 'databases/shop/a' }]) },
      ],
    },
    'usage.invalid',
  ],
  'no keys': [{ keys: {} }, 'key.missing'],
  'empty lists of keys': [{ keys: { passphrases: [], recipients: [] } }, 'key.missing'],
  'an empty passphrase': [{ keys: { passphrases: [new Secret('')] } }, 'key.invalid'],
  'a recipient that is none': [{ keys: { recipients: ['age1nonsense'] } }, 'key.invalid'],
  'keys without encryption': [{ encryption: 'none' }, 'usage.invalid'],
  'no copies': [{ copies: 0 }, 'usage.invalid'],
  'too many copies': [{ copies: 9 }, 'usage.invalid'],
  'half a copy': [{ copies: 1.5 }, 'usage.invalid'],
  'copies that are no number': [{ copies: Number.NaN }, 'usage.invalid'],
  'no data blocks': [{ dataBlocks: 0 }, 'usage.invalid'],
  'one parity block': [{ parityBlocks: 1 }, 'usage.invalid'],
  'too much parity': [{ parityBlocks: 65, dataBlocks: 100 }, 'usage.invalid'],
  'too many blocks': [{ dataBlocks: 240, parityBlocks: 16 }, 'usage.invalid'],
  'fewer threads than none': [{ threads: -1 }, 'usage.invalid'],
  'too many threads': [{ threads: 65 }, 'usage.invalid'],
  'threads that are no number': [{ threads: Number.NaN }, 'usage.invalid'],
  'no temporary folder': [{ temporaryFolder: join(workspace, 'nowhere') }, 'storage.not_found'],
  'a temporary folder that is a file': [{ temporaryFolder: join(tree, 'a') }, 'storage.not_found'],
  'an output that is a folder': [{ output: tree }, 'storage.not_found'],
  'an output below a file': [{ output: join(tree, 'a', 'x') }, 'storage.not_found'],
};

for (const [name, [options, code]] of Object.entries(refused)) {
  test(`a backup is refused: ${name}`, async () => {
    const output = join(await emptyFolder(workspace, 'out'), 'x');
    let isRead = false;
    const afterwards = () => {
      isRead = true;
    };
    const source = entriesSource('a', [{ path: 'files/a', afterwards }]);
    const backup = createBackup({ threads: 0, sources: [source], output, keys: { recipients }, ...options });
    await assert.rejects(backup, { name: 'HoldfastError', code });
    assert.deepEqual(readdirSync(join(workspace, 'out')), []);
    assert.equal(isRead, false);
    assert.deepEqual(readdirSync(tree), ['a']);
  });
}

test('the limits themselves are allowed', async () => {
  const allowed: Partial<BackupOptions>[] = [
    { copies: 8, dataBlocks: 1, parityBlocks: 64 },
    { copies: 1, dataBlocks: 253, parityBlocks: 2 },
    { threads: 3, dataBlocks: 191, parityBlocks: 64 },
  ];
  for (const options of allowed) {
    const output = join(workspace, 'limits', 'x');
    const sources = [new FilesSource({ path: tree })];
    await createBackup({ threads: 0, sources, output, encryption: 'none', ...options });
    assert.equal((await validateBackup({ archive: output, threads: 0 })).state, 'intact');
  }
});

test('what is no archive is told from what is not there', async () => {
  const empty = join(workspace, 'empty');
  const foreign = join(workspace, 'foreign');
  writeFileSync(empty, '');
  writeFileSync(foreign, 'HOLDFAST'.repeat(20_000));
  const cases: readonly [string, string][] = [
    [join(workspace, 'nowhere'), 'storage.not_found'],
    [tree, 'storage.not_found'],
    [empty, 'archive.not_an_archive'],
    [foreign, 'archive.not_an_archive'],
    [join(tree, 'a'), 'archive.not_an_archive'],
  ];
  for (const [archive, code] of cases) {
    const options = { archive, threads: 0 };
    const filesTo = join(workspace, 'never');
    const calls = [
      () => validateBackup(options),
      () => inspectArchive(options),
      () => openArchive(options),
      () => restoreBackup({ ...options, filesTo }),
      () => repairArchive(options),
      () => summarizeArchive(archive),
    ];
    for (const call of calls) await assert.rejects(call, { code }, `${archive}: ${call}`);
  }
  assert.equal(readFileSync(foreign).length, 160_000);
  assert.ok(!readdirSync(workspace).includes('never'));
});

test('an archive id that is none, or a number of threads that is none, is refused by every operation', async () => {
  const archive = memoryRandomAccess(new Uint8Array(0));
  for (const given of [{ archiveId: 'xyz' }, { archiveId: '0'.repeat(31) }, { archiveId: '' }, { threads: -1 }]) {
    const options = { archive, threads: 0, ...given };
    const invalid = { code: 'usage.invalid' };
    await assert.rejects(validateBackup(options), invalid);
    await assert.rejects(inspectArchive(options), invalid);
    await assert.rejects(openArchive(options), invalid);
    await assert.rejects(restoreBackup(options), invalid);
    await assert.rejects(repairArchive({ ...options, output: join(workspace, 'never') }), invalid);
  }
});
