import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeEverything } from '../../../test/mysql/everything.ts';
import { type MariadbServer, startMariadb } from '../../../test/mysql/mariadb-server.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { type CollectedSource, collectSource, sourceCases } from '../../testing/source-cases.ts';
import type { SourceEntry } from '../source.ts';
import { MysqlSource } from './mysql-source.ts';

leaveOutWithout('mariadb');

let server: MariadbServer;

before(async () => {
  server = await startMariadb();
  await makeEverything(server, 'app');
  await server.query(
    'CREATE DATABASE bank',
    'USE bank',
    'CREATE TABLE bank.account (id int PRIMARY KEY, balance int NOT NULL, filler varchar(200) NOT NULL)',
    "INSERT INTO bank.account SELECT seq, 100, REPEAT('x', 200) FROM seq_1_to_20000",
    'CREATE TABLE bank.other LIKE bank.account',
    'INSERT INTO bank.other SELECT * FROM bank.account',
    'CREATE TABLE bank.plain (id int PRIMARY KEY) ENGINE = Aria',
    'INSERT INTO bank.plain VALUES (1)',
    "CREATE USER reader IDENTIFIED BY 'canary-€\"#\\'\\\\'",
    'GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON bank.* TO reader',
  );
});
after(async () => await server?.stop());

const source = (url: string, options: object = {}) => new MysqlSource({ url: new Secret(url), ...options });
const rowsOf = ({ entries }: CollectedSource) =>
  Object.fromEntries(
    entries.filter(({ kind }) => kind === 'table').map(({ metadata }) => [metadata['table'], metadata['rows']]),
  );
const pathsOf = ({ entries }: CollectedSource) => entries.map(({ path }) => path.replace('databases/app/', ''));

async function rejects(work: Promise<unknown>, code: string, pattern = /./): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof HoldfastError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  });
}

describe('contract of MysqlSource', () => {
  for (const method of ['copy', 'dump'] as const) {
    const subject = {
      prefix: 'databases/',
      make: async () => source(server.url('bank'), { method }),
      makeMissing: async () => source(server.url('missing'), { method }),
    };
    for (const { name, run } of sourceCases) it(`${name} (${method})`, () => run(subject));
  }
});

describe('a database of MariaDB is read', () => {
  it('as an entry for each table, with exact rows, and for all else', async () => {
    const found = await collectSource(source(server.url('app')));
    assert.deepEqual(found.problems, []);
    assert.deepEqual(rowsOf(found), {
      author: 2,
      big: 2,
      book: 2,
      counted: 1,
      derived: 2,
      empty: 2,
      latin: 2,
      only: 0,
      part: 2,
      typed: 3,
      uncovered: 2,
      versioned: 4,
      'we`ird/na%me é \'q\' "d" €;': 2,
      zero: 2,
    });
    const paths = pathsOf(found);
    assert.equal(paths[0], 'schema/database');
    assert.equal(paths[1], 'tables/uncovered');
    assert.ok(paths.includes('tables/we`ird%2Fna%25me é \'q\' "d" €;'));
    for (const path of [
      'sequences/counter',
      'functions/f1',
      'procedures/p1',
      'views/a_last',
      'triggers/tr1',
      'events/ev1',
    ]) {
      assert.ok(paths.includes(`schema/${path}`), path);
    }
    const author = found.entries.find(({ metadata }) => metadata['table'] === 'author');
    assert.deepEqual(author?.metadata['columns'], ['id', 'name']);
    assert.equal(author?.metadata['engine'], 'mariadb');
  });

  it('with rows that are those of their table, however late they are asked for', async () => {
    const temporaryFolder = mkdtempSync(join(tmpdir(), 'holdfast-late-'));
    const found: SourceEntry[] = [];
    const late = source(server.url('app'));
    for await (const entry of late.entries({ temporaryFolder, report: () => undefined })) {
      for await (const _chunk of entry.open?.(undefined) ?? []);
      found.push(entry);
    }
    rmSync(temporaryFolder, { recursive: true });
    const rows = found.flatMap(({ kind, metadata }) =>
      kind === 'table' ? [[metadata['table'], metadata['rows']]] : [],
    );
    assert.deepEqual(Object.fromEntries(rows), rowsOf(await collectSource(source(server.url('app')))));
  });

  it('in part: what is included, less what is excluded, and what hangs on it', async () => {
    const some = await collectSource(
      source(server.url('app'), { includeTables: ['b*', 'app.auth*'], excludeTables: ['big'] }),
    );
    assert.deepEqual(pathsOf(some), [
      'schema/database',
      'tables/author',
      'tables/book',
      'schema/triggers/tr2',
      'schema/triggers/tr1',
    ]);
    const rest = await collectSource(source(server.url('app'), { excludeTables: ['*e*', 'we*'] }));
    assert.ok(pathsOf(rest).includes('schema/functions/f1') && !pathsOf(rest).includes('tables/typed'));
    await rejects(collectSource(source(server.url('app'), { includeTables: ['nothing*'] })), 'source.empty');
    await server.query('CREATE OR REPLACE DATABASE nothing');
    await rejects(collectSource(source(server.url('nothing'))), 'source.empty');
  });

  it('with extra options of the tool, but not those that would change the form', async () => {
    const some = await collectSource(
      source(server.url('bank'), { extraOptions: ['--where=id<=10', '--skip-extended-insert'] }),
    );
    assert.deepEqual(rowsOf(some), { account: 10, other: 10, plain: 1 });
    for (const option of [
      '--result-file=x',
      '-rx',
      '--no-data',
      '--password=x',
      '-px',
      'table',
      '--',
      '--compact',
      '--tab=x',
      '--databases',
    ]) {
      assert.throws(() => source(server.url('bank'), { extraOptions: [option] }), { code: 'usage.invalid' }, option);
    }
  });

  it('over the socket', async () => {
    const found = await collectSource(
      source(`mysql://root@localhost/bank?socket=${encodeURIComponent(server.socketPath)}`),
    );
    assert.deepEqual(rowsOf(found), { account: 20_000, other: 20_000, plain: 1 });
  });

  it('as one moment, though money moves meanwhile', async () => {
    const writer = await server.connect();
    let isDone = false;
    let moves = 0;
    const writing = (async () => {
      for (let at = 0; !isDone; at += 1) {
        const [from, to] = [1 + ((at * 7919) % 20_000), 1 + ((at * 104_729) % 20_000)];
        await writer.run('BEGIN');
        await writer.run(`UPDATE bank.account SET balance = balance - 1 WHERE id = ${from}`);
        await writer.run(`UPDATE bank.other SET balance = balance + 1 WHERE id = ${to}`);
        await writer.run('COMMIT');
        moves += 1;
      }
    })();
    let movesSeen = 0;
    const onEntry = () => {
      movesSeen = moves;
    };
    const found = await collectSource(source(server.url('bank')), { onEntry });
    isDone = true;
    await writing;
    await writer.close();
    assert.ok(movesSeen > 0, 'money moved while the tables were read');
    let total = 0;
    for (const { bytes, kind } of found.entries) {
      if (kind === 'table')
        for (const [, balance] of bytes.toString().matchAll(/^\(\d+,(-?\d+),'x/gm)) total += Number(balance);
    }
    assert.equal(total, 2 * 20_000 * 100);
  });

  it('with tables that no transaction covers locked until they are read, and free to write afterwards', async () => {
    const writer = await server.connect();
    let wrote: Promise<void> | undefined;
    let isWritten = false;
    const onEntry = async (path: string) => {
      if (path.endsWith('/plain'))
        wrote = writer.run('INSERT INTO bank.plain VALUES (2)').then(() => {
          isWritten = true;
        });
      if (path.endsWith('/account')) await wrote;
    };
    const onChunk = (path: string) => assert.ok(!path.endsWith('/plain') || !isWritten);
    const found = await collectSource(source(server.url('bank')), { onEntry, onChunk });
    assert.equal(rowsOf(found)['plain'], 1);
    assert.deepEqual(found.problems, []);
    await writer.run('DELETE FROM bank.plain WHERE id = 2');
    await writer.close();
  });
});

describe('a password', () => {
  const url = () => `mariadb://reader:${encodeURIComponent('canary-€"#\'\\')}@127.0.0.1:${server.port}/bank`;

  it('of any characters reaches the tool by a file of this user alone, and stands in no argument and no message', async () => {
    let seen = 0;
    const onEntry = (_: string, temporaryFolder: string) => {
      for (const name of readdirSync(temporaryFolder, { encoding: 'utf8', recursive: true })) {
        if (!name.endsWith('.cnf')) continue;
        assert.equal(statSync(join(temporaryFolder, name)).mode & 0o777, 0o600);
        seen += 1;
      }
      for (const processId of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        let commandLine = '';
        try {
          commandLine =
            readFileSync(`/proc/${processId}/cmdline`, 'utf8') + readFileSync(`/proc/${processId}/environ`, 'utf8');
        } catch {
          continue;
        }
        if (commandLine.includes('mariadb-dump')) assert.doesNotMatch(commandLine, /canary/);
      }
    };
    const found = await collectSource(source(url()), { onEntry });
    assert.ok(seen > 0);
    assert.deepEqual(rowsOf(found), { account: 20_000, other: 20_000, plain: 1 });
    assert.doesNotMatch(JSON.stringify(found), /canary/);
    const [problem] = found.problems;
    assert.equal(problem?.code, 'source.unsupported');
    assert.equal(problem?.path, 'plain');
  });

  it('that is wrong is told without it', async () => {
    await assert.rejects(collectSource(source(url().replace('canary', 'canary2'))), (error) => {
      assert.ok(error instanceof HoldfastError && error.code === 'source.unreadable', String(error));
      assert.doesNotMatch(JSON.stringify(error) + error.stack + String(error.cause), /canary/);
      return true;
    });
  });
});
