/** Rows with numbers of 64 bits, as snowflake ids are: more than a number of JavaScript holds. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { keepModels, putModels } from '../../../../test/models/model-archive.ts';
import { type ErrorCode, HoldfastError } from '../../../errors.ts';
import { discoverSqlite } from './discover-sqlite.ts';

const large = '9007199254740995';
const next = '9007199254740996';
const tables = `
  CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE);
  CREATE TABLE visit (id INTEGER PRIMARY KEY AUTOINCREMENT, person_id INTEGER REFERENCES person (id));`;
const rows = `${tables} INSERT INTO person VALUES (${large}, 'ada@x'); INSERT INTO visit VALUES (${large}, ${large})`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-large-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Makes a database; gives its URL. */
function make(name: string, sql: string): string {
  using database = new DatabaseSync(join(folder, name), { enableForeignKeyConstraints: false });
  database.exec(sql);
  return `sqlite:${join(folder, name)}`;
}

function ask(name: string, sql: string): unknown[] {
  using database = new DatabaseSync(join(folder, name));
  return database.prepare(sql).all().flatMap(Object.values);
}

function isError(code: ErrorCode, pattern: RegExp) {
  return (error: unknown) => error instanceof HoldfastError && error.code === code && pattern.test(error.message);
}

describe('SQLite with numbers of 64 bits', () => {
  it('gives the next number to the last digit', () => {
    make('a.db', rows);
    using database = new DatabaseSync(join(folder, 'a.db'));
    const { models } = discoverSqlite(database);
    assert.deepEqual(
      models.map(({ name, columns }) => [name, columns[0]?.identity]),
      [
        ['person', { next }],
        ['visit', { next }],
      ],
    );
  });

  it('restores such rows, and goes on counting behind them', async () => {
    const kept = await keepModels(make('a.db', rows));
    const to = make('b.db', tables);
    await putModels(kept, to);
    make('b.db', `INSERT INTO person (email) VALUES ('bob@x')`);
    assert.deepEqual(ask('b.db', 'SELECT CAST(id AS TEXT) FROM person ORDER BY id'), [large, next]);
    assert.deepEqual(ask('b.db', 'SELECT CAST(person_id AS TEXT) FROM visit'), [large]);
  });

  it('names such a row that names one which is not there, and passes over one that did before', async () => {
    const kept = await keepModels(make('a.db', rows));
    const to = make('b.db', tables);
    const only = { only: ['visit'] };
    const pattern = new RegExp(`^visit: the row ${large} names a row of person that is not there$`);
    await assert.rejects(putModels(kept, to, {}, only), isError('target.invalid', pattern));
    make('b.db', 'INSERT INTO visit VALUES (9007199254740997, 5)');
    await putModels(kept, to);
    assert.deepEqual(ask('b.db', 'SELECT count(*) FROM visit'), [2]);
  });

  it('names such a number where rows are matched by another key', async () => {
    const kept = await keepModels(make('a.db', `${rows}; INSERT INTO visit VALUES (1, 9007199254740999)`));
    const to = make('b.db', `${tables} INSERT INTO person VALUES (4, 'ada@x')`);
    const pattern = /person_id = 9007199254740999 names a row of person that the archive does not hold/;
    const settings = { onConflict: 'update', naturalKeys: ['person:email'] } as const;
    await assert.rejects(putModels(kept, to, settings), isError('target.invalid', pattern));
  });
});
