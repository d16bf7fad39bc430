/** Drills of databases on real servers: nothing of them is touched, and nothing stays. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ArchiveReader } from '../../src/archive/archive-reader.ts';
import type { IndexEntry } from '../../src/archive/entry/entry.ts';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import {
  createBackup,
  createPlainBackup,
  drillBackup,
  plainSourceFromUrl,
  Secret,
  sourceFromUrl,
} from '../../src/index.ts';
import { compareDatabase } from '../../src/operation/compare-database.ts';
import { fileRandomAccess } from '../../src/storage/local/file-random-access.ts';
import { connectPostgres } from '../databases/connect-postgres.ts';
import { makePostgres } from '../databases/make-postgres.ts';
import { makeEverything } from '../mysql/everything.ts';
import { type MariadbServer, startMariadb } from '../mysql/mariadb-server.ts';
import { leftOut } from '../services/service-packages.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';
import { emptyFolder, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('drill-servers');
const child = fileURLToPath(new URL('./drill-child.ts', import.meta.url));
const options = { threads: 0, encryption: 'none' } as const;
const keys = { passphrases: [new Secret('correct horse')] };

/** Begins a drill in another process, waits until it is in the midst of its checks, and kills it. */
async function killInMidDrill(archive: string, server: string, temporaryFolder: string): Promise<void> {
  const drilling = spawn(process.execPath, [child, archive, server, temporaryFolder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(drilling.stdout, 'data');
  drilling.kill('SIGKILL');
  await once(drilling, 'exit');
}

/** How a database differs from the one of an archive, without what is said of both. */
async function differences(archive: string, url: string, name: string): Promise<string[]> {
  const workers = new WorkerPool(1);
  const source = await fileRandomAccess(archive);
  try {
    const reader = await ArchiveReader.open({
      sources: [source],
      workers,
      keys: undefined,
      archiveId: undefined,
      signal: undefined,
    });
    const entries: IndexEntry[] = [];
    for await (const entry of reader.entries()) if (entry.metadata['object'] !== 'event') entries.push(entry);
    const compared = { reader, entries, url: new Secret(url), name, temporaryFolder: workspace, signal: undefined };
    return [...(await compareDatabase(compared)).differences];
  } finally {
    await source.close();
    await workers.close();
  }
}

describe('PostgreSQL', { skip: leftOut('postgres') }, () => {
  const archive = join(workspace, 'app.holdfast');
  let server: PostgresService;
  let tableCount = 0;

  async function query(text: string, database = 'postgres'): Promise<unknown[]> {
    const client = await connectPostgres(server.urlOf(database));
    try {
      const last = [await client.query<Record<string, unknown>>(text)].flat().at(-1);
      return (last?.rows ?? []).map((row) => Object.values(row)[0]);
    } finally {
      await client.end();
    }
  }
  const databases = () => query("SELECT datname FROM pg_database WHERE datname NOT LIKE 'template%' ORDER BY 1");

  before(async () => {
    server = await startPostgres();
    await makePostgres(await server.createDatabase('app'));
    await query("CREATE TABLE public.state (status varchar(9) CHECK (status IN ('on', 'off')))", 'app');
    const [count] = await query("SELECT count(*)::int FROM pg_class WHERE relkind = 'r' AND oid >= 16384", 'app');
    tableCount = Number(count);
    await createBackup({
      ...options,
      sources: [await sourceFromUrl(server.urlOf('app'), { roles: true })],
      output: archive,
    });
  });
  after(async () => await server.stop());

  it('is restored beside the original, compared in all its definitions and rows, and dropped', async () => {
    const report = await drillBackup({
      archive,
      threads: 0,
      databases: { app: server.urlOf('app') },
      checks: [
        { sql: 'SELECT count(*) FROM state', expect: 0 },
        { sql: 'SELECT current_database() LIKE $$holdfast_drill_%$$', expect: true },
        { sql: "INSERT INTO state VALUES ('on')", expect: 1 },
      ],
    });
    assert.deepEqual(report.differences, []);
    assert.deepEqual(report.notRestored, ['databases/app/roles.sql']);
    assert.ok(report.tableCount >= tableCount - 3 && report.rowCount > 100, `${report.tableCount} tables`);
    assert.deepEqual(
      report.checks.map(({ isPassed }) => isPassed),
      [true, true, false],
    );
    assert.match(report.checks[2]?.message ?? '', /read-only transaction/);
    assert.deepEqual([report.isProven, report.leftovers], [false, []]);
    assert.deepEqual(await databases(), ['app', 'postgres']);
  });

  it('killed in the middle, is cleaned up by the next one, which takes nothing else for its own', async () => {
    const folder = await emptyFolder(workspace, 'postgres-killed');
    const notOurs = ['holdfast_drill_0123456789abcdef', 'holdfast_drill_fedcba9876543210_db', 'holdfast_drill_mine'];
    for (const name of notOurs) {
      await query(`CREATE DATABASE ${name}`);
      await query('CREATE TABLE kept (id int)', name);
    }
    await killInMidDrill(archive, server.urlOf('app'), folder);
    assert.equal((await databases()).length, 4 + notOurs.length);
    // As if it had died in the midst of the restore.
    const scratch = (await databases()).find(
      (name) => /_[0-9a-f]{16}_db$/.test(String(name)) && !notOurs.includes(String(name)),
    );
    await query(`CREATE DATABASE "${scratch}__holdfast_new_0123456789ab"`);
    const report = await drillBackup({ archive, threads: 0, servers: [server.urlOf('app')], temporaryFolder: folder });
    assert.ok(report.isProven);
    assert.deepEqual(await databases(), ['app', ...notOurs.toSorted(), 'postgres'].toSorted());
    assert.deepEqual(await readdir(folder), []);
    for (const name of notOurs) await query(`DROP DATABASE ${name}`);
  });

  it('leaves another one at work alone, and cleans up when it is ended', async () => {
    const ending = new AbortController();
    const another = async () => {
      const inner = await drillBackup({ archive, threads: 0, servers: [server.urlOf('app')] });
      assert.ok(inner.isProven);
      assert.equal((await databases()).length, 4);
      ending.abort();
    };
    const outer = { archive, threads: 0, servers: [server.urlOf('app')], checks: [another], signal: ending.signal };
    await assert.rejects(drillBackup(outer), { code: 'operation.interrupted' });
    assert.deepEqual(await databases(), ['app', 'postgres']);
  });

  it('finds a row, a column, an index and a table that are not as they were', async (t) => {
    t.after(() => query('DROP DATABASE changed'));
    const url = await server.createDatabase('changed');
    const text =
      'CREATE TABLE a (id int PRIMARY KEY, t text); CREATE TABLE b (id int); CREATE INDEX i ON a (t); CREATE SEQUENCE s';
    await query(text, 'changed');
    const output = join(workspace, 'changed.holdfast');
    await createBackup({ ...options, sources: [await sourceFromUrl(url)], output });
    assert.deepEqual(await differences(output, url, 'changed'), []);
    await query("INSERT INTO a VALUES (1, 'x'); ALTER TABLE a ADD more int; DROP TABLE b; DROP INDEX i", 'changed');
    await query("CREATE VIEW v AS SELECT 1 AS one; SELECT nextval('s')", 'changed');
    assert.deepEqual((await differences(output, url, 'changed')).sort(), [
      'databases/changed/schema/post-data.sql: INDEX i is not there',
      'databases/changed/schema/pre-data.sql: TABLE b is not there',
      'databases/changed/schema/pre-data.sql: VIEW v is there, and not in the archive',
      'databases/changed/schema/pre-data.sql: the definition of TABLE a is another',
      'databases/changed/schema/sequences.sql: the definition of SEQUENCE VALUE "public"."s" is another',
      'databases/changed/tables/public.a: columns ["id","t","more"] where the archive has ["id","t"]',
      'databases/changed/tables/public.a: rows 1 where the archive has 0',
      'databases/changed/tables/public.b is not there',
    ]);
  });

  it('takes a plain dump, and says what right is missing', async () => {
    const dump = join(workspace, 'app.sql.gz.gpg');
    await createPlainBackup({ source: await plainSourceFromUrl(server.urlOf('app')), output: dump, keys });
    const report = await drillBackup({ archive: dump, plainKeys: keys, threads: 0, servers: [server.urlOf('app')] });
    assert.ok(report.isProven && report.rowCount > 100);
    const whole = join(workspace, 'app-dump.holdfast');
    await createBackup({
      ...options,
      sources: [await sourceFromUrl(server.urlOf('app'), { method: 'dump' })],
      output: whole,
    });
    const dumped = await drillBackup({ archive: whole, threads: 0, servers: [server.urlOf('app')] });
    assert.deepEqual([dumped.isProven, dumped.rowCount], [true, report.rowCount]);
    await query('CREATE ROLE reader LOGIN');
    const weak = server.urlOf('app').replace(/\/\/[^@]*@/, '//reader@');
    await assert.rejects(drillBackup({ archive, threads: 0, servers: [weak] }), {
      code: 'storage.unauthorized',
      hint: /CREATEDB/,
    });
    await assert.rejects(drillBackup({ archive, threads: 0 }), { code: 'usage.invalid', hint: /drill\.url/ });
    assert.deepEqual(await databases(), ['app', 'postgres']);
  });
});

describe('MariaDB', { skip: leftOut('mariadb') }, () => {
  const archive = join(workspace, 'shop.holdfast');
  let server: MariadbServer;
  const databases = async () =>
    (
      await server.query(
        "SHOW DATABASES WHERE `Database` NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')",
      )
    )
      .map((row) => String(row['Database']))
      .sort();

  before(async () => {
    server = await startMariadb();
    await makeEverything(server, 'shop', { withBig: false });
    await createBackup({ ...options, sources: [await sourceFromUrl(server.url('shop'))], output: archive });
  });
  after(() => server.stop());

  it('is restored beside the original, compared in all its definitions and rows, and dropped', async () => {
    const before = await databases();
    const report = await drillBackup({
      archive,
      threads: 0,
      databases: { shop: server.url('shop') },
      checks: [
        { sql: 'SELECT database()', expect: 'shop' },
        { sql: "SELECT database() LIKE 'holdfast_drill_%'", expect: true },
        { sql: 'CREATE TABLE more (id int)', expect: 1 },
      ],
    });
    assert.deepEqual(report.differences, []);
    assert.ok(
      report.notRestored.every((path) => path.includes('/events/')),
      report.notRestored.join(),
    );
    assert.deepEqual(
      report.checks.map(({ isPassed }) => isPassed),
      [false, true, false],
    );
    assert.match(report.checks[2]?.message ?? '', /READ ONLY transaction/i);
    assert.deepEqual(await databases(), before);
  });

  it('killed in the middle, is cleaned up by the next one, which takes nothing else for its own', async () => {
    const before = await databases();
    const notOurs = ['holdfast_drill_0123456789abcdef', 'holdfast_drill_fedcba9876543210_db', 'holdfast_drill_mine'];
    for (const name of notOurs) await server.query(`CREATE DATABASE ${name}`, `CREATE TABLE ${name}.kept (id int)`);
    const folder = await emptyFolder(workspace, 'mariadb-killed');
    await killInMidDrill(archive, server.url('shop'), folder);
    assert.equal((await databases()).length, before.length + notOurs.length + 2);
    // As if it had died in the midst of the restore.
    const scratch = (await databases()).find((name) => /_[0-9a-f]{16}_db$/.test(name) && !notOurs.includes(name));
    await server.query(
      `CREATE DATABASE ${scratch}__holdfast_01234567`,
      `CREATE DATABASE ${scratch}__holdfast_undo_01234567`,
    );
    const report = await drillBackup({ archive, threads: 0, servers: [server.url('shop')], temporaryFolder: folder });
    assert.deepEqual(report.differences, []);
    assert.deepEqual(await databases(), [...before, ...notOurs].sort());
    assert.deepEqual(await readdir(folder), []);
    for (const name of notOurs) await server.query(`DROP DATABASE ${name}`);
  });

  it('leaves another one at work alone, and cleans up when it is ended', async () => {
    const before = await databases();
    const ending = new AbortController();
    const another = async () => {
      const inner = await drillBackup({ archive, threads: 0, servers: [server.url('shop')] });
      assert.ok(inner.isProven);
      assert.equal((await databases()).length, before.length + 2);
      ending.abort();
    };
    const outer = { archive, threads: 0, servers: [server.url('shop')], checks: [another], signal: ending.signal };
    await assert.rejects(drillBackup(outer), { code: 'operation.interrupted' });
    assert.deepEqual(await databases(), before);
  });

  it('finds a row, a column, an index and a view that are not as they were', async () => {
    const use = 'USE changed';
    await server.query(
      'CREATE DATABASE changed',
      use,
      'CREATE TABLE a (id int, t int, KEY (t))',
      'CREATE TABLE b (id int)',
    );
    await server.query(use, 'CREATE VIEW v AS SELECT id FROM a');
    const output = join(workspace, 'changed.holdfast');
    const url = server.url('changed');
    await createBackup({ ...options, sources: [await sourceFromUrl(url)], output });
    assert.deepEqual(await differences(output, url, 'changed'), []);
    await server.query(
      use,
      'INSERT INTO a VALUES (1, 1)',
      'ALTER TABLE a DROP KEY t',
      'DROP TABLE b',
      'CREATE TABLE c (id int)',
    );
    await server.query(use, 'CREATE OR REPLACE VIEW v AS SELECT t FROM a', 'INSERT INTO c VALUES (1)');
    assert.deepEqual((await differences(output, url, 'changed')).sort(), [
      'databases/changed/schema/views/v: columns ["t"] where the archive has ["id"]',
      'databases/changed/schema/views/v: its definition is another',
      'databases/changed/tables/a: its definition is another',
      'databases/changed/tables/a: rows 1 where the archive has 0',
      'databases/changed/tables/b is not there',
      'databases/changed/tables/c is there, and not in the archive',
    ]);
    await server.query('DROP DATABASE changed');
  });

  it('takes a plain dump, and says what right is missing', async () => {
    const before = await databases();
    const dump = join(workspace, 'shop.sql.gz.gpg');
    await createPlainBackup({ source: await plainSourceFromUrl(server.url('shop')), output: dump, keys });
    const report = await drillBackup({ archive: dump, plainKeys: keys, threads: 0, servers: [server.url('shop')] });
    assert.ok(report.isProven && report.rowCount > 0);
    const whole = join(workspace, 'shop-dump.holdfast');
    await createBackup({
      ...options,
      sources: [await sourceFromUrl(server.url('shop'), { method: 'dump' })],
      output: whole,
    });
    const dumped = await drillBackup({ archive: whole, threads: 0, servers: [server.url('shop')] });
    assert.deepEqual([dumped.differences, dumped.rowCount], [[], report.rowCount]);
    await server.query("CREATE USER reader@'%'", "GRANT SELECT ON shop.* TO reader@'%'");
    await assert.rejects(drillBackup({ archive, threads: 0, servers: [server.url('shop', 'reader')] }), {
      code: 'storage.unauthorized',
      hint: /holdfast\\_drill/,
    });
    assert.deepEqual(await databases(), before);
  });
});
