/** One row comes back out of an archive of many, with all that it needs and nothing else. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, suite, test } from 'node:test';
import { createBackup } from '../../src/operation/backup.ts';
import { restoreBackup } from '../../src/operation/restore.ts';
import { Secret } from '../../src/secret.ts';
import { FilesSource } from '../../src/source/files/files-source.ts';
import { ModelSource } from '../../src/source/model/model-source.ts';
import { chinookLeftOut, loadChinookIntoSqlite } from '../databases/load-chinook.ts';
import { contentsOf, ModelArchives } from './model-archive.ts';

const tables = `
  CREATE TABLE employee (id INTEGER PRIMARY KEY, name TEXT, boss INTEGER REFERENCES employee);
  CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, agent INTEGER REFERENCES employee);
  CREATE TABLE product (code TEXT PRIMARY KEY, price NUMERIC);
  CREATE TABLE invoice (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer, replaces INTEGER REFERENCES invoice);
  CREATE TABLE line (invoice INTEGER REFERENCES invoice, number INTEGER, product TEXT REFERENCES product, PRIMARY KEY (invoice, number));
  CREATE TABLE attachment (id INTEGER PRIMARY KEY, invoice INTEGER REFERENCES invoice, path TEXT);
  CREATE TABLE note (text TEXT);`;
const rows = `
  INSERT INTO employee VALUES (1, 'Ada', NULL), (2, 'Bo', 1), (3, 'Cy', 1);
  INSERT INTO customer VALUES (10, 'Ten', 2), (11, 'Eleven', 3);
  INSERT INTO product VALUES ('p1', 1.5), ('p2', 2.5), ('p3', 3.5);
  INSERT INTO invoice VALUES (41, 10, NULL), (42, 10, 41), (43, 11, NULL);
  INSERT INTO line VALUES (41, 1, 'p3'), (42, 1, 'p1'), (42, 2, 'p2'), (43, 1, 'p1');
  INSERT INTO attachment VALUES (1, 42, 'a/42.pdf'), (2, 43, 'a/43.pdf'), (3, 42, NULL);
  INSERT INTO note VALUES ('nobody refers to it');`;

suite('a row of an archive', () => {
  const archives = new ModelArchives();
  after(() => archives.remove());

  const execute = (url: string, sql: string) => {
    const database = new DatabaseSync(url.slice('sqlite:'.length));
    database.exec(sql);
    database.close();
  };

  /** A database, its folder with files, and an archive of both. */
  const shop = async () => {
    const path = archives.path('shop.db');
    const [url, folder] = [`sqlite:${path}`, dirname(path)];
    execute(url, tables + rows);
    mkdirSync(join(folder, 'uploads/a'), { recursive: true });
    for (const number of [42, 43]) writeFileSync(join(folder, `uploads/a/${number}.pdf`), `the pdf of ${number}`);
    const column = { table: { name: 'attachment' }, column: 'path' };
    const files = {
      folder,
      roots: [],
      columns: [{ ...column, place: { kind: 'filePath', root: 'uploads' } as const }],
    };
    const { archive } = await archives.backUp(url, { files });
    return { url, folder, archive };
  };

  const linesOf = async (url: string) => Object.fromEntries((await contentsOf(url)).lines);

  test('what was deleted comes back, and what was changed meanwhile stays', async () => {
    const { url, folder, archive } = await shop();
    const before = await linesOf(url);
    execute(
      url,
      `DELETE FROM line; DELETE FROM attachment; DELETE FROM invoice WHERE id IN (41, 42); DELETE FROM customer WHERE id = 10;
       UPDATE employee SET name = 'Bo the second' WHERE id = 2; UPDATE product SET price = 99 WHERE code = 'p1'`,
    );
    rmSync(join(folder, 'uploads'), { recursive: true });
    const report = await archives.restore(archive, url, { row: 'invoice:42', withOwned: true });
    const now = await linesOf(url);
    assert.deepEqual(now['invoice'], before['invoice']);
    assert.deepEqual(now['customer'], before['customer']);
    assert.deepEqual(now['line'], ['["42","1","p1"]', '["42","2","p2"]']);
    assert.deepEqual(now['attachment'], ['["1","42","a/42.pdf"]', '["3","42",null]']);
    assert.ok(now['employee']?.includes('["2","Bo the second","1"]'));
    assert.ok(now['product']?.some((line) => line.includes('99')));
    assert.deepEqual(now['note'], before['note']);
    assert.equal(readFileSync(join(folder, 'uploads/a/42.pdf'), 'utf8'), 'the pdf of 42');
    assert.ok(!existsSync(join(folder, 'uploads/a/43.pdf')));
    const counts = report.actions.flatMap(({ models = [] }) => models);
    assert.deepEqual(counts.map(({ model, inserted, skipped }) => [model, inserted, skipped]).sort(), [
      ['attachment', 2, 0],
      ['customer', 1, 0],
      ['employee', 0, 2],
      ['invoice', 2, 0],
      ['line', 2, 0],
      ['product', 0, 2],
    ]);
    assert.equal(report.rowCount, 11);
  });

  test('without what belongs to it only what it needs comes along', async () => {
    const { archive } = await shop();
    const target = `sqlite:${archives.path('copy.db')}`;
    await archives.restore(archive, target, { row: 'invoice:42', createSchema: true });
    const lines = await linesOf(target);
    assert.deepEqual(Object.keys(lines).sort(), ['customer', 'employee', 'invoice']);
    assert.deepEqual(lines['invoice'], ['["41","10",null]', '["42","10","41"]']);
    assert.deepEqual(lines['employee'], ['["1","Ada",null]', '["2","Bo","1"]']);
  });

  test('a dry run counts, and changes nothing; a whole table is never emptied for it', async () => {
    const { url, archive } = await shop();
    const before = await linesOf(url);
    const settings = { row: 'line:42,1', onConflict: 'replace-all' } as const;
    const dry = await archives.restore(archive, url, settings, { dryRun: true });
    assert.equal(dry.rowCount, 7);
    assert.deepEqual(await linesOf(url), before);
    const report = await archives.restore(archive, url, settings);
    assert.match(String(report.actions[0]?.notes), /line is not emptied/);
    assert.deepEqual(await linesOf(url), before);
  });

  test('what cannot be chosen is said', async () => {
    const { url, archive } = await shop();
    const refuses = (row: string, code: string, message: RegExp) =>
      assert.rejects(archives.restore(archive, url, { row }), { code, message });
    await refuses('invoice:4711', 'archive.entry_not_found', /invoice has no row 4711 in this archive/);
    await refuses('bill:1', 'usage.invalid', /there is no model bill/);
    await refuses('line:42', 'usage.invalid', /has 2 columns: invoice, number/);
    await refuses('note:1', 'usage.invalid', /note has no primary key/);
    await refuses('invoice', 'usage.invalid', /names no row/);
    const output = archives.path('files.holdfast');
    const sources = [new FilesSource({ path: dirname(archive) })];
    await createBackup({ sources, output, encryption: 'none', copies: 1, threads: 0 });
    const models = { row: 'invoice:42' };
    await assert.rejects(restoreBackup({ archive: output, models, threads: 0 }), {
      code: 'usage.invalid',
      message: /no models are restored/,
    });
  });

  test('of several databases one has to be named, and other entries are left alone', async () => {
    const { url, folder } = await shop();
    const output = archives.path('two.holdfast');
    const source = (name: string) => new ModelSource({ url: new Secret(url), name, models: {} });
    const sources = [source('one'), source('two'), new FilesSource({ path: join(folder, 'uploads') })];
    await createBackup({ sources, output, encryption: 'none', copies: 1, threads: 0 });
    const to = [`sqlite:${archives.path('copy.db')}`];
    const options = { archive: output, to, models: { row: 'customer:11', createSchema: true }, threads: 0 };
    await assert.rejects(restoreBackup(options), { code: 'usage.invalid', message: /several databases: one, two/ });
    const report = await restoreBackup({ ...options, only: ['models/two/**', 'files/**'] });
    assert.deepEqual(
      report.actions.map(({ kind }) => kind),
      ['models'],
    );
    assert.deepEqual((await linesOf(to[0] ?? ''))['customer'], ['["11","Eleven","3"]']);
  });

  test('the same rows as a backup of that row alone', { skip: chinookLeftOut() }, async () => {
    const path = archives.path('chinook.db');
    loadChinookIntoSqlite(path);
    const url = `sqlite:${path}`;
    const { archive } = await archives.backUp(url);
    for (const row of ['Invoice:42', 'Employee:8', 'Artist:90', 'PlaylistTrack:1,3402']) {
      for (const withOwned of [false, true]) {
        const narrow = await archives.backUp(url, { row, withOwned });
        const [expected, made] = [`sqlite:${archives.path('a.db')}`, `sqlite:${archives.path('b.db')}`];
        await archives.restore(narrow.archive, expected, { createSchema: true });
        const report = await archives.restore(archive, made, { createSchema: true, row, withOwned });
        assert.deepEqual(await linesOf(made), await linesOf(expected), `${row} ${withOwned}`);
        assert.equal(report.rowCount, narrow.report.rowCount);
      }
    }
  });
});
