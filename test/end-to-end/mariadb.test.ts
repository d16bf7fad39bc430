// biome-ignore-all lint/suspicious/noTemplateCurlyInString: configurations have variables of their own in plain strings
/** A database of MariaDB by the operations: everything from its URL to an undo, over a real server. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  createBackup,
  HoldfastError,
  inspectArchive,
  type Progress,
  restoreBackup,
  Secret,
  SqliteSource,
  sourceFromUrl,
  undoRestore,
} from '../../src/index.ts';
import { type MariadbServer, startMariadb } from '../mysql/mariadb-server.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { makeDatabase, makeWorkspace } from './workspace.ts';

leaveOutWithout('mariadb');

const workspace = makeWorkspace('mariadb');
const canary = 'canary-p@ss';
let server: MariadbServer;

before(async () => {
  server = await startMariadb();
  await server.query(
    `CREATE USER app@'%' IDENTIFIED BY '${canary}'`,
    "GRANT ALL ON *.* TO app@'%'",
    'CREATE DATABASE shop',
    'CREATE TABLE shop.invoice (id int PRIMARY KEY, body text)',
    "INSERT INTO shop.invoice SELECT seq, REPEAT('x', 500) FROM shop.seq_1_to_5000",
    'CREATE TABLE shop.payment (id int PRIMARY KEY, invoice int, FOREIGN KEY (invoice) REFERENCES shop.invoice (id))',
    'INSERT INTO shop.payment VALUES (1, 1), (2, 5000)',
    'CREATE DATABASE `audit.log`',
    'CREATE TABLE `audit.log`.entry (id int)',
  );
});
after(() => server.stop());

const urlOf = (database: string, password = canary) =>
  `mariadb://app:${encodeURIComponent(password)}@127.0.0.1:${server.port}/${encodeURIComponent(database)}`;
const options = { threads: 0, encryption: 'none' } as const;

async function count(table: string): Promise<number> {
  const [row] = await server.query(`SELECT count(*) AS n FROM ${table}`);
  return Number(row?.['n']);
}

test('several databases are in one archive, with names and settings of their own, and no password anywhere', async () => {
  const archive = join(workspace, 'all.holdfast');
  makeDatabase(join(workspace, 'local.db'), 3);
  const steps: Progress[] = [];
  const sources = [
    await sourceFromUrl(urlOf('shop'), { name: 'first' }),
    await sourceFromUrl(new Secret(urlOf('shop')), { name: 'second', excludeTables: ['pay*'] }),
    await sourceFromUrl(urlOf('audit.log')),
    new SqliteSource({ path: join(workspace, 'local.db') }),
  ];
  const report = await createBackup({ ...options, sources, output: archive, onProgress: (step) => steps.push(step) });
  const { entries = [] } = await inspectArchive({ archive });
  const tables = entries.filter(({ kind }) => kind === 'table').map(({ path, metadata }) => [path, metadata['rows']]);
  assert.deepEqual(tables, [
    ['databases/first/tables/invoice', 5000],
    ['databases/first/tables/payment', 2],
    ['databases/second/tables/invoice', 5000],
    ['databases/audit.log/tables/entry', 0],
  ]);
  assert.ok(entries.some(({ path }) => path === 'databases/local/database.sqlite'));
  assert.ok(steps.some(({ entry, entryDoneBytes = 0 }) => entry?.endsWith('/tables/invoice') && entryDoneBytes > 0));
  assert.doesNotMatch(JSON.stringify([report, entries, steps]), /canary/);

  const to = ['first=copy1', 'second=copy2', 'audit.log=copy3'].map((item) => {
    const [name = '', database = ''] = item.split('=');
    return `${name}=${urlOf(database)}`;
  });
  to.push(`local=sqlite:${join(workspace, 'copy.db')}`);
  const plan = await restoreBackup({ archive, to, dryRun: true });
  assert.deepEqual(
    plan.actions.map(({ kind, action }) => `${kind} ${action}`),
    ['mysql create', 'mysql create', 'mysql create', 'sqlite create'],
  );
  assert.deepEqual(await server.query("SHOW DATABASES LIKE 'copy%'"), []);
  const restored = await restoreBackup({ archive, to, threads: 0 });
  assert.doesNotMatch(JSON.stringify([plan, restored]), /canary/);
  assert.deepEqual(
    [await count('copy1.invoice'), await count('copy1.payment'), await count('copy2.invoice')],
    [5000, 2, 5000],
  );
  assert.ok(existsSync(join(workspace, 'copy.db')));
});

test('a table is restored alone, a database as a whole, and undo goes back and forth', async () => {
  const archive = join(workspace, 'shop.holdfast');
  await createBackup({ ...options, sources: [await sourceFromUrl(urlOf('shop'))], output: archive });
  const to = [urlOf('live')];
  await restoreBackup({ archive, to, mode: 'fresh', threads: 0 });
  await server.query('DELETE FROM live.payment', 'UPDATE live.invoice SET body = NULL');
  await restoreBackup({
    archive,
    to,
    only: ['databases/*/tables/payment'],
    overwrite: true,
    keepUndo: false,
    threads: 0,
  });
  assert.deepEqual([await count('live.payment'), await count('live.invoice WHERE body IS NULL')], [2, 5000]);
  await server.query('DELETE FROM live.payment');
  await restoreBackup({ archive, to, mode: 'swap', overwrite: true, threads: 0 });
  assert.equal(await count('live.payment'), 2);
  const undone = await undoRestore({ to: urlOf('live') });
  assert.equal(await count('live.payment'), 0);
  const again = await undoRestore({ to: urlOf('live') });
  assert.equal(again.restored, undone.undo);
  assert.equal(await count('live.payment'), 2);
  assert.doesNotMatch(JSON.stringify([undone, again]), /canary/);
});

test('a database that lost its rows makes a suspect archive', async () => {
  await server.query(
    'CREATE DATABASE falls',
    'CREATE TABLE falls.t (id int)',
    'INSERT INTO falls.t SELECT seq FROM shop.seq_1_to_100',
  );
  const backUp = async (day: number) =>
    createBackup({
      ...options,
      sources: [await sourceFromUrl(urlOf('falls'))],
      output: join(workspace, `falls-${day}.holdfast`),
    });
  await backUp(1);
  await server.query('DELETE FROM falls.t WHERE id > 49');
  const { comparison, suspect } = await backUp(2);
  assert.deepEqual(
    [suspect, comparison.falls],
    [true, [{ path: 'databases/falls/tables/t', measure: 'rows', before: 100, now: 49 }]],
  );
});

/** Runs a command line in a process of its own; neither of its outputs may show the password. */
function holdfast(args: readonly string[], env: Record<string, string> = {}): { status: number | null; json: unknown } {
  const program = join(import.meta.dirname, '../transcript/holdfast.ts');
  const environment = { ...process.env, HOLDFAST_PASSPHRASE: 'correct horse', ...env };
  const words = [program, ...args, '--json'];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    cwd: workspace,
    env: environment,
    encoding: 'utf8',
  });
  assert.doesNotMatch(stdout + stderr, /canary/);
  assert.equal(stderr, '');
  return { status, json: JSON.parse(stdout) };
}

test('the command lines do what the operations do, and a configuration as well', async () => {
  const url = ['--url', `crm=${urlOf('shop')}`, '--exclude-table', 'pay*', '--lock-timeout', '5', '--connections', '1'];
  const plan = holdfast(['backup', ...url, '--output', 'cli.holdfast', '--dry-run']).json as {
    sources: { name: string; type: string; version: string; tables: { name: string }[] }[];
  };
  assert.deepEqual(
    plan.sources.map(({ name, type, tables }) => [name, type, tables.map((table) => table.name)]),
    [['crm', 'mariadb', ['invoice']]],
  );
  assert.equal(holdfast(['backup', ...url, '--output', 'cli.holdfast']).status, 0);
  const to = urlOf('cli');
  const restore = ['restore', 'cli.holdfast', '--to', to, '--yes'];
  assert.equal(holdfast([...restore, '--mode', 'fresh']).status, 0);
  assert.equal(holdfast([...restore, '--mode', 'fresh']).status, 1);
  await server.query('DELETE FROM cli.invoice WHERE id > 1');
  assert.equal(holdfast([...restore, '--only', 'databases/*/tables/invoice', '--overwrite']).status, 0);
  assert.equal(await count('cli.invoice'), 5000);
  assert.equal(holdfast(['undo', '--to', to, '--yes']).status, 0);
  assert.equal(await count('cli.invoice'), 1);

  const database = {
    alias: 'main',
    url: urlOf('shop').replace(/:[^:@]*@/, ':${SHOP_PASSWORD}@'),
    includeTables: ['payment'],
  };
  writeFileSync(
    join(workspace, 'holdfast.config.json'),
    JSON.stringify({ databases: [database], storage: { backend: 'local', path: 'daily' } }),
  );
  const made = holdfast(['backup'], { SHOP_PASSWORD: encodeURIComponent(canary) }).json as {
    output: string;
    entryCount: number;
  };
  assert.match(made.output, /daily.main_.*\.holdfast$/);
  const { entries } = holdfast(['inspect', made.output]).json as {
    entries: { path: string; kind: string; rows?: number }[];
  };
  assert.deepEqual(
    entries.filter(({ kind }) => kind === 'table').map(({ path, rows }) => [path, rows]),
    [['databases/main/tables/payment', 2]],
  );
});

test('what is wrong is told before anything is read or written, and without the password', async () => {
  const archive = join(workspace, 'shop.holdfast');
  const output = join(workspace, 'never.holdfast');
  const fails = async (work: Promise<unknown>, code: string) => {
    const error: unknown = await work.catch((thrown: unknown) => thrown);
    assert.ok(error instanceof HoldfastError, String(error));
    assert.equal(error.code, code, error.message);
    assert.doesNotMatch(JSON.stringify([error.message, error.hint, error.context]), /canary/);
  };
  const sources = [await sourceFromUrl(urlOf('shop', `${canary}-wrong`))];
  await fails(createBackup({ ...options, sources, output }), 'source.unreadable');
  await fails(createBackup({ ...options, sources: [await sourceFromUrl(urlOf('none'))], output }), 'source.not_found');
  await fails(restoreBackup({ archive, to: [`sqlite:${join(workspace, 'x.db')}`] }), 'target.incompatible');
  await fails(restoreBackup({ archive }), 'usage.invalid');
  await fails(restoreBackup({ archive, to: [urlOf('shop')] }), 'target.exists');
  await fails(undoRestore({ to: urlOf('shop') }), 'target.no_undo');
  assert.equal(existsSync(output), false);
});
