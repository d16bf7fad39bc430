import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { type MariadbServer, startMariadb } from '../../../test/mysql/mariadb-server.ts';
import { backUp, restore } from '../../../test/mysql/restore.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { Secret } from '../../secret.ts';
import { undoMysql } from './undo-mysql.ts';

leaveOutWithout('mariadb');

let server: MariadbServer;

before(async () => {
  server = await startMariadb({ settings: { 'lower-case-table-names': '1' } });
});
after(async () => await server?.stop());

it('an undo is kept by a server that writes all names in small letters', async () => {
  await server.query('CREATE DATABASE Shop', 'CREATE TABLE Shop.t (id int)');
  const entries = await backUp(server.url('Shop'));
  await server.query('INSERT INTO Shop.t VALUES (1)');
  await restore(server.url('Shop'), entries, { overwrite: true });
  assert.equal((await server.query('SELECT id FROM Shop.t')).length, 0);
  await undoMysql({ url: new Secret(server.url('Shop')) });
  assert.equal((await server.query('SELECT id FROM Shop.t')).length, 1);
});
