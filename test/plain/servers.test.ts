/** Plain dumps of servers: the standard tools restore them without Holdfast, and Holdfast restores what these made. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createPlainBackup, HoldfastError, plainSourceFromUrl, restorePlainBackup, Secret } from '../../src/index.ts';
import { comparePostgres } from '../databases/compare-postgres.ts';
import { connectMariadb } from '../databases/connect-mariadb.ts';
import { connectPostgres } from '../databases/connect-postgres.ts';
import { makePostgres } from '../databases/make-postgres.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { leftOut } from '../services/service-packages.ts';
import { type MariadbService, startMariadb } from '../services/start-mariadb.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';
import { Gpg } from './gpg.ts';

const workspace = makeWorkspace('plain-servers');
const passphrase = 'correct horse battery staple';
const keys = { passphrases: [new Secret(passphrase)] };
const isWithoutGpg = leftOut('gnupg');
let gpg: Gpg;
before(() => {
  gpg = new Gpg();
});
after(() => gpg.close());

/** What `gpg -d FILE | gunzip` gives. */
function opened(path: string): Buffer {
  const packed = gpg.run(['--passphrase', passphrase, '--decrypt', path]);
  return execFileSync('gunzip', { input: packed, maxBuffer: 256 << 20 });
}

function hasCode(code: string) {
  return (error: unknown) => error instanceof HoldfastError && error.code === code;
}

describe('PostgreSQL', { skip: isWithoutGpg || leftOut('postgres') }, () => {
  let server: PostgresService;
  const output = join(workspace, 'app_20250115_020000_production.sql.gz.gpg');

  async function query(database: string, text: string): Promise<unknown> {
    const client = await connectPostgres(server.urlOf(database));
    try {
      const { rows } = await client.query<Record<string, unknown>>(text);
      return Object.values(rows[0] ?? {})[0];
    } finally {
      await client.end();
    }
  }

  before(async () => {
    server = await startPostgres();
    await makePostgres(await server.createDatabase('app'));
    const source = await plainSourceFromUrl(server.urlOf('app'));
    await createPlainBackup({ source, output, keys });
  });
  after(async () => await server.stop());

  it('gpg -d | gunzip | psql restores it', async () => {
    const url = await server.createDatabase('by_psql');
    const psql = join(server.programFolder, 'psql');
    execFileSync(psql, ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', `--dbname=${url}`], {
      input: opened(output),
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    assert.deepEqual(await comparePostgres(server.urlOf('app'), url), []);
  });

  it('restore puts it in place, and keeps what was there', async () => {
    const to = server.urlOf('by_holdfast');
    await restorePlainBackup({ archive: output, keys, to });
    assert.deepEqual(await comparePostgres(server.urlOf('app'), to), []);
    await assert.rejects(restorePlainBackup({ archive: output, keys, to }), hasCode('target.exists'));
    const { actions } = await restorePlainBackup({ archive: output, keys, to, overwrite: true });
    assert.match(actions[0]?.undo ?? '', /by_holdfast__holdfast_undo/);
  });

  it('restore reads what pg_dump and gpg made', async () => {
    for (const format of ['plain', 'custom']) {
      const dump = execFileSync(
        join(server.programFolder, 'pg_dump'),
        [`--dbname=${server.urlOf('app')}`, `--format=${format}`],
        { maxBuffer: 256 << 20 },
      );
      const archive = join(workspace, `by-hand-${format}.gpg`);
      writeFileSync(archive, gpg.run(['--passphrase', passphrase, '--symmetric'], dump));
      const to = server.urlOf(`by_hand_${format}`);
      await restorePlainBackup({ archive, keys, to });
      assert.deepEqual(await comparePostgres(server.urlOf('app'), to), [], format);
    }
  });

  it('rows of tables that are excluded stay out, their definitions do not', async () => {
    await query('app', 'CREATE TABLE public.session AS SELECT 4711 AS canary');
    const source = await plainSourceFromUrl(server.urlOf('app'), { excludeTables: ['session'] });
    const archive = join(workspace, 'excluded.sql.gz.gpg');
    await createPlainBackup({ source, output: archive, keys });
    await query('app', 'DROP TABLE public.session');
    assert.ok(!opened(archive).includes('4711\n\\.'));
    assert.ok(opened(archive).includes('CREATE TABLE public.session'));
  });

  it('settings that do not fit are refused', async () => {
    await assert.rejects(plainSourceFromUrl(server.urlOf('app'), { roles: true }), hasCode('usage.invalid'));
    await assert.rejects(plainSourceFromUrl(server.urlOf('app'), { method: 'copy' }), hasCode('usage.invalid'));
  });

  it('commands of psql in a file from elsewhere are not run', async () => {
    const head = '--\n-- PostgreSQL database dump\n--\n\n';
    const end = '--\n-- PostgreSQL database dump complete\n--\n\n';
    const mark = join(workspace, 'was-run');
    const run = `\\! touch ${mark}\n`;
    for (const body of [
      run,
      `\\restrict a\n\\unrestrict a\n${run}`,
      `SELECT 1 ${run}`,
      `SELECT 1 \\g |touch ${mark}\n`,
    ]) {
      const archive = join(workspace, 'hostile.sql');
      writeFileSync(archive, `${head}${body}CREATE TABLE a ();\n${end}\\unrestrict a\n`);
      await assert.rejects(restorePlainBackup({ archive, to: server.urlOf('hostile') }), hasCode('target.invalid'));
      assert.ok(!existsSync(mark), body);
    }
  });

  it('a dump that fails on its way leaves the target as it was', async () => {
    const text = opened(output).toString('latin1').replace('SET search_path', 'SELECT 1/0; SET search_path');
    const broken = text.replace(/(-- PostgreSQL database dump complete)/, 'SELECT 1/0;\n$1');
    const archive = join(workspace, 'broken.sql');
    writeFileSync(archive, Buffer.from(broken, 'latin1'));
    const to = await server.createDatabase('stays');
    await query('stays', 'CREATE TABLE kept AS SELECT 1 AS one');
    await assert.rejects(restorePlainBackup({ archive, to, overwrite: true }), hasCode('target.invalid'));
    assert.equal(await query('stays', 'SELECT one FROM kept'), 1);
  });
});

describe('MariaDB', { skip: isWithoutGpg || leftOut('mariadb') }, () => {
  let server: MariadbService;
  const output = join(workspace, 'shop_20250115_020000_production.sql.gz.gpg');

  async function rows(url: string): Promise<unknown> {
    const connection = await connectMariadb(url);
    try {
      return (await connection.query('SELECT id, name FROM item ORDER BY id'))[0];
    } finally {
      await connection.end();
    }
  }

  before(async () => {
    server = await startMariadb();
    const url = await server.createDatabase('shop');
    const connection = await connectMariadb(url);
    await connection.query('CREATE TABLE item (id INT PRIMARY KEY, name VARBINARY(20))');
    await connection.query("INSERT INTO item VALUES (1, 'näme'), (2, x'00ff27'), (3, NULL)");
    await connection.end();
    await createPlainBackup({ source: await plainSourceFromUrl(url), output, keys });
  });
  after(async () => await server.stop());

  it('gpg -d | gunzip | mariadb restores it, and so does restore', async () => {
    const before = await rows(server.urlOf('shop'));
    await server.createDatabase('by_client');
    execFileSync('mariadb', ['--no-defaults', '--host=127.0.0.1', `--port=${server.port}`, '--skip-ssl', 'by_client'], {
      input: opened(output),
      env: { PATH: process.env['PATH'], MYSQL_PWD: server.password ?? '', USER: server.user },
    });
    assert.deepEqual(await rows(server.urlOf('by_client')), before);
    const to = server.urlOf('by_holdfast');
    await restorePlainBackup({ archive: output, keys, to });
    assert.deepEqual(await rows(to), before);
    await assert.rejects(
      restorePlainBackup({ archive: output, keys, to: 'postgres://localhost/x' }),
      hasCode('target.incompatible'),
    );
  });
});
