import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type pg from 'pg';
import { connectPostgres } from '../../../test/databases/connect-postgres.ts';
import { makePostgres } from '../../../test/databases/make-postgres.ts';
import { backUp } from '../../../test/postgres/restore.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { type PostgresService, startPostgres } from '../../../test/services/start-postgres.ts';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { collectSource, sourceCases } from '../../testing/source-cases.ts';
import { PostgresSource } from './postgres-source.ts';
import { findTool, type ToolName } from './postgres-tool.ts';

leaveOutWithout('postgres');

const password = 'canary-4711';
let server: PostgresService;
before(async () => {
  server = await startPostgres({ password });
  await makePostgres(await server.createDatabase('every'));
});
after(async () => await server.stop());

const noContext = { temporaryFolder: '/nonexistent', report: () => assert.fail('nothing is to be reported') };

function hasCode(code: string, text = '') {
  return (error: unknown) => {
    assert.ok(error instanceof HoldfastError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(text), error.message);
    assert.ok(!`${error.message}${error.hint}${JSON.stringify(error.context)}`.includes(password));
    return true;
  };
}

function source(url: string, options: Partial<ConstructorParameters<typeof PostgresSource>[0]> = {}) {
  // Without a key of its own, a dump has another one each time.
  return new PostgresSource({
    url: new Secret(url),
    extraOptions: ['--restrict-key=test'],
    timeoutMs: 20_000,
    ...options,
  });
}

/** A new database that statements have filled. */
async function made(name: string, ...statements: readonly string[]): Promise<string> {
  const url = await server.createDatabase(name);
  await withClient(url, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
  return url;
}

async function withClient<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = await connectPostgres(url);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

describe('PostgresSource: contract', () => {
  const subject = {
    prefix: 'databases/',
    secret: password,
    make: async () => source(server.urlOf('every')),
    makeMissing: async () => source(server.urlOf('missing')),
  };
  for (const { name, run } of sourceCases) it(name, async () => await run(subject));
});

describe('PostgresSource: what it gives', () => {
  it('gives definitions, every table with its exact rows, large objects and sequences, in the order of a restore', async () => {
    const url = await made(
      'order',
      'CREATE TABLE b (a int GENERATED ALWAYS AS IDENTITY, g int GENERATED ALWAYS AS (1) STORED, "c,d" text)',
      `INSERT INTO b ("c,d") VALUES ('x'), (E'tab\\there'), (NULL)`,
      'CREATE TABLE "a.1" (); INSERT INTO "a.1" DEFAULT VALUES; CREATE UNLOGGED TABLE u (a int)',
      `SELECT lo_from_bytea(0, 'large')`,
    );
    const entries = await backUp(url, { name: 'shop' });
    const told = entries.map(({ path, kind, metadata }) => [
      path.slice('databases/shop/'.length),
      kind,
      metadata['rows'],
    ]);
    assert.deepEqual(told, [
      ['schema/pre-data.sql', 'schema', undefined],
      ['tables/public."a.1"', 'table', 1],
      ['tables/public.b', 'table', 3],
      ['tables/public.u', 'table', 0],
      ['large-objects.sql', 'large-objects', 1],
      ['schema/sequences.sql', 'schema', undefined],
      ['schema/post-data.sql', 'schema', undefined],
    ]);
    const b = entries.find(({ path }) => path.endsWith('public.b'));
    assert.equal(b?.bytes.toString(), '1\tx\n2\ttab\\there\n3\t\\N\n');
    const { engineVersion, ...metadata } = b?.metadata ?? {};
    assert.equal(String(engineVersion).split('.')[0], server.version.split('.')[0]);
    assert.deepEqual(metadata, {
      engine: 'postgres',
      database: 'order',
      format: 'postgres-copy-text',
      encoding: 'UTF8',
      schema: 'public',
      table: 'b',
      columns: ['a', 'c,d'],
      rows: 3,
    });
    assert.equal(entries[5]?.bytes.toString(), `SELECT pg_catalog.setval('"public"."b_a_seq"', 3, true);\n`);
  });

  it('describes the server and its tables', async () => {
    const { type, version, tables, label } = await source(server.urlOf('every')).describe(noContext);
    assert.deepEqual([type, version?.split('.')[0]], ['postgres', server.version.split('.')[0]]);
    assert.equal(label, `postgres://postgres@127.0.0.1:${server.port}/every`);
    assert.ok(tables?.some(({ name }) => name === 'shop.sale_north_old'));
    assert.ok(!tables?.some(({ name }) => name === 'shop.sale'), 'a partitioned table has no rows of its own');
  });

  it('reads a table by several connections: each row once, the same each time', async () => {
    const rows = "SELECT n, repeat(md5(n::text), 8 + n % 9) || E'\\n\\\\' FROM generate_series(1, 130000) n";
    const url = await made(
      'large',
      `CREATE TABLE t AS ${rows}`,
      'DELETE FROM t WHERE n % 7 = 0',
      'CREATE TABLE z AS SELECT 1',
    );
    const read = async (connections: number) => {
      const entries = await backUp(url, { connections });
      return entries.find(({ path }) => path.endsWith('public.t'));
    };
    const [one, three, again] = [await read(1), await read(3), await read(3)];
    const sorted = (bytes?: Buffer) => bytes?.toString().split('\n').sort().join('\n');
    assert.ok((one?.bytes.length ?? 0) > 40_000_000);
    assert.ok(three?.bytes.equals(again?.bytes ?? Buffer.alloc(0)));
    assert.ok(!three?.bytes.equals(one?.bytes ?? Buffer.alloc(0)));
    assert.equal(sorted(three?.bytes), sorted(one?.bytes));
    assert.deepEqual([one?.metadata['rows'], three?.metadata['rows']], [111_429, 111_429]);
  });

  it('leaves out rows of tables that are excluded or not included, and keeps definitions', async () => {
    const url = await made(
      'some',
      'CREATE SCHEMA audit; CREATE TABLE audit.log (); CREATE TABLE a (); CREATE TABLE b ()',
    );
    const tables = async (options: Record<string, unknown>) => {
      const entries = await backUp(url, options);
      assert.ok(entries[0]?.bytes.includes('CREATE TABLE audit.log'));
      return entries.filter(({ kind }) => kind === 'table').map(({ path }) => path.replace(/.*\//, ''));
    };
    assert.deepEqual(await tables({ excludeTables: ['audit.*'] }), ['public.a', 'public.b']);
    assert.deepEqual(await tables({ includeTables: ['log', 'public.a'] }), ['audit.log', 'public.a']);
    assert.deepEqual(await tables({ includeTables: ['*'], excludeTables: ['?'] }), ['audit.log']);
  });

  it('shows one moment while others write', async () => {
    const url = await made(
      'bank',
      'CREATE TABLE left_side AS SELECT n AS id, 1000 AS money FROM generate_series(1, 50) n',
      'CREATE TABLE right_side AS TABLE left_side',
    );
    let isOver = false;
    const write = async () =>
      await withClient(url, async (client) => {
        let count = 0;
        for (; !isOver; count += 1) {
          const id = 1 + (count % 50);
          await client.query(`BEGIN; UPDATE left_side SET money = money - 7 WHERE id = ${id};
            UPDATE right_side SET money = money + 7 WHERE id = ${51 - id}; COMMIT`);
        }
        return count;
      });
    const writers = [write(), write()];
    for (let turn = 0; turn < 3; turn += 1) {
      const entries = await backUp(url, {});
      const lines = entries
        .filter(({ kind }) => kind === 'table')
        .flatMap(({ bytes }) => bytes.toString().trim().split('\n'));
      assert.equal(lines.length, 100);
      assert.equal(
        lines.reduce((sum, line) => sum + Number(line.split('\t')[1]), 0),
        100_000,
      );
    }
    isOver = true;
    for (const count of await Promise.all(writers)) assert.ok(count > 10);
  });

  it('gives the dump of the own tool, with options of the user, and the roles', async () => {
    const url = server.urlOf('every');
    const [roles, dump, ...rest] = await backUp(url, {
      method: 'dump',
      roles: true,
      extraOptions: ['--exclude-schema=types', '-Z0'],
    });
    assert.deepEqual(rest, []);
    assert.deepEqual(
      [dump?.kind, dump?.path, dump?.metadata['format']],
      ['dump', 'databases/every/database.dump', 'custom'],
    );
    assert.equal(dump?.bytes.toString('latin1', 0, 5), 'PGDMP');
    assert.ok(dump?.bytes.includes('sale_north') && !dump.bytes.includes('every_type'));
    assert.ok(roles?.bytes.includes('CREATE ROLE shop_owner'));
    const [plain] = await backUp(url, { method: 'dump', extraOptions: ['--format=plain'] });
    assert.deepEqual([plain?.path, plain?.metadata['format']], ['databases/every/database.sql', 'plain']);
  });
});

describe('PostgresSource: what it refuses', () => {
  it('refuses settings and options that it cannot keep', () => {
    const url = 'postgres://h/a';
    for (const options of [
      { extraOptions: ['--file=/tmp/x'] },
      { extraOptions: ['-f/tmp/x'] },
      { extraOptions: ['--dbname=postgres://u:p@h/x'] },
      { extraOptions: ['audit'] },
      { extraOptions: ['-Fp'] },
      { method: 'dump', extraOptions: ['-Fd'] },
      { name: 'a/b' },
      { connections: 0 },
      { connections: 65 },
      { includeTables: [''] },
    ] as const) {
      assert.throws(
        () => new PostgresSource({ url: new Secret(url), ...options }),
        hasCode('usage.invalid'),
        JSON.stringify(options),
      );
    }
  });

  it('tells a wrong password, and a server that is not there', async () => {
    const wrong = server.urlOf('every').replace(password, 'wrong');
    await assert.rejects(source(wrong).describe(noContext), hasCode('source.unreadable', 'password'));
    await assert.rejects(
      collectSource(source('postgres://u@127.0.0.1:1/a')),
      hasCode('source.unreadable', 'ECONNREFUSED'),
    );
  });

  it('names the package of a tool that is too old or missing', async () => {
    await assert.rejects(findTool('pg_dump', '99.1'), (error) => {
      assert.ok(hasCode('tool.too_old', 'PostgreSQL 99.1')(error));
      return (error as HoldfastError).hint.includes('postgresql-client-99');
    });
    await assert.rejects(findTool('pg_nothing' as ToolName, '15.1'), hasCode('tool.not_found', 'pg_nothing'));
    assert.equal((await findTool('pg_dump', '9.6')).path.length > 0, true);
  });

  it('fails rather than leave out rows that the user may not see', async () => {
    const url = await made(
      'guarded',
      `CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2); ALTER TABLE t ENABLE ROW LEVEL SECURITY`,
      `CREATE POLICY p ON t USING (a = 1); CREATE ROLE reader LOGIN PASSWORD '${password}'; GRANT SELECT ON t TO reader`,
    );
    const asReader = url.replace('//postgres:', '//reader:');
    await assert.rejects(collectSource(source(asReader)), hasCode('source.unreadable', 'row-level security'));
    await withClient(url, (client) => client.query('REVOKE ALL ON t FROM reader'));
    await assert.rejects(collectSource(source(asReader)), hasCode('source.unreadable', 'permission denied'));
  });

  it('gives tools no password as an argument', async () => {
    const seen: string[] = [];
    const look = () => {
      for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        try {
          seen.push(readFileSync(`/proc/${id}/cmdline`, 'utf8'));
        } catch {
          // It has ended.
        }
      }
    };
    let isOver = false;
    const watch = async () => {
      for (; !isOver; await new Promise((resolve) => setImmediate(resolve))) look();
    };
    const watching = watch();
    await collectSource(source(server.urlOf('every'), { roles: true })).finally(() => {
      isOver = true;
    });
    await watching;
    assert.ok(seen.some((line) => line.includes('pg_dump') && line.includes('--section=pre-data')));
    assert.ok(seen.every((line) => !line.includes(password)));
  });
});

it('a limit of a month is one for connecting and for locks, too', async () => {
  const timeoutMs = 30 * 24 * 60 * 60 * 1000;
  const { entries } = await collectSource(source(server.urlOf('every'), { timeoutMs }));
  assert.ok(entries.length > 0);
});
