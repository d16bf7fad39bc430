/** A restore to a MariaDB whose disk has no room for it: told, and all is as it was. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { makeEverything, portrait } from '../../../test/mysql/everything.ts';
import { type MariadbServer, startMariadb } from '../../../test/mysql/mariadb-server.ts';
import { backUp, type Entry, restore } from '../../../test/mysql/restore.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { mayMountDisks } from '../../../test/services/start-mariadb.ts';

leaveOutWithout('mariadb');

const skip = mayMountDisks() ? false : 'mounting is not permitted here';

describe('where the disk of the server is full', { skip }, () => {
  let server: MariadbServer;
  let entries: readonly Entry[];

  before(async () => {
    const large = await startMariadb();
    try {
      await makeEverything(large, 'app', { withBig: false });
      await large.query(
        'CREATE TABLE app.wide (id int PRIMARY KEY, filling varchar(4000) CHARACTER SET latin1)',
        'INSERT INTO app.wide SELECT seq, REPEAT(MD5(seq), 100) FROM app.seq_1_to_30000',
      );
      entries = await backUp(large.url('app'));
    } finally {
      await large.stop();
    }
    server = await startMariadb({ diskMebibytes: 144 });
    await makeEverything(server, 'shop', { withBig: false });
    await server.query('CREATE TABLE shop.wide (id int PRIMARY KEY)', 'INSERT INTO shop.wide VALUES (1), (2)');
  });
  after(async () => await server?.stop());

  const besides = async () =>
    (await server.query("SHOW DATABASES LIKE '%holdfast%'")).map((row) => String(Object.values(row)[0]));

  for (const [what, some] of [
    ['all of a database', () => entries],
    ['one table', () => entries.filter(({ metadata }) => metadata['table'] === 'wide')],
  ] as const) {
    it(`${what} is not restored, and what is there stays and works`, async () => {
      const before = await portrait(server, 'shop');
      await assert.rejects(restore(server.url('shop'), some(), { overwrite: true }), { code: 'storage.full' });
      assert.deepEqual(await portrait(server, 'shop'), before);
      assert.deepEqual(await besides(), []);
      // The room is given back: the next restore has it.
      await server.query('INSERT INTO shop.wide VALUES (3)', 'DELETE FROM shop.wide WHERE id = 3');
    });
  }

  it('what there is room for is restored afterwards', async () => {
    const small = entries.filter(({ metadata }) => metadata['table'] !== 'wide');
    await restore(server.url('shop'), small, { overwrite: true });
    const [row] = await server.query("SELECT COUNT(*) AS n FROM information_schema.tables WHERE table_schema = 'shop'");
    assert.ok(Number(row?.['n']) > 3);
  });
});
