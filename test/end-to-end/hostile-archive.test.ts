/** Archives that an enemy made: nothing outside the target is touched, and nothing is left behind. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { restoreBackup, validateBackup } from '../../src/index.ts';
import { memoryRandomAccess } from '../../src/testing/index.ts';
import { describeTree, emptyFolder, makeDatabase, makeWorkspace } from './workspace.ts';
import { type WrittenEntry, writeArchive, writeForgedIndex } from './write-archive.ts';

const workspace = makeWorkspace('hostile');
const root: WrittenEntry = { path: 'files/x', kind: 'directory' };
const good: WrittenEntry = { path: 'files/x/good', bytes: 'good' };
const link = (path: string, target: string): WrittenEntry => ({ path, kind: 'symlink', metadata: { target } });

const hostile: Record<string, readonly WrittenEntry[]> = {
  'a way up': [root, good, { path: 'files/x/../../evil', bytes: 'evil' }],
  'a way up at the end': [root, good, { path: 'files/x/a/..', kind: 'directory' }],
  'a way up as the root': [good, { path: 'files/..', bytes: 'evil' }],
  'a way up from the root': [good, { path: 'files/../evil', bytes: 'evil' }],
  'a dot': [root, good, { path: 'files/x/./evil', bytes: 'evil' }],
  'a dot as the root': [good, { path: 'files/./evil', bytes: 'evil' }],
  'an absolute path': [root, good, { path: '/etc/holdfast-evil', bytes: 'evil' }],
  'an empty segment': [root, good, { path: 'files/x//evil', bytes: 'evil' }],
  'an empty root': [good, { path: 'files//evil', bytes: 'evil' }],
  'a slash at the end': [root, good, { path: 'files/x/evil/', kind: 'directory' }],
  'a file under a link': [root, good, link('files/x/out', '../../outside'), { path: 'files/x/out/evil', bytes: 'e' }],
  'a link over a folder of files': [
    root,
    { path: 'files/x/out/evil', bytes: 'e' },
    link('files/x/out', '../../outside'),
  ],
  'a link as the root of files': [link('files/x', '../outside'), { path: 'files/x/evil', bytes: 'evil' }],
  'a file under a file': [root, good, { path: 'files/x/good/evil', bytes: 'evil' }],
  'a path twice': [root, good, good],
  'a file and a folder in one place': [root, good, { path: 'files/x/good', kind: 'directory' }],
  'a NUL byte': [root, good, { path: 'files/x/a\0b', bytes: 'evil' }],
  'a NUL byte in the root': [good, { path: 'files/a\0b', bytes: 'evil' }],
  'a name of 256 bytes': [root, good, { path: `files/x/${'ä'.repeat(128)}`, bytes: 'evil' }],
  'a path of 5,000 bytes': [root, good, { path: `files/x/${'abc/'.repeat(1250)}e`, bytes: 'evil' }],
  'bytes that lead elsewhere than the path': [
    root,
    good,
    { path: 'files/x/fine', pathBytes: Buffer.from('files/x/../../evil'), bytes: 'evil' },
  ],
  'bytes that read alike and lead up': [
    good,
    { path: 'files/x/../\ufffd', pathBytes: Buffer.from('files/x/../\xff', 'latin1'), bytes: 'evil' },
  ],
  'bytes of another root': [
    good,
    { path: 'files/x/\ufffd', pathBytes: Buffer.from('files/y/\xff', 'latin1'), bytes: 'evil' },
  ],
  'a kind that nobody knows': [root, good, { path: 'files/x/device', kind: 'device' }],
  'a file where databases are': [good, { path: 'databases/d/evil', bytes: 'evil' }],
  'a database where files are': [root, good, { path: 'files/x/evil', kind: 'sqlite', bytes: 'evil' }],
  'a path outside all folders': [good, { path: 'evil', bytes: 'evil' }],
  'a root that JavaScript knows': [good, { path: 'files', kind: 'directory' }],
};

/** Tries to restore, and sees to it that the world is as it was. */
async function assertRefused(
  name: string,
  entries: readonly WrittenEntry[],
  to: readonly string[] = [],
): Promise<void> {
  const folder = await emptyFolder(workspace, 'case');
  mkdirSync(join(folder, 'outside'));
  writeFileSync(join(folder, 'outside', 'kept'), 'kept');
  mkdirSync(join(folder, 'target'));
  const before = await describeTree(folder, { times: false });
  const archive = memoryRandomAccess(await writeArchive(entries));
  const restored = restoreBackup({
    threads: 0,
    archive,
    filesTo: join(folder, 'target'),
    to: to.map((url) => url.replace('TARGET', join(folder, 'target'))),
    overwrite: true,
    partial: true,
  });
  await assert.rejects(restored, { code: /^(target\.(unsafe|invalid)|archive\.corrupt)$/ }, name);
  assert.deepEqual(await describeTree(folder, { times: false }), before, name);
}

for (const [name, entries] of Object.entries(hostile)) test(`refused: ${name}`, () => assertRefused(name, entries));

test('links may point anywhere, and are never followed', async () => {
  const folder = await emptyFolder(workspace, 'links');
  mkdirSync(join(folder, 'outside'));
  const entries = [root, link('files/x/out', '../../outside'), link('files/x/abs', '/etc/passwd'), good];
  const archive = memoryRandomAccess(await writeArchive(entries));
  await restoreBackup({ threads: 0, archive, filesTo: join(folder, 'target') });
  // A second archive has a folder where the first one made a link out.
  const second = await writeArchive([root, { path: 'files/x/out/evil', bytes: 'evil' }]);
  const before = await describeTree(folder);
  const options = { threads: 0, archive: memoryRandomAccess(second), filesTo: join(folder, 'target'), overwrite: true };
  await assert.rejects(restoreBackup(options), { code: 'target.unsafe' });
  assert.deepEqual(await describeTree(folder), before);
});

async function databaseBytes(): Promise<Buffer> {
  const path = join(await emptyFolder(workspace, 'database'), 'd.db');
  makeDatabase(path, 3);
  return readFileSync(path);
}

test('refused: a database that is none, is broken, or has other rows than told', async () => {
  const bytes = await databaseBytes();
  const broken = Buffer.from(bytes);
  broken.fill(0xff, 4096, 4200);
  const path = 'databases/d/database.sqlite';
  const sqlite = (more: Partial<WrittenEntry>): WrittenEntry[] => [{ path, kind: 'sqlite', bytes, ...more }];
  const tables = [{ name: 'item', rows: 4 }];
  const cases: Record<string, readonly WrittenEntry[]> = {
    'a foreign file': sqlite({ bytes: 'this is not a database at all, though it is long enough to be read as one' }),
    'an empty database': sqlite({ bytes: '', metadata: { rows: 3 } }),
    'a broken database': sqlite({ bytes: broken }),
    'half a database': sqlite({ bytes: bytes.subarray(0, 4096) }),
    'other rows in all': sqlite({ metadata: { rows: 4 } }),
    'other rows in a table': sqlite({ metadata: { tables } }),
    'a table that is not there': sqlite({ metadata: { tables: [{ name: 'ghost', rows: 0 }] } }),
    'a database of two entries': [...sqlite({}), ...sqlite({ path: 'databases/d/second' })],
  };
  for (const [name, entries] of Object.entries(cases)) await assertRefused(name, entries, ['sqlite:TARGET/copy.db']);
  const folder = await emptyFolder(workspace, 'right');
  const archive = memoryRandomAccess(await writeArchive(sqlite({ metadata: { rows: 3 } })));
  await restoreBackup({ threads: 0, archive, to: [`sqlite:${folder}/copy.db`] });
  assert.ok(readFileSync(join(folder, 'copy.db')).equals(bytes));
});

test('a way up as the name of a database is a name only', async () => {
  const folder = await emptyFolder(workspace, 'names');
  const bytes = await databaseBytes();
  const entries: WrittenEntry[] = [{ path: 'databases/../x', kind: 'sqlite', bytes }];
  const archive = memoryRandomAccess(await writeArchive(entries));
  // It came from nowhere that the archive tells, so that there is no place for it but the one that is named.
  await assert.rejects(restoreBackup({ threads: 0, archive }), { code: 'usage.invalid' });
  await restoreBackup({ threads: 0, archive, to: [`sqlite:${folder}/in/copy.db`] });
  assert.deepEqual(
    (await describeTree(folder, { times: false })).map((line) => line.split(' ')[0]),
    ['./', './in/', './in/copy.db'],
  );
});

test('an index that does not tell what is there is refused, though all of it authenticates', async () => {
  const content = 'x'.repeat(2000);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const head = { part: 0, previous: null, firstSegment: 0, segments: [[2000, 2016]] };
  const entry = { path: 'files/f', kind: 'file', size: 2000, sha256, runs: [[0, 0, 2000]], metadata: {} };
  const write = (forged: { head?: object; entry?: object }) =>
    writeForgedIndex(
      content,
      `${JSON.stringify({ ...head, ...forged.head })}\n${JSON.stringify({ ...entry, ...forged.entry })}\n`,
    );
  const honest = memoryRandomAccess(await write({}));
  assert.equal((await validateBackup({ archive: honest, threads: 0 })).entryCount, 1);
  const lies: Record<string, { head?: object; entry?: object }> = {
    'another SHA-256': { entry: { sha256: sha256.replace(/./, (digit) => (digit === '0' ? '1' : '0')) } },
    'the SHA-256 of nothing': { entry: { sha256: createHash('sha256').digest('hex') } },
    'no SHA-256': { entry: { sha256: '' } },
    'a smaller size': { entry: { size: 1999 } },
    'a shorter run': { entry: { size: 1999, runs: [[0, 0, 1999]] } },
    'a run behind the end': { entry: { runs: [[0, 1, 2000]] } },
    'a run of a segment that is not there': { entry: { runs: [[7, 0, 2000]] } },
    'a run of the index': { entry: { runs: [[1, 0, 2000]] } },
    'an endless run': { entry: { size: 2 ** 52, runs: [[0, 0, 2 ** 52]] } },
    'an empty run': { entry: { runs: [[0, 0, 0]] } },
    'a run below nothing': { entry: { runs: [[0, -1, 2000]] } },
    'a size that is no number': { entry: { size: '2000' } },
    'a path that is none': { entry: { path: '' } },
    'another length of the segment': {
      head: { segments: [[2001, 2016]] },
      entry: { size: 2001, runs: [[0, 0, 2001]] },
    },
    'an endless segment': { head: { segments: [[2 ** 50, 2016]] } },
    'another sealed length': { head: { segments: [[2000, 2017]] } },
    'a segment too many': {
      head: {
        segments: [
          [2000, 2016],
          [1, 17],
        ],
      },
    },
    'another first segment': { head: { firstSegment: 1 } },
    'another part': { head: { part: 1 } },
    'a part before the first': { head: { previous: { segment: 1, offset: 2016, length: 100 } } },
  };
  const folder = await emptyFolder(workspace, 'lies');
  for (const [name, forged] of Object.entries(lies)) {
    const archive = memoryRandomAccess(await write(forged));
    const restored = restoreBackup({ archive, threads: 0, filesTo: join(folder, 'out'), partial: true });
    await assert.rejects(restored, { code: 'archive.corrupt' }, name);
    if (name.includes('SHA-256')) {
      await assert.rejects(validateBackup({ archive, threads: 0 }), { code: 'archive.corrupt' }, name);
    }
    assert.equal((await describeTree(folder)).length, 1, name);
  }
});
