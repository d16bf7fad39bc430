import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { comparePostgres, takePostgresPicture } from '../../../test/databases/compare-postgres.ts';
import { connectPostgres } from '../../../test/databases/connect-postgres.ts';
import { makePostgres } from '../../../test/databases/make-postgres.ts';
import { backUp, type Entry, restore } from '../../../test/postgres/restore.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { type PostgresService, startPostgres } from '../../../test/services/start-postgres.ts';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { PostgresTarget } from './postgres-target.ts';
import { undoPostgres } from './undo-postgres.ts';

leaveOutWithout('postgres');

let server: PostgresService;
let everything: readonly Entry[];
let small: readonly Entry[];
before(async () => {
  server = await startPostgres();
  await makePostgres(await server.createDatabase('every'));
  everything = await backUp(server.urlOf('every'), { roles: true });
  await made(
    'small',
    'CREATE TABLE item (id serial PRIMARY KEY, name text)',
    "INSERT INTO item (name) VALUES ('a'), ('b'), ('c')",
    'CREATE TABLE none ()',
  );
  small = await backUp(server.urlOf('small'));
});
after(async () => await server.stop());

function hasCode(code: string, text = '') {
  return (error: unknown) => {
    assert.ok(error instanceof HoldfastError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(text), error.message);
    return true;
  };
}

/** Runs statements and gives the rows of the last. */
async function query(database: string, ...statements: readonly string[]): Promise<readonly unknown[][]> {
  const client = await connectPostgres(server.urlOf(database));
  try {
    let rows: unknown[][] = [];
    for (const text of statements) rows = (await client.query({ text, rowMode: 'array' })).rows;
    return rows;
  } finally {
    await client.end();
  }
}

async function made(name: string, ...statements: readonly string[]): Promise<string> {
  const url = await server.createDatabase(name);
  await query(name, ...statements);
  return url;
}

/** The databases that stand beside one. */
async function beside(name: string): Promise<string[]> {
  const rows = await query(
    'postgres',
    `SELECT datname FROM pg_database WHERE datname LIKE '${name}\\_\\_%' ORDER BY 1`,
  );
  return rows.map(([each]) => String(each).replace(/_[0-9a-f]{12}$/, ''));
}

const undo = (database: string) => undoPostgres({ url: new Secret(server.urlOf(database)) });

describe('PostgresTarget: everything', () => {
  for (const mode of ['fresh', 'swap', 'transaction'] as const) {
    it(`brings back every type and every object, with the mode ${mode}`, async () => {
      const name = `all ${mode}`;
      if (mode !== 'fresh')
        await made(name, 'CREATE TABLE old AS SELECT 1; CREATE VIEW v AS TABLE old; CREATE EXTENSION hstore');
      const change = await restore(server.urlOf(name), everything, {
        mode,
        overwrite: mode !== 'fresh',
        connections: 3,
      });
      assert.equal(change.action, mode === 'fresh' ? 'create' : 'replace');
      assert.deepEqual(await comparePostgres(server.urlOf('every'), server.urlOf(name)), []);
      assert.deepEqual(await beside(name), mode === 'swap' ? [`${name}__holdfast_undo`] : []);
    });
  }

  it('brings back what the own tool dumped', async () => {
    for (const format of ['custom', 'plain']) {
      const entries = await backUp(server.urlOf('every'), { method: 'dump', extraOptions: [`--format=${format}`] });
      const name = `it's ${format}=1`;
      assert.equal((await restore(server.urlOf(name), entries)).action, 'create');
      assert.deepEqual(await comparePostgres(server.urlOf('every'), server.urlOf(name)), []);
    }
  });

  it('makes roles that are missing, and leaves those that are there as they are', async () => {
    const other = await startPostgres();
    try {
      const client = await connectPostgres(other.url);
      await client.query(`CREATE ROLE shop_owner CONNECTION LIMIT 3`);
      const withoutRoles = everything.filter(({ kind }) => kind !== 'roles');
      await assert.rejects(restore(other.urlOf('copy'), withoutRoles), (error) => {
        assert.ok(hasCode('target.incompatible', 'role')(error));
        return (error as HoldfastError).hint.includes('create the role');
      });
      await restore(other.urlOf('copy'), everything);
      const { rows } = await client.query(`SELECT rolconnlimit FROM pg_roles WHERE rolname = 'shop_owner'`);
      assert.deepEqual(rows, [{ rolconnlimit: 3 }]);
      await client.end();
      const differences = await comparePostgres(server.urlOf('every'), other.urlOf('copy'));
      // The roles of a policy are listed by the numbers that each server gives them.
      assert.deepEqual(
        differences.filter((text) => !text.startsWith('POLICY code document readers')),
        [],
      );
    } finally {
      await other.stop();
    }
  });
});

describe('PostgresTarget: fresh', () => {
  it('takes an empty database, and keeps what it was made with', async () => {
    await query('postgres', `CREATE DATABASE empty TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C' CONNECTION LIMIT 7`);
    await query(
      'postgres',
      `ALTER DATABASE empty SET search_path = 'a b', public; ALTER DATABASE empty SET work_mem = '5MB'`,
    );
    await query(
      'postgres',
      `CREATE ROLE guest; GRANT CREATE ON DATABASE empty TO guest; REVOKE CONNECT ON DATABASE empty FROM PUBLIC; COMMENT ON DATABASE empty IS 'it''s mine'`,
    );
    const picture = () =>
      query(
        'postgres',
        `SELECT datcollate, datconnlimit, ARRAY(SELECT unnest(datacl)::text ORDER BY 1), shobj_description(oid, 'pg_database'), (SELECT setconfig::text FROM pg_db_role_setting WHERE setdatabase = oid) FROM pg_database WHERE datname = 'empty'`,
      );
    const before = await picture();
    await restore(server.urlOf('empty'), small);
    assert.deepEqual(await picture(), before);
    assert.deepEqual(await query('empty', `SELECT current_setting('search_path')`), [['"a b", public']]);
    assert.deepEqual(await beside('empty'), []);
  });

  it('refuses a database that holds anything, even with leave to replace', async () => {
    for (const [index, statement] of [
      'CREATE TABLE t ()',
      'CREATE TYPE e AS ENUM ()',
      'CREATE SCHEMA s',
      `SELECT lo_create(1)`,
      'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
    ].entries()) {
      const url = await made(`filled${index}`, statement);
      await assert.rejects(
        restore(url, small, { mode: 'fresh', overwrite: true }),
        hasCode('target.exists', 'not empty'),
      );
      await assert.rejects(restore(url, small), hasCode('target.exists', 'not empty'));
    }
  });

  it('leaves nothing when it fails', async () => {
    const url = server.urlOf('failed');
    const broken = small.map((entry) =>
      entry.path.endsWith('public.item') ? { ...entry, metadata: { ...entry.metadata, rows: 4 } } : entry,
    );
    await assert.rejects(restore(url, broken), hasCode('target.invalid', 'public.item got 3 rows where 4'));
    const cut = small.filter(({ path }) => !path.endsWith('post-data.sql'));
    const target = new PostgresTarget({ url: new Secret(url) });
    await target.plan(small);
    for (const entry of cut.filter(({ sizeBytes }) => sizeBytes > 0).slice(0, 2)) {
      await target.stage(
        entry,
        (async function* () {
          yield entry.bytes;
        })(),
      );
    }
    await assert.rejects(target.commit(), hasCode('target.invalid', 'was not staged'));
    await target.abort();
    await target.abort();
    assert.deepEqual(await query('postgres', `SELECT 1 FROM pg_database WHERE datname LIKE 'failed%'`), []);
  });

  it('names what a value does not fit, and tells no value', async () => {
    const entries = await backUp(await made('types', 'CREATE TABLE t (a int); INSERT INTO t VALUES (1)'));
    const broken = entries.map((entry) =>
      entry.kind === 'table' ? { ...entry, bytes: Buffer.from('canary\n'), sizeBytes: 7 } : entry,
    );
    await assert.rejects(restore(server.urlOf('types2'), broken), (error) => {
      assert.ok(hasCode('target.invalid', 'public.t: the server refuses a row (22P02)')(error));
      return !String((error as Error).cause).includes('canary');
    });
  });
});

describe('PostgresTarget: swap and undo', () => {
  it('keeps one undo, which can itself be undone', async () => {
    const url = await made('shop', `CREATE TABLE gone AS SELECT 1; COMMENT ON DATABASE shop IS 'the old one'`);
    await assert.rejects(restore(url, small, { mode: 'swap' }), hasCode('target.exists'));
    await assert.rejects(undo('shop'), hasCode('target.no_undo'));
    const change = await restore(url, small, { overwrite: true });
    assert.match(change.undo ?? '', /^shop__holdfast_undo_/);
    const restored = await takePostgresPicture(url);
    const back = await undo('shop');
    assert.equal(back.restored, change.undo);
    assert.deepEqual(await query('shop', 'TABLE gone'), [[1]]);
    await undo('shop');
    assert.deepEqual(await takePostgresPicture(url), restored);
    await restore(url, small, { overwrite: true });
    assert.deepEqual(await beside('shop'), ['shop__holdfast_undo']);
    const comments = `SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'`;
    assert.deepEqual(await query('postgres', comments), [['the old one']]);
    await undo('shop');
    assert.deepEqual(await query('shop', `SELECT to_regclass('gone')`), [[null]]);
    await restore(url, small, { overwrite: true, keepUndo: false });
    assert.deepEqual(await beside('shop'), ['shop__holdfast_undo']);
  });

  it('says what an undo would do, and brings back a database that was dropped since', async () => {
    const url = await made('lost', 'CREATE TABLE first ()');
    await restore(url, small, { overwrite: true });
    const told = await undoPostgres({ url: new Secret(url), dryRun: true });
    assert.deepEqual(await query('lost', `SELECT to_regclass('first')`), [[null]]);
    await query('postgres', 'DROP DATABASE lost');
    const { restored, undo: kept } = await undo('lost');
    assert.deepEqual([restored, kept], [told.restored, undefined]);
    assert.deepEqual(await query('lost', `SELECT to_regclass('first')`), [['first']]);
  });

  it('ends connections of others with leave only', async () => {
    const url = await made('busy');
    const client = await connectPostgres(url);
    client.on('error', () => undefined);
    const ended = new Promise((resolve) => client.once('end', resolve));
    await assert.rejects(restore(url, small), hasCode('target.busy', 'in use'));
    assert.deepEqual(await beside('busy'), []);
    assert.deepEqual((await client.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
    await restore(url, small, { overwrite: true });
    await ended;
    assert.deepEqual(await comparePostgres(server.urlOf('small'), url), []);
  });

  it('works with names of the greatest length and of any characters', async () => {
    for (const name of ['ü'.repeat(31), `a"b'c\\d %_é`]) {
      await query('postgres', `CREATE DATABASE "${name.replaceAll('"', '""')}"`);
      await query(name, 'CREATE TABLE mine ()');
      await restore(server.urlOf(name), small, { overwrite: true });
      await undo(name);
      assert.deepEqual(await query(name, `SELECT to_regclass('mine')`), [['mine']]);
    }
  });

  it('removes what a dead restore has left, and nothing of one at work or of another database', async () => {
    const url = await made('tidy', 'CREATE TABLE t ()');
    for (const name of [
      'tidy__holdfast_new_0123456789ab',
      'tidy__holdfast_old_0123456789ab',
      'tidy2__holdfast_new_0123456789ab',
      'tidy__holdfast_new_x',
    ]) {
      await query('postgres', `CREATE DATABASE "${name}"`);
    }
    const first = new PostgresTarget({ url: new Secret(url), overwrite: true });
    await first.plan(small);
    const [entry] = small.filter(({ kind }) => kind === 'schema');
    await first.stage(
      entry as Entry,
      (async function* () {
        yield (entry as Entry).bytes;
      })(),
    );
    await assert.rejects(restore(url, small, { overwrite: true }), hasCode('target.busy', 'another run'));
    assert.deepEqual(await beside('tidy'), ['tidy__holdfast_new', 'tidy__holdfast_new_x']);
    assert.deepEqual(await beside('tidy2'), ['tidy2__holdfast_new']);
    await first.abort();
    assert.deepEqual(await beside('tidy'), ['tidy__holdfast_new_x']);
  });
});

describe('PostgresTarget: what does not fit', () => {
  it('refuses archives of other engines and of newer servers, and rows alone for a new database', async () => {
    const change = (metadata: Record<string, string>) =>
      small.map((entry) => ({ ...entry, metadata: { ...entry.metadata, ...metadata } }));
    const url = server.urlOf('nowhere');
    await assert.rejects(restore(url, change({ engine: 'mariadb' })), hasCode('target.incompatible', 'mariadb'));
    await assert.rejects(restore(url, change({ engineVersion: '99.1' })), hasCode('target.incompatible', 'older'));
    const rows = small.filter(({ kind }) => kind === 'table');
    await assert.rejects(restore(url, rows), hasCode('storage.not_found', 'does not exist'));
    await assert.rejects(restore(url, small, { mode: 'transaction' }), hasCode('storage.not_found', 'does not exist'));
    await assert.rejects(
      restore(server.urlOf('small'), rows, { mode: 'swap', overwrite: true }),
      hasCode('usage.invalid', 'rows of tables'),
    );
  });

  it('takes definitions of tables whose rows were left out: foreign keys to them hold for new rows', async () => {
    const url = await made(
      'linked',
      'CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1); CREATE TABLE b (a int REFERENCES a, c int UNIQUE); INSERT INTO b VALUES (1, 1); CREATE TABLE d (c int REFERENCES b (c))',
    );
    await restore(server.urlOf('linked2'), await backUp(url, { excludeTables: ['a'] }));
    assert.deepEqual(await query('linked2', 'TABLE b'), [[1, 1]]);
    const keys = await query(
      'linked2',
      `SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1`,
    );
    assert.deepEqual(keys, [
      ['b_a_fkey', false],
      ['d_c_fkey', true],
    ]);
    await assert.rejects(query('linked2', 'INSERT INTO b VALUES (2, 2)'), /foreign key/);
  });

  it('keeps such keys of a partitioned table on its partitions, which alone may have them', async () => {
    const url = await made(
      'parted',
      `CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1);
      CREATE TABLE p (id int, "of A" int CONSTRAINT "to A" REFERENCES a, PRIMARY KEY (id)) PARTITION BY RANGE (id);
      CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
      CREATE TABLE "p 2" PARTITION OF p FOR VALUES FROM (10) TO (30) PARTITION BY RANGE (id);
      CREATE TABLE p21 PARTITION OF "p 2" FOR VALUES FROM (10) TO (20);
      INSERT INTO p VALUES (1, 1), (11, 1);
      CREATE TABLE q (p int REFERENCES p); INSERT INTO q VALUES (11)`,
    );
    const keys = (database: string) =>
      query(
        database,
        `SELECT conrelid::regclass::text, confrelid::regclass::text, convalidated FROM pg_constraint
        WHERE contype = 'f' AND conparentid = 0 ORDER BY 1, 2`,
      );
    await restore(server.urlOf('parted2'), await backUp(url, { excludeTables: ['a'] }));
    assert.deepEqual(await query('parted2', 'SELECT id FROM p ORDER BY id'), [[1], [11]]);
    assert.deepEqual(await keys('parted2'), [
      ['p1', 'a', false],
      ['p21', 'a', false],
      ['q', 'p', true],
    ]);
    await assert.rejects(query('parted2', 'INSERT INTO p VALUES (2, 2)'), /foreign key constraint "to A"/);
    await restore(server.urlOf('parted3'), await backUp(url, { excludeTables: ['p', 'p1', 'p 2', 'p21'] }));
    assert.deepEqual(await query('parted3', 'TABLE q'), [[11]]);
    assert.deepEqual(await keys('parted3'), [
      ['p', 'a', true],
      ['q', 'p', false],
    ]);
  });

  it('restores within a transaction where the user may not make databases', async () => {
    const url = await made(
      'mine',
      'CREATE ROLE owner LOGIN; ALTER DATABASE mine OWNER TO owner; CREATE TABLE t (a int); INSERT INTO t VALUES (1); ALTER TABLE t OWNER TO owner',
    );
    const asOwner = url.replace('//postgres@', '//owner@');
    const entries = await backUp(asOwner);
    await query('mine', 'UPDATE t SET a = 2');
    assert.equal((await restore(asOwner, entries, { overwrite: true })).undo, undefined);
    assert.deepEqual(await query('mine', 'TABLE t'), [[1]]);
    await assert.rejects(
      restore(asOwner, entries, { overwrite: true, mode: 'swap' }),
      hasCode('storage.unauthorized', 'permission denied'),
    );
  });
});
