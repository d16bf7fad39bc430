import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type ErrorCode, HoldfastError } from '../../errors.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { collectSource } from '../../testing/source-cases.ts';
import type { RestorableEntry } from '../target.ts';
import { SqliteSource } from './sqlite-source.ts';
import { SqliteTablesTarget, type SqliteTablesTargetOptions } from './sqlite-tables-target.ts';
import { undoSqlite } from './undo-sqlite.ts';

const clock = new FakeClock(Date.UTC(2026, 1, 3));
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-tables-'));
  path = join(folder, 'app.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(statements: string, at = path): void {
  using database = new DatabaseSync(at);
  database.exec(statements);
}

function rows(query: string, at = path): unknown[] {
  using database = new DatabaseSync(at, { readOnly: true });
  return database
    .prepare(query)
    .all()
    .map((row) => Object.values(row).join('|'));
}

/** An archived database, with one that is written anew for every restore. */
async function archive(statements: string): Promise<{ entry: RestorableEntry; bytes: Buffer }> {
  const at = join(folder, 'archived.db');
  run(statements, at);
  const { entries } = await collectSource(new SqliteSource({ path: at }));
  rmSync(at);
  const [saved] = entries;
  assert.ok(saved);
  const { bytes, ...rest } = saved;
  return { bytes, entry: { ...rest, sizeBytes: bytes.length } };
}

async function restore(
  { entry, bytes }: { entry: RestorableEntry; bytes: Buffer },
  tables: string[],
  options: Partial<SqliteTablesTargetOptions> = {},
) {
  const target = new SqliteTablesTarget({ path, tables, clock, ...options });
  try {
    await target.plan([entry]);
    await target.stage(
      entry,
      (async function* () {
        yield bytes;
      })(),
    );
    return await target.commit();
  } finally {
    await target.abort();
  }
}

function isError(code: ErrorCode, pattern: RegExp) {
  return (error: unknown) => error instanceof HoldfastError && error.code === code && pattern.test(error.message);
}

const everything = `
  CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT);
  INSERT INTO customer VALUES (1, 'a'), (2, 'b');
  CREATE TABLE "odd ""name" (n INTEGER PRIMARY KEY AUTOINCREMENT, amount REAL, twice REAL AS (amount * 2) STORED,
    thrice REAL AS (amount * 3), customer REFERENCES customer (id)) STRICT;
`.replace('customer REFERENCES', 'customer INTEGER REFERENCES');
const odd = `${everything}
  INSERT INTO "odd ""name" (amount, customer) VALUES (1.5, 1), (2.5, 2), (3.5, 2);
  DELETE FROM "odd ""name" WHERE n = 3;
  CREATE INDEX odd_index ON "odd ""name" (amount);
  CREATE TABLE log (text);
  CREATE TRIGGER odd_trigger AFTER INSERT ON "odd ""name" BEGIN INSERT INTO log VALUES (new.n); END;
  CREATE TABLE pair (a TEXT, b TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID;
  INSERT INTO pair VALUES ('x', 'y');
  CREATE TABLE plain (rowid_like TEXT);
  INSERT INTO plain (rowid, rowid_like) VALUES (7, 'seven'), (-2, NULL);
`;
const oddName = 'odd "name';

describe('SqliteTablesTarget', () => {
  it('puts tables with indexes, triggers and numbers into a database, and leaves the rest of it alone', async () => {
    const saved = await archive(odd);
    run(`PRAGMA journal_mode = WAL; PRAGMA user_version = 5; ${everything}
      CREATE TABLE log (text); CREATE VIEW sums AS SELECT sum(amount) FROM "odd ""name";
      INSERT INTO "odd ""name" (amount, customer) VALUES (9, 1); INSERT INTO customer VALUES (3, 'new')`);
    const change = await restore(saved, [oddName, 'pair', 'plain'], { overwrite: true });
    assert.equal(change.action, 'merge');
    assert.deepEqual(rows('SELECT * FROM "odd ""name"'), ['1|1.5|3|4.5|1', '2|2.5|5|7.5|2']);
    assert.deepEqual(rows('SELECT * FROM pair'), ['x|y']);
    assert.deepEqual(rows('SELECT rowid, rowid_like FROM plain ORDER BY rowid'), ['-2|', '7|seven']);
    assert.deepEqual(rows('SELECT * FROM customer'), ['1|a', '2|b', '3|new']);
    assert.deepEqual(rows('SELECT * FROM sums'), ['4']);
    assert.deepEqual(rows('SELECT count(*) FROM log'), ['0']);
    assert.deepEqual(rows("SELECT seq FROM sqlite_sequence WHERE name = 'odd \"name'"), ['3']);
    assert.deepEqual(rows('PRAGMA user_version'), ['5']);
    assert.deepEqual(rows('PRAGMA integrity_check'), ['ok']);
    run('INSERT INTO "odd ""name" (amount, customer) VALUES (4, 1)');
    assert.deepEqual(rows('SELECT * FROM log'), ['4']);
    assert.deepEqual(rows("SELECT name FROM sqlite_schema WHERE name = 'odd_index'"), ['odd_index']);
  });

  it('keeps the whole database as the undo, which brings it back', async () => {
    const saved = await archive(odd);
    run(`${everything} INSERT INTO "odd ""name" (amount) VALUES (9)`);
    const { undo = '' } = await restore(saved, [oddName], { overwrite: true });
    assert.deepEqual(rows('SELECT amount FROM "odd ""name"', undo), ['9']);
    assert.equal(statSync(undo).mode, statSync(path).mode);
    await undoSqlite(path, { clock });
    assert.deepEqual(rows('SELECT amount FROM "odd ""name"'), ['9']);
    await restore(saved, [oddName], { overwrite: true, keepUndo: false });
    assert.equal(readdirSync(folder).length, 2, 'one undo, of before');
  });

  it('makes a database of the tables alone where none is', async () => {
    const saved = await archive(`PRAGMA encoding = 'UTF-16le'; ${odd}`);
    assert.equal((await restore(saved, ['pair', 'log'])).action, 'create');
    assert.deepEqual(rows('SELECT name FROM sqlite_schema ORDER BY name'), ['log', 'pair']);
    assert.deepEqual(readdirSync(folder), ['app.db']);
  });

  it('replaces a table only when it may, and tells so before anything is written', async () => {
    const saved = await archive(odd);
    run(everything);
    await assert.rejects(restore(saved, [oddName]), isError('target.exists', /the table odd "name exists/));
    await restore(saved, ['pair']);
    assert.deepEqual(rows('SELECT * FROM pair'), ['x|y']);
  });

  it('leaves everything as it was when one table fails', async () => {
    const saved = await archive(odd);
    run(
      'CREATE TABLE plain (mine); INSERT INTO plain VALUES (1); CREATE TABLE other (a); CREATE INDEX odd_index ON other (a)',
    );
    const fails = restore(saved, ['plain', oddName], { overwrite: true });
    await assert.rejects(fails, isError('target.invalid', /odd_index already exists/));
    assert.deepEqual(rows('SELECT mine FROM plain'), ['1']);
    assert.deepEqual(readdirSync(folder), ['app.db']);
  });

  it('refuses what would leave rows that refer to nothing, but not such as were there before', async () => {
    const saved = await archive(odd);
    run('CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO customer VALUES (1, 1)');
    await assert.rejects(restore(saved, [oddName]), isError('target.invalid', /odd "name would refer to/));
    await restore(saved, [oddName, 'customer', 'log'], { overwrite: true });
    run('PRAGMA foreign_keys = OFF; INSERT INTO "odd ""name" (amount, customer) VALUES (1, 77)');
    await restore(saved, ['pair']);
    assert.deepEqual(rows('SELECT * FROM pair'), ['x|y']);
  });

  it('tells that also of rows whose numbers have 64 bits', async () => {
    const saved = await archive(`CREATE TABLE customer (id INTEGER PRIMARY KEY);
      CREATE TABLE sale (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer (id));
      INSERT INTO customer VALUES (2); INSERT INTO sale VALUES (9007199254740995, 2)`);
    run('CREATE TABLE customer (id INTEGER PRIMARY KEY)');
    await assert.rejects(restore(saved, ['sale']), isError('target.invalid', /rows of sale would refer to/));
    await restore(saved, ['sale', 'customer'], { overwrite: true });
    assert.deepEqual(rows('SELECT CAST(id AS TEXT) FROM sale'), ['9007199254740995']);
  });

  it('refuses parts of a virtual table, tables that the archive lacks, and a database that is locked', async () => {
    const saved = await archive(
      'CREATE VIRTUAL TABLE note USING fts5(body); INSERT INTO note VALUES (1); CREATE TABLE t (a)',
    );
    for (const name of ['note', 'note_data']) {
      await assert.rejects(restore(saved, [name]), isError('usage.invalid', /virtual/));
    }
    await assert.rejects(restore(saved, ['gone']), isError('archive.entry_not_found', /gone/));
    run('CREATE TABLE own (a)');
    using writer = new DatabaseSync(path);
    writer.exec('BEGIN IMMEDIATE');
    await assert.rejects(restore(saved, ['t']), isError('target.busy', /locked/));
    writer.exec('ROLLBACK');
    assert.deepEqual(readdirSync(folder), ['app.db']);
  });

  it('works while the application is connected', async () => {
    const saved = await archive(odd);
    run('PRAGMA journal_mode = WAL; CREATE TABLE own (a)');
    using application = new DatabaseSync(path);
    assert.equal(application.prepare('SELECT count(*) AS n FROM own').get()?.['n'], 0);
    await restore(saved, ['pair']);
    assert.equal(application.prepare('SELECT count(*) AS n FROM pair').get()?.['n'], 1);
  });
});
