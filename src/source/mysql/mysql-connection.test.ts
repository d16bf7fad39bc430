import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { type MariadbServer, startMariadb } from '../../../test/mysql/mariadb-server.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { Secret } from '../../secret.ts';
import { parseMysqlUrl } from './mysql-address.ts';
import { MysqlConnection } from './mysql-connection.ts';

leaveOutWithout('mariadb');

const month = 30 * 24 * 60 * 60 * 1000;

let server: MariadbServer;

before(async () => {
  server = await startMariadb();
});
after(async () => await server?.stop());

it('a connection may be idle for as long as any server allows, as the one that holds a lock for a whole restore', async () => {
  const connection = await server.connect();
  const [row] = await connection.rows('SELECT @@SESSION.wait_timeout AS seconds, @@warning_count AS warnings');
  assert.deepEqual({ ...row }, { seconds: 2_147_483, warnings: 0 });
  await connection.close();
});

it('a limit of a month is one for connecting, too', async () => {
  const address = parseMysqlUrl(new Secret(server.url('mysql')));
  const connection = await MysqlConnection.open(address, { timeoutMs: month });
  assert.equal((await connection.rows('SELECT 1')).length, 1);
  await connection.close();
});
