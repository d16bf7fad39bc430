import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type MariadbServer, startMariadb } from '../../../test/mysql/mariadb-server.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { collectSource } from '../../testing/source-cases.ts';
import { findDumpTool, parseToolVersion } from './dump-tool.ts';
import { MysqlSource } from './mysql-source.ts';

leaveOutWithout('mariadb');

let server: MariadbServer;

before(async () => {
  server = await startMariadb();
  await server.query(
    'CREATE DATABASE app',
    'USE app',
    'CREATE TABLE app.a_first (id int PRIMARY KEY)',
    'INSERT INTO app.a_first VALUES (1)',
    'CREATE TABLE app.large (id int PRIMARY KEY, body varchar(1000) NOT NULL)',
    "INSERT INTO app.large SELECT seq, REPEAT('x', 1000) FROM seq_1_to_30000",
    'CREATE TABLE app.z_last (id int PRIMARY KEY)',
  );
});
after(async () => await server?.stop());

const source = (timeoutMs = 20_000) => new MysqlSource({ url: new Secret(server.url('app')), timeoutMs });

async function rejects(work: Promise<unknown>, codes: string | readonly string[], pattern = /./): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof HoldfastError, String(error));
    assert.ok([codes].flat().includes(error.code), `${error.code}: ${error.message}`);
    assert.match(error.message, pattern);
    return true;
  });
}

/** Does something once, when a table has begun to come. */
function onceAt(table: string, work: () => Promise<unknown>) {
  let isDone = false;
  return {
    onChunk: async (path: string) => {
      if (isDone || !path.endsWith(`/${table}`)) return;
      isDone = true;
      await work();
    },
  };
}

describe('a backup of MariaDB fails, and says why', () => {
  it('when a table is dropped after it was listed', async () => {
    const drop = () => server.query('DROP TABLE app.z_last');
    await rejects(collectSource(source(), onceAt('large', drop)), 'source.changed', /z_last/);
    await server.query('CREATE TABLE app.z_last (id int PRIMARY KEY)');
  });

  it('when a table is given another form meanwhile', async () => {
    const alter = () => server.query('ALTER TABLE app.z_last ADD COLUMN more int, ALGORITHM = COPY');
    await rejects(collectSource(source(), onceAt('large', alter)), 'source.changed', /z_last|1412/);
  });

  it('when a table is locked by another program, naming it and the time', async () => {
    const holder = await server.connect();
    await holder.run('LOCK TABLES app.z_last WRITE');
    await rejects(collectSource(source(1_000)), 'source.busy', /z_last.* 1 s/);
    await holder.close();
    await collectSource(source(1_000));
  });

  it('when the connection of the tool is cut', async () => {
    const cut = async () => {
      const found = await server.query(
        "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT /*!40001%'",
      );
      assert.ok(found.length > 0, 'the tool is at work');
      for (const { id } of found) await server.query(`KILL ${Number(id)}`);
    };
    await rejects(collectSource(source(), onceAt('large', cut)), 'source.unreadable');
  });

  it('when the server dies', async () => {
    await rejects(
      collectSource(
        source(),
        onceAt('large', () => server.kill()),
      ),
      'source.unreadable',
    );
    await rejects(collectSource(source()), 'source.unreadable');
    await server.restart();
    await collectSource(source());
  });

  it('when the tool is missing or older than the server, with the package to install', async () => {
    const path = process.env['PATH'];
    try {
      process.env['PATH'] = '/nonexistent';
      await rejects(collectSource(source()), 'tool.not_found', /mariadb-dump/);
    } finally {
      process.env['PATH'] = path;
    }
    await assert.rejects(findDumpTool({ engine: 'mariadb', version: '99.1.0' }, undefined), (error) => {
      assert.ok(error instanceof HoldfastError && error.code === 'tool.too_old');
      assert.match(error.hint, /mariadb-client/);
      return true;
    });
  });

  it('and every tool tells its version', () => {
    const versions = [
      [
        'mariadb-dump',
        'mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)',
        'mariadb',
        '10.11.19',
      ],
      ['mariadb-dump', 'mariadb-dump from 11.4.2-MariaDB, client 10.19 for Linux (x86_64)', 'mariadb', '11.4.2'],
      ['mysqldump', 'mysqldump  Ver 8.0.39 for Linux on x86_64 (MySQL Community Server - GPL)', 'mysql', '8.0.39'],
      ['mysqldump', 'mysqldump  Ver 10.13 Distrib 5.7.44, for Linux (x86_64)', 'mysql', '5.7.44'],
      ['mysqldump', 'mysqldump  Ver 10.19 Distrib 10.5.8-MariaDB, for Linux (x86_64)', 'mariadb', '10.5.8'],
    ] as const;
    for (const [program, output, engine, version] of versions) {
      assert.deepEqual(parseToolVersion(program, output), { program, engine, version });
    }
    assert.equal(parseToolVersion('mysqldump', 'nothing of the kind'), undefined);
  });
});
