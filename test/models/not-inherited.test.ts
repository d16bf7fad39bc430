/** Mistakes that another system of this kind has made, each looked for here. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, suite, test } from 'node:test';
import { createBackup } from '../../src/operation/backup.ts';
import { restoreBackup } from '../../src/operation/restore.ts';
import { Secret } from '../../src/secret.ts';
import { FilesSource } from '../../src/source/files/files-source.ts';
import { ModelSource } from '../../src/source/model/model-source.ts';
import { LocalStorage } from '../../src/storage/local/local-storage.ts';
import { FaultyStorage } from '../../src/testing/faulty-storage.ts';
import { runHere } from '../end-to-end/command-line.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { runSql } from './database-of-engine.ts';
import { keepModels, putModels } from './model-archive.ts';

suite('mistakes that are not inherited', () => {
  const workspace = makeWorkspace('not-inherited');
  const startFolder = process.cwd();
  let folder = '';
  let url = '';
  beforeEach(async () => {
    folder = mkdtempSync(join(workspace, 'run-'));
    process.chdir(folder);
    url = `sqlite:${join(folder, 'shop.db')}`;
    await runSql(
      url,
      `CREATE TABLE customer (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, deleted_at DATETIME);
      INSERT INTO customer VALUES (1, 'ada@x', NULL), (2, 'gone@x', '2020-01-01 00:00:00.000001');
      CREATE VIEW people AS SELECT email FROM customer WHERE deleted_at IS NULL;`,
    );
  });
  after(() => process.chdir(startFolder));

  const emails = async (place = url) =>
    (await runSql(place, 'SELECT email FROM customer ORDER BY id')).map(({ email }) => email);

  test('a database that is named is the one that is backed up, and no other', async () => {
    await runSql(
      'sqlite:reports.db',
      `CREATE TABLE report (id INTEGER PRIMARY KEY); INSERT INTO report VALUES (1), (2), (3)`,
    );
    mkdirSync('all');
    // Of the two, the first could be taken for the default.
    const databases = [
      { alias: 'shop', url, models: {} },
      { alias: 'reports', url: 'sqlite:reports.db', models: {} },
    ];
    writeFileSync('holdfast.config.json', JSON.stringify({ encryption: 'none', databases }));
    const named = [
      '--models',
      '--url',
      'sqlite:reports.db',
      '--encryption',
      'none',
      '--output',
      'named.holdfast',
      '--json',
    ];
    const { exitCode, stdout, stderr } = await runHere(['backup', ...named]);
    assert.equal(exitCode, 0, stderr);
    assert.equal(JSON.parse(stdout).rowCount, 3);
    const listed = await runHere(['inspect', 'named.holdfast', '--json']);
    assert.match(listed.stdout, /models\/reports\/rows\/report\.jsonl/);
    assert.doesNotMatch(listed.stdout, /customer/);
    const all = await runHere(['backup', '--output', join('all', 'all.holdfast'), '--json']);
    assert.equal(all.exitCode, 0, all.stderr);
    assert.equal(JSON.parse(all.stdout).rowCount, 5);
    assert.notEqual(
      (await runHere(['backup', '--models', '--url', 'sqlite:nowhere.db', '--output', 'no.holdfast'])).exitCode,
      0,
    );
  });

  test('soft-deleted rows are backed up, emptied with their table, and come back', async () => {
    const kept = await keepModels(url);
    await runSql(url, `INSERT INTO customer VALUES (3, 'later@x', '2021-01-01 00:00:00')`);
    const change = await putModels(kept, url, { onConflict: 'replace-all' });
    assert.equal(change.removedRows, 3);
    assert.deepEqual(await emails(), ['ada@x', 'gone@x']);
  });

  test('a backup that fails when it is verified leaves the one before', async () => {
    const storage = new LocalStorage({ root: folder });
    const backUp = (given: FaultyStorage | LocalStorage) =>
      createBackup({
        sources: [new ModelSource({ url: new Secret(url), models: {} })],
        output: { storage: given, name: 'rows.holdfast' },
        encryption: 'none',
        threads: 0,
      });
    await backUp(storage);
    const before = readFileSync('rows.holdfast');
    const rotten = new FaultyStorage(storage, { seed: 3, faults: { bitRotRate: 0.5 } });
    await assert.rejects(backUp(rotten));
    assert.ok(readFileSync('rows.holdfast').equals(before));
  });

  test('where files cannot be restored, rows are not either', async () => {
    mkdirSync('uploads');
    writeFileSync(join('uploads', 'a.txt'), 'a');
    const output = join(folder, 'rows.holdfast');
    const sources = [new ModelSource({ url: new Secret(url), models: {} }), new FilesSource({ path: 'uploads' })];
    await createBackup({ sources, output, encryption: 'none', copies: 1, threads: 0 });
    await runSql(url, 'DELETE FROM customer');
    mkdirSync('there/uploads', { recursive: true });
    writeFileSync(join('there', 'uploads', 'a.txt'), 'in the way');
    const filesTo = join(folder, 'there');
    await assert.rejects(restoreBackup({ archive: output, to: [url], filesTo, threads: 0 }), { code: 'target.exists' });
    assert.deepEqual(await emails(), []);
  });

  test('a view that is named among the tables does not break the restore', async () => {
    const kept = await keepModels(url, {}, { includeTables: ['customer', 'people'] });
    assert.match(kept.notes.join('\n'), /people is left out: a view/);
    const to = `sqlite:${join(folder, 'copy.db')}`;
    await putModels(kept, to, { createSchema: true });
    assert.deepEqual(await emails(to), ['ada@x', 'gone@x']);
  });

  test('a natural key that a registration tells stands in the archive, and is gone by', async () => {
    writeFileSync(
      'customers.backup.ts',
      `import { defineBackup } from ${JSON.stringify(join(startFolder, 'src', 'index.ts'))};
      export default defineBackup('customer', { naturalKey: ['email'] });`,
    );
    const databases = [{ alias: 'shop', url, models: {} }];
    writeFileSync('holdfast.config.json', JSON.stringify({ encryption: 'none', databases }));
    const { exitCode, stderr } = await runHere(['backup', '--output', 'rows.holdfast']);
    assert.equal(exitCode, 0, stderr);
    await runSql(url, `UPDATE customer SET id = 9 WHERE id = 1; INSERT INTO customer VALUES (1, 'bob@x', NULL)`);
    const restore = ['restore', 'rows.holdfast', '--to', url, '--on-conflict', 'update', '--yes', '--json'];
    const restored = await runHere(restore);
    assert.equal(restored.exitCode, 0, restored.stderr);
    const [action] = JSON.parse(restored.stdout).actions;
    assert.deepEqual(action.models, [{ model: 'customer', inserted: 0, updated: 2, skipped: 0 }]);
    assert.deepEqual(await emails(), ['bob@x', 'gone@x', 'ada@x']);
  });
});
