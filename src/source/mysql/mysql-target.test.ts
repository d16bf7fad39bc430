import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { makeEverything, portrait } from '../../../test/mysql/everything.ts';
import { type MariadbServer, startMariadb } from '../../../test/mysql/mariadb-server.ts';
import { backUp, type Entry, restore } from '../../../test/mysql/restore.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { undoMysql } from './undo-mysql.ts';

leaveOutWithout('mariadb');

let server: MariadbServer;
let entries: readonly Entry[];

before(async () => {
  server = await startMariadb();
  await makeEverything(server, 'app');
  entries = await backUp(server.url('app'));
});
after(async () => await server?.stop());

async function besides(name: string): Promise<string[]> {
  const rows = await server.query(`SHOW DATABASES LIKE '${name}\\_\\_holdfast%'`);
  return rows.map((row) => String(Object.values(row)[0]));
}

async function rejects(work: Promise<unknown>, code: string, pattern = /./): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof HoldfastError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  });
}

const undo = (name: string, timeoutMs = 20_000) => undoMysql({ url: new Secret(server.url(name)), timeoutMs });
const tablesOnly = (...names: string[]) =>
  entries.filter(({ kind, metadata }) => kind === 'table' && names.includes(String(metadata['table'])));

describe('a database of MariaDB is restored', () => {
  it('with all that it holds, where there was none', async () => {
    const change = await restore(server.url('fresh'), entries, { mode: 'fresh' });
    assert.deepEqual(change, { target: server.url('fresh'), action: 'create' });
    assert.deepEqual(await portrait(server, 'fresh'), await portrait(server, 'app'));
    assert.deepEqual(await besides('fresh'), []);
    await server.query('INSERT INTO fresh.counted (v) VALUES (2)');
    const [row] = await server.query('SELECT COUNT(*) AS n, MAX(id) >= 3000 AS isLater FROM fresh.counted');
    assert.deepEqual({ ...row }, { n: 2, isLater: 1 });
  });

  it('in place of another one, which undo brings back, and undo of undo the new one', async () => {
    await server.query(
      'CREATE DATABASE shop',
      'CREATE TABLE shop.old (id int PRIMARY KEY)',
      'INSERT INTO shop.old VALUES (1)',
      'USE shop',
      'CREATE TRIGGER old_trigger BEFORE INSERT ON old FOR EACH ROW SET @a = 1',
      'CREATE VIEW old_view AS SELECT * FROM old',
      'CREATE PROCEDURE p1() BEGIN SELECT 1; END',
      'CREATE EVENT old_event ON SCHEDULE EVERY 1 DAY STARTS NOW() + INTERVAL 1 DAY DO SELECT 1',
      'CREATE TABLE author (other int)',
    );
    const old = await portrait(server, 'shop');
    await rejects(restore(server.url('shop'), entries), 'target.exists');
    await rejects(restore(server.url('shop'), entries, { mode: 'fresh', overwrite: true }), 'target.exists');
    assert.deepEqual(await portrait(server, 'shop'), old);
    const change = await restore(server.url('shop'), entries, { overwrite: true });
    assert.deepEqual(await portrait(server, 'shop'), await portrait(server, 'app'));
    assert.deepEqual(await besides('shop'), [change.undo]);
    await undo('shop');
    assert.deepEqual(await portrait(server, 'shop'), old);
    assert.equal((await besides('shop')).length, 1);
    await undo('shop');
    assert.deepEqual(await portrait(server, 'shop'), await portrait(server, 'app'));
  });

  it('where it was lost', async () => {
    await makeEverything(server, 'lost');
    const whole = await portrait(server, 'lost');
    const kept = await backUp(server.url('lost'));
    await server.query('DROP DATABASE lost');
    await restore(server.url('lost'), kept);
    assert.deepEqual(await portrait(server, 'lost'), whole);
  });

  it('without keeping what was there when that is not wanted', async () => {
    await server.query('CREATE DATABASE gone', 'CREATE TABLE gone.old (id int)');
    const change = await restore(server.url('gone'), entries, { overwrite: true, keepUndo: false });
    assert.equal(change.undo, undefined);
    assert.deepEqual(await besides('gone'), []);
    await rejects(undo('gone'), 'target.no_undo');
  });

  it('from a dump of the tool itself', async () => {
    const [dump] = await backUp(server.url('app'), { method: 'dump' });
    assert.equal(dump?.kind, 'dump');
    await restore(server.url('dumped'), dump === undefined ? [] : [dump]);
    // A dump names the sequence of the database that it is of.
    const { 'TABLE counted': _, ...found } = await portrait(server, 'dumped');
    const { 'TABLE counted': __, ...expected } = await portrait(server, 'app');
    assert.deepEqual(found, expected);
  });

  it('though somebody reads what an older restore replaced, which the next one removes', async () => {
    await server.query('CREATE DATABASE twice', 'CREATE TABLE twice.old (id int)');
    const again = (options = {}) =>
      restore(server.url('twice'), entries, { overwrite: true, timeoutMs: 1_000, ...options });
    const first = await again();
    const reader = await server.connect();
    await reader.run('BEGIN');
    await reader.rows(`SELECT * FROM ${first.undo}.old`);
    await server.query('DELETE FROM twice.book');
    const changed = await portrait(server, 'twice');
    const second = await again();
    assert.match(String(second.undo), /^twice__holdfast_undo_/);
    assert.deepEqual(await besides('twice'), [first.undo, second.undo].sort());
    await reader.close();
    await undo('twice');
    assert.deepEqual(await portrait(server, 'twice'), changed);
    assert.equal((await besides('twice')).length, 1);
  });

  it('without an undo though somebody reads an older one, which cannot be brought back from then on', async () => {
    await server.query('CREATE DATABASE never', 'CREATE TABLE never.old (id int)');
    const again = (options = {}) =>
      restore(server.url('never'), entries, { overwrite: true, timeoutMs: 1_000, ...options });
    const first = await again();
    const reader = await server.connect();
    await reader.run('BEGIN');
    await reader.rows(`SELECT * FROM ${first.undo}.old`);
    assert.equal((await again({ keepUndo: false })).undo, undefined);
    assert.deepEqual(await besides('never'), [first.undo]);
    await rejects(undo('never', 1_000), 'target.no_undo');
    await reader.close();
    await rejects(undo('never'), 'target.no_undo');
    assert.deepEqual(await besides('never'), []);
    assert.deepEqual(await portrait(server, 'never'), await portrait(server, 'app'));
  });

  it('not as a transaction, which is said', async () => {
    await rejects(restore(server.url('x'), entries, { mode: 'transaction' }), 'usage.invalid', /transaction/);
  });
});

describe('some tables of a database of MariaDB are restored', () => {
  it('where they are gone, and nothing else is touched', async () => {
    await makeEverything(server, 'partly');
    const whole = await portrait(server, 'partly');
    await server.query('DROP TABLE partly.typed');
    const change = await restore(server.url('partly'), tablesOnly('typed'));
    assert.equal(change.action, 'merge');
    assert.deepEqual(await portrait(server, 'partly'), whole);
  });

  it('with a foreign key to a table that stays, and the triggers that hang on them', async () => {
    await makeEverything(server, 'keys');
    const whole = await portrait(server, 'keys');
    await server.query('DELETE FROM keys.book'.replace('keys', '`keys`'));
    const changed = await portrait(server, 'keys');
    await rejects(restore(server.url('keys'), tablesOnly('book')), 'target.exists');
    await restore(server.url('keys'), tablesOnly('book'), { overwrite: true });
    assert.deepEqual(await portrait(server, 'keys'), whole);
    await assert.rejects(server.query('INSERT INTO `keys`.book VALUES (9, 9, NULL)'), { errno: 1452 });
    await undo('keys');
    assert.deepEqual(await portrait(server, 'keys'), changed);
  });

  it('and all of it afterwards, though what the first restore replaced refers to what the second one does', async () => {
    await makeEverything(server, 'again');
    const all = await backUp(server.url('again'));
    const whole = await portrait(server, 'again');
    await restore(server.url('again'), tablesOnly('book'), { overwrite: true });
    await server.query('DELETE FROM again.book');
    const changed = await portrait(server, 'again');
    await restore(server.url('again'), all, { overwrite: true });
    assert.deepEqual(await portrait(server, 'again'), whole);
    assert.equal((await besides('again')).length, 1);
    await undo('again');
    assert.deepEqual(await portrait(server, 'again'), changed);
    await undo('again');
    assert.deepEqual(await portrait(server, 'again'), whole);
  });

  it('or only what hangs on tables, which stay', async () => {
    await makeEverything(server, 'hanging');
    const whole = await portrait(server, 'hanging');
    await server.query('USE hanging', 'DROP TRIGGER tr1', 'DROP VIEW a_last', 'DROP VIEW z_first', 'DROP FUNCTION f1');
    const some = entries.filter(({ path }) => /schema\/(?:triggers|views|functions)\//.test(path));
    assert.equal((await restore(server.url('hanging'), some, { overwrite: true })).action, 'merge');
    assert.deepEqual(await portrait(server, 'hanging'), whole);
  });

  it('not without a table that refers to one of them, which is named', async () => {
    await makeEverything(server, 'referred');
    const whole = await portrait(server, 'referred');
    await rejects(
      restore(server.url('referred'), tablesOnly('author'), { overwrite: true }),
      'target.incompatible',
      /book/,
    );
    await restore(server.url('referred'), tablesOnly('author', 'book'), { overwrite: true });
    assert.deepEqual(await portrait(server, 'referred'), whole);
  });
});

describe('a restore to MariaDB that cannot be done', () => {
  const changed = (change: (entry: Entry) => Partial<Entry>) =>
    entries.map((entry) => ({ ...entry, ...change(entry) }));

  it('says so before anything is written', async () => {
    const metadata = (extra: Record<string, string>) =>
      changed((entry) => ({ metadata: { ...entry.metadata, ...extra } }));
    await rejects(restore(server.url('no'), metadata({ engine: 'postgres' })), 'target.incompatible', /postgres/);
    await rejects(restore(server.url('no'), metadata({ engine: 'mysql' })), 'target.incompatible', /mysql/);
    await rejects(restore(server.url('no'), metadata({ engineVersion: '11.4.1' })), 'target.incompatible', /older/);
    await rejects(
      restore(
        server.url('no'),
        changed(() => ({ kind: 'sqlite' })),
      ),
      'target.incompatible',
    );
    await server.query('SET GLOBAL max_allowed_packet = 1048576');
    await rejects(restore(server.url('no'), entries), 'target.incompatible', /max_allowed_packet/);
    await server.query('SET GLOBAL max_allowed_packet = 16777216');
    assert.deepEqual(await server.query("SHOW DATABASES LIKE 'no%'"), []);
  });

  it('leaves all as it was when rows are missing, when a statement is for another table, or when a file is cut off', async () => {
    await server.query('CREATE DATABASE kept', 'CREATE TABLE kept.old (id int)');
    const old = await portrait(server, 'kept');
    const book = (change: (text: string) => string) =>
      changed((entry) =>
        entry.metadata['table'] === 'book' ? { bytes: Buffer.from(change(entry.bytes.toString())) } : {},
      );
    const attempt = (some: readonly Entry[]) => restore(server.url('kept'), some, { overwrite: true });
    await rejects(attempt(book((text) => text.replace(/,\n\(2,.*\);/, ';'))), 'target.invalid', /1 rows where 2/);
    await rejects(attempt(book((text) => text.replace(/(?=INSERT)/, 'DROP TABLE kept.old;\n'))), 'target.unsafe');
    await rejects(attempt(book((text) => text.replaceAll('`book`', '`kept`.`old`'))), 'target.unsafe');
    await rejects(
      attempt(book((text) => text.slice(0, text.indexOf(';\n/*!40000 ALTER TABLE `book` ENABLE')))),
      'target.invalid',
    );
    await rejects(
      attempt(
        changed((entry) =>
          entry.metadata['object'] === 'function'
            ? { bytes: Buffer.from(entry.bytes.toString().replace(/FUNCTION/, 'DATABASE')) }
            : {},
        ),
      ),
      'target.unsafe',
    );
    assert.deepEqual(await portrait(server, 'kept'), old);
    assert.deepEqual(await besides('kept'), []);
  });

  it('and the values of its rows stand in no message', async () => {
    const some = changed((entry) =>
      entry.metadata['table'] === 'zero'
        ? { bytes: Buffer.from(entry.bytes.toString().replace('(7)', "('canary')")) }
        : {},
    );
    await assert.rejects(restore(server.url('no'), some), (error) => {
      assert.doesNotMatch(JSON.stringify(error) + String((error as Error).stack), /canary/);
      return error instanceof HoldfastError;
    });
  });

  it('because a table is in use names the time, and leaves all as it was, triggers too', async () => {
    await makeEverything(server, 'busy');
    const old = await portrait(server, 'busy');
    const reader = await server.connect();
    await reader.run('BEGIN');
    await reader.rows('SELECT * FROM busy.author');
    await rejects(restore(server.url('busy'), entries, { overwrite: true, timeoutMs: 1_000 }), 'target.busy');
    await reader.close();
    assert.deepEqual(await portrait(server, 'busy'), old);
    assert.deepEqual(await besides('busy'), []);
  });

  it('because another restore is at work waits for it no longer than was said', async () => {
    const other = await server.connect();
    const { lockName } = await import('./side-names.ts');
    await other.rows('SELECT GET_LOCK(?, 1)', [lockName('locked')]);
    await rejects(restore(server.url('locked'), entries, { timeoutMs: 1_000 }), 'target.busy', /another restore/);
    await other.close();
    await server.query('CREATE DATABASE locked__holdfast_00112233', 'CREATE DATABASE locked__holdfast_mine');
    await restore(server.url('locked'), entries);
    assert.deepEqual(await besides('locked'), ['locked__holdfast_mine']);
  });
});
