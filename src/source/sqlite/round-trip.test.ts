/** What SQLite can hold comes back as it was, with what is only in the -wal file. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { collectSource } from '../../testing/source-cases.ts';
import { quoted } from './inspect-database.ts';
import { SqliteSource } from './sqlite-source.ts';
import { SqliteTarget } from './sqlite-target.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The schema, every row of every table, and what the header keeps. */
function everything(path: string): unknown {
  using database = new DatabaseSync(path, { readOnly: true });
  const all = (query: string) => database.prepare(query).all();
  const tables = all(
    `SELECT name FROM pragma_table_list WHERE schema = 'main' AND name <> 'sqlite_schema' ORDER BY name`,
  );
  return {
    schema: all('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name'),
    rows: tables.map(({ name }) => [name, all(`SELECT * FROM ${quoted(String(name))}`)]),
    found: all(`SELECT rowid, highlight(note, 0, '<', '>') AS text FROM note WHERE note MATCH 'second'`),
    header: ['user_version', 'application_id', 'page_size', 'encoding', 'auto_vacuum'].map((name) =>
      all(`PRAGMA ${name}`),
    ),
  };
}

async function restore(from: string, to: string) {
  const { entries } = await collectSource(new SqliteSource({ path: from }));
  const [saved] = entries;
  assert.ok(saved);
  const target = new SqliteTarget({ path: to });
  const entry = { ...saved, sizeBytes: saved.bytes.length };
  await target.plan([entry]);
  await target.stage(
    entry,
    (async function* () {
      yield saved.bytes;
    })(),
  );
  await target.commit();
  return saved.metadata;
}

test('every kind of table, generated columns, full-text search and the header come back, from the -wal file too', async () => {
  const path = join(folder, 'all.db');
  using database = new DatabaseSync(path);
  database.exec(`PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA encoding = 'UTF-16be';
    PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
    PRAGMA user_version = 42; PRAGMA application_id = 1751411826;
    CREATE TABLE strict_one (i INT, t TEXT, r REAL, b BLOB, a ANY) STRICT;
    INSERT INTO strict_one VALUES (9007199254740991, 'ä', 1e308, x'00ff', 'any'), (NULL, NULL, NULL, NULL, 2.5);
    CREATE TABLE pair (a TEXT, b TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID, STRICT;
    INSERT INTO pair VALUES ('x', 'y'), ('y', 'x');
    CREATE TABLE made (n INTEGER PRIMARY KEY AUTOINCREMENT, v REAL AS (n * 2), s TEXT AS (n || '!') STORED);
    INSERT INTO made (n) VALUES (1), (5); DELETE FROM made WHERE n = 5;
    CREATE VIRTUAL TABLE note USING fts5(body, tokenize = 'porter');
    INSERT INTO note VALUES ('the first'), ('the seconds');
    CREATE TABLE "ünï ""quoted""" (" " TEXT); INSERT INTO "ünï ""quoted""" VALUES ('z');
    CREATE TABLE empty_one (a); CREATE VIEW seen AS SELECT * FROM pair;
    CREATE INDEX part ON strict_one (t) WHERE t IS NOT NULL;
    CREATE TRIGGER late AFTER INSERT ON empty_one BEGIN DELETE FROM pair; END`);
  assert.ok(statSync(`${path}-wal`).size > 0, 'what was written last is in the -wal file');
  const without = join(folder, 'without-wal.db');
  copyFileSync(path, without);
  const copy = join(folder, 'copy.db');
  const metadata = await restore(path, copy);
  assert.deepEqual(everything(copy), everything(path));
  assert.throws(() => everything(without), 'the database file alone does not have it');
  const counts = new Map(
    (metadata['tables'] as { name: string; rows: number }[]).map(({ name, rows }) => [name, rows]),
  );
  assert.deepEqual(
    ['strict_one', 'pair', 'made', 'note', 'ünï "quoted"', 'empty_one'].map((name) => counts.get(name)),
    [2, 2, 1, 2, 1, 0],
  );
});
