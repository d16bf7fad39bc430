/** A backup that holds far less than the one before is kept, marked, and never taken for the measure. */
import assert from 'node:assert/strict';
import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import {
  type BackupOptions,
  CommandSource,
  createBackup,
  FilesSource,
  HoldfastError,
  inspectArchive,
  MemoryStorage,
  restoreBackup,
  Secret,
  SqliteSource,
} from '../../src/index.ts';
import { ageKeys, dumpDatabase, emptyFolder, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('suspect');

/** A folder with a database, and backups of it, each a minute younger than the one before. */
async function subject(name: string) {
  const folder = await emptyFolder(workspace, name);
  const path = join(folder, 'shop.db');
  const setRows = (rows: number, table = 'orders') => {
    using database = new DatabaseSync(path);
    database.exec(`DROP TABLE IF EXISTS ${table}; CREATE TABLE ${table} (a); WITH RECURSIVE n (i) AS
      (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO ${table} SELECT i FROM n`);
  };
  let minutes = 0;
  const backUp = async (output: string, more: Partial<BackupOptions> = {}) => {
    const archive = join(folder, output);
    const sources = [new SqliteSource({ path })];
    const report = await createBackup({ threads: 0, sources, output: archive, encryption: 'none', ...more });
    minutes += 1;
    utimesSync(archive, 1_700_000_000 + minutes * 60, 1_700_000_000 + minutes * 60);
    return report;
  };
  return { folder, path, setRows, backUp };
}

test('the first archive has nothing to be compared with, the next ones have', async () => {
  const { setRows, backUp, folder } = await subject('first');
  setRows(100);
  assert.deepEqual((await backUp('shop-1.holdfast')).comparison, { falls: [] });
  setRows(50);
  const { suspect, comparison } = await backUp('shop-2.holdfast');
  assert.equal(suspect, false);
  assert.equal(comparison.previous, join(folder, 'shop-1.holdfast'));
});

test('an archive with less than half the rows is marked, can be restored, and is not the measure of the next', async () => {
  const { setRows, backUp, folder, path } = await subject('marked');
  setRows(100);
  const { archiveId } = await backUp('shop-1.holdfast');
  setRows(49);
  const falls = [{ path: 'databases/shop/tables/orders', measure: 'rows', before: 100, now: 49 }];
  const second = await backUp('shop-2.holdfast');
  assert.deepEqual([second.suspect, second.comparison.previousId, second.comparison.falls], [true, archiveId, falls]);
  const archive = join(folder, 'shop-2.holdfast');
  const { entries = [], state } = await inspectArchive({ archive });
  const note = entries.find(({ path: entryPath }) => entryPath === 'holdfast/suspect');
  assert.deepEqual([state, note?.kind, note?.metadata], ['intact', 'note', { previous: archiveId, falls }]);
  assert.equal(second.entryCount, entries.length);

  const to = join(folder, 'copy.db');
  const report = await restoreBackup({ archive, threads: 0, to: [`sqlite:${to}`] });
  assert.equal(report.entryCount, 1);
  assert.deepEqual(dumpDatabase(to), dumpDatabase(path));

  assert.equal((await backUp('shop-3.holdfast')).suspect, true, 'compared with the first, not with the second');
  assert.equal((await backUp('shop-4.holdfast', { allowedFall: 1 })).suspect, false);
  assert.equal((await backUp('shop-5.holdfast')).suspect, false, 'what was allowed once is the measure from then on');
});

test('a table that is gone is told; the size of the file is not', async () => {
  const { setRows, backUp, path } = await subject('gone');
  setRows(1, 'small');
  setRows(20_000);
  setRows(20_000, 'filler');
  await backUp('shop-1.holdfast');
  using database = new DatabaseSync(path);
  database.exec('DELETE FROM filler WHERE a > 10000; DROP TABLE small; VACUUM');
  const { comparison } = await backUp('shop-2.holdfast', { allowedFall: 0.51 });
  assert.deepEqual(comparison.falls, [{ path: 'databases/shop/tables/small', measure: 'rows', before: 1, now: 0 }]);
});

test('a suspect archive does not take the place of another', async () => {
  const { setRows, backUp, folder } = await subject('replace');
  setRows(100);
  await backUp('shop.holdfast');
  setRows(1);
  await assert.rejects(backUp('shop.holdfast'), (error) => {
    return (
      error instanceof HoldfastError && error.code === 'source.shrunken' && /100 rows and has 1$/.test(error.message)
    );
  });
  const { entries = [] } = await inspectArchive({ archive: join(folder, 'shop.holdfast') });
  assert.equal(entries[0]?.metadata['rows'], 100);
  assert.equal((await backUp('shop.holdfast', { allowedFall: 1 })).suspect, false);
});

test('archives of other names, and files, are not compared', async () => {
  const { setRows, backUp, folder } = await subject('other');
  setRows(100);
  await backUp('staging-1.holdfast');
  setRows(1);
  assert.deepEqual((await backUp('shop-1.holdfast')).comparison, { falls: [] });
  const named = await backUp('shop-x.holdfast', { previous: join(folder, 'staging-1.holdfast') });
  assert.equal(named.suspect, true);
  writeFileSync(join(folder, 'file'), 'x');
  const files = [new FilesSource({ path: join(folder, 'file') })];
  const previous = join(folder, 'staging-1.holdfast');
  assert.deepEqual((await backUp('files.holdfast', { sources: files, previous })).comparison, { falls: [] });
});

test('an archive that cannot be read, or not with the keys at hand, is no failure, and is told', async () => {
  const { setRows, backUp, folder } = await subject('unreadable');
  setRows(100);
  writeFileSync(join(folder, 'shop-0.holdfast'), 'no archive');
  const damaged = await backUp('shop-1.holdfast');
  assert.equal(damaged.suspect, false);
  assert.match(String(damaged.comparison.reason), /shop-0\.holdfast: /);

  const [age] = ageKeys;
  assert.ok(age);
  const sealed = { encryption: 'aes-256-gcm', keys: { recipients: [age.recipient] } } as const;
  await backUp('sealed-1.holdfast', sealed);
  setRows(1);
  const blind = await backUp('sealed-2.holdfast', sealed);
  assert.match(String(blind.comparison.reason), /sealed-1\.holdfast: this machine has no key that opens it$/);
  assert.equal(blind.suspect, false);
  const previous = join(folder, 'sealed-1.holdfast');
  const previousKeys = { identities: [new Secret(age.identity)] };
  assert.equal((await backUp('sealed-3.holdfast', { ...sealed, previous, previousKeys })).suspect, true);

  const passphrases = [new Secret('one passphrase')];
  const other = await backUp('shop-2.holdfast', { encryption: 'aes-256-gcm', keys: { passphrases }, previous });
  assert.match(String(other.comparison.reason), /sealed-1/);
});

test('a passphrase opens the archive before; the output of a command is compared by its size, in any storage', async () => {
  const storage = new MemoryStorage();
  const passphrases = [new Secret('one passphrase')];
  const backUp = (name: string, bytes: number) => {
    const sources = [new CommandSource({ name: 'cache', command: ['head', '-c', String(bytes), '/dev/zero'] })];
    return createBackup({ threads: 0, sources, output: { storage, name }, keys: { passphrases } });
  };
  await backUp('daily/cache-1.holdfast', 1000);
  assert.equal((await backUp('daily/cache-2.holdfast', 500)).suspect, false);
  const { comparison } = await backUp('daily/cache-3.holdfast', 249);
  assert.deepEqual(comparison.falls, [{ path: 'databases/cache/stream', measure: 'bytes', before: 500, now: 249 }]);
  assert.equal(existsSync('daily'), false);
});
