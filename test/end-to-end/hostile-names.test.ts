/** Names of tables, columns and files that are SQL, options or commands: they stay names. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { quoteName as quoteMysql } from '../../src/source/mysql/sql-text.ts';
import { quoteName as quotePostgres } from '../../src/source/postgres/sql-name.ts';
import { runHere } from './command-line.ts';
import { dumpDatabase, makeWorkspace } from './workspace.ts';

const table = `x"; DROP TABLE "keep"; --\``;
const column = `c'); DROP TABLE keep; /*"]`;
const fileNames = [
  '-rf',
  '--output=pwned',
  '$(touch pwned)',
  '`touch pwned`',
  ';touch pwned;',
  'a\'b"c',
  '|touch pwned',
  'a\nb',
  '%s%n',
];
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

describe('names that are more than names', () => {
  const folder = makeWorkspace('names');
  const begun = process.cwd();
  before(() => {
    process.chdir(folder);
    const database = new DatabaseSync('shop.db');
    database.exec(`CREATE TABLE keep (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO keep VALUES (1, 'kept');
      CREATE TABLE ${quoted(table)} (id INTEGER PRIMARY KEY, ${quoted(column)} TEXT)`);
    database.prepare(`INSERT INTO ${quoted(table)} VALUES (1, ?)`).run(`v'); DROP TABLE keep; --`);
    database.close();
    mkdirSync('uploads');
    for (const name of fileNames) writeFileSync(join('uploads', name), name);
  });
  after(() => process.chdir(begun));

  const none = ['--encryption', 'none'];
  const done = async (...words: string[]) => {
    const { exitCode, stderr, stdout } = await runHere(words);
    assert.equal(exitCode, 0, `${stderr}${stdout}`);
  };

  it('of a database come back, and touch no other table', async () => {
    await done('backup', '--url', 'sqlite:shop.db', '--files', 'uploads', '--output', 'a.holdfast', ...none);
    await done('restore', 'a.holdfast', '--to', 'sqlite:back.db', '--files-to', 'out', '--yes');
    assert.deepEqual(dumpDatabase('back.db'), dumpDatabase('shop.db'));
    assert.deepEqual(readdirSync('out/uploads').sort(), [...fileNames].sort());
    for (const name of fileNames) assert.equal(readFileSync(join('out/uploads', name), 'utf8'), name);
    assert.equal(existsSync('pwned'), false);
  });

  it('of models come back through statements that are made of them', async () => {
    await done('backup', '--models', '--url', 'sqlite:shop.db', '--output', 'models.holdfast', ...none);
    await done('restore', 'models.holdfast', '--to', 'sqlite:models.db', '--create-schema', '--yes');
    const rows = (path: string) => dumpDatabase(path).filter((line) => line.includes('kept') || line.includes('DROP'));
    assert.deepEqual(rows('models.db').sort(), rows('shop.db').sort());
  });

  it('are quoted by the rules of each server', () => {
    for (const name of [table, column, 'a`b``c', 'a""b', '\\', "'"]) {
      assert.equal(quotePostgres(name), quoted(name));
      assert.equal(quoteMysql(name), `\`${name.replaceAll('`', '``')}\``);
    }
  });
});
