import assert from 'node:assert/strict';
import { after, before, it, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type MariadbServer, startMariadb } from '../../../test/mysql/mariadb-server.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { loadTable, prepareLoading } from './table-loader.ts';

leaveOutWithout('mariadb');

let server: MariadbServer;

before(async () => {
  server = await startMariadb();
});
after(async () => await server?.stop());

/** Time limits end when the test says so. */
function holdTimeLimits({ mock }: TestContext) {
  const limits: { readonly limitMs: number; readonly ending: AbortController }[] = [];
  mock.method(AbortSignal, 'timeout', (limitMs: number) => {
    const ending = new AbortController();
    limits.push({ limitMs, ending });
    return ending.signal;
  });
  return {
    pass(durationMs: number) {
      for (const { limitMs, ending } of limits) if (limitMs <= durationMs) ending.abort();
    },
  };
}

async function untilWaiting(statement: string): Promise<void> {
  const sql = `SELECT id FROM information_schema.processlist WHERE state LIKE 'Waiting for table%' AND info LIKE '${statement}%'`;
  while ((await server.query(sql)).length === 0) await turn();
}

it('rows are counted for as long as it takes, whatever limit statements have', async (context) => {
  await server.query('CREATE DATABASE slow');
  const loader = await server.connect();
  const holder = await server.connect();
  await prepareLoading(loader, 'slow');
  const time = holdTimeLimits(context);
  const held = Promise.withResolvers<void>();
  async function* bytes() {
    yield Buffer.from('CREATE TABLE `t` (\n  `id` int(11)\n);\nINSERT INTO `t` VALUES\n(1),\n(2);\n');
    // It gets the table when the rows are committed, before they are counted.
    held.resolve(holder.run('LOCK TABLES slow.t WRITE'));
    await untilWaiting('LOCK TABLES');
  }
  const entry = { path: 't', kind: 'table', sizeBytes: 1, metadata: { table: 't', rows: 2 } };
  const options = { connection: loader, database: 'slow', archivedDatabase: 'slow', databaseOf: () => undefined };
  const isCounted = async () => {
    await held.promise;
    await untilWaiting('SELECT COUNT');
    time.pass(60 * 60 * 1000);
    await holder.close();
  };
  await Promise.all([loadTable(entry, bytes(), options), isCounted()]);
  assert.deepEqual(await loader.slowRows('SELECT id FROM slow.t'), [{ id: 1 }, { id: 2 }]);
  await loader.close();
});
