import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { makeEverything, portrait } from '../../../test/mysql/everything.ts';
import { type MariadbServer, startMariadb } from '../../../test/mysql/mariadb-server.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import type { MysqlConnection } from './mysql-connection.ts';
import { readObjects } from './read-objects.ts';
import type { SchemaObject } from './schema-object.ts';
import { settleSwaps, swap, tableNames } from './swap.ts';
import { type SwapPlan, writePlan } from './swap-plan.ts';
import { renameStep, runSteps, stepsAfter, stepsBefore } from './swap-statements.ts';

leaveOutWithout('mariadb');

let server: MariadbServer;
let control: MysqlConnection;

before(async () => {
  server = await startMariadb();
  control = await server.connect();
});
after(async () => {
  await control?.close();
  await server?.stop();
});

const from = 'shop__holdfast_00000001';
const keep = 'shop__holdfast_undo_00000002';
const view: SchemaObject = {
  kind: 'view',
  name: 'a_last',
  statement: 'CREATE VIEW a_last AS SELECT id FROM fresh',
  sqlMode: '',
  characterSet: 'utf8mb4',
  collation: 'utf8mb4_general_ci',
  columns: ['id'],
};
const trigger: SchemaObject = {
  ...view,
  kind: 'trigger',
  name: 'tr1',
  table: 'fresh',
  statement: 'CREATE TRIGGER tr1 BEFORE INSERT ON fresh FOR EACH ROW SET @a = 1',
};

/** A database `shop` with all that there is, and one beside it that is to take its place. */
async function makePlan(more: readonly SchemaObject[] = []): Promise<SwapPlan> {
  for (const name of [from, keep]) await control.run(`DROP DATABASE IF EXISTS ${name}`);
  await makeEverything(server, 'shop', { withBig: false });
  await control.run(`CREATE DATABASE ${from}`);
  await control.run(`CREATE TABLE ${from}.fresh (id int PRIMARY KEY)`);
  await control.run('USE shop');
  const { objects } = await readObjects(control, 'shop');
  return {
    version: 1,
    target: 'shop',
    from,
    keep,
    keepsUndo: true,
    isWhole: true,
    createdMs: 1,
    incoming: ['fresh'],
    outgoing: await tableNames(control, 'shop'),
    drops: objects.filter(({ kind }) => kind !== 'sequence'),
    creates: [view, trigger, ...more],
    redirects: [],
    before: { characterSet: 'utf8mb4', collation: 'utf8mb4_unicode_ci' },
    after: { characterSet: 'latin1', collation: 'latin1_swedish_ci' },
  };
}

const besides = async () =>
  (await server.query("SHOW DATABASES LIKE 'shop\\_\\_%'")).map((row) => Object.values(row)[0]);

for (const isMariadb of [true, false]) {
  describe(`tables change places, ${isMariadb ? 'as one statement' : 'step by step'}`, () => {
    const context = () => ({ control, isMariadb, timeoutMs: 5_000 });

    it('all of them, and what hangs on them', async () => {
      const plan = await makePlan();
      await swap(context(), plan);
      const found = await portrait(server, 'shop');
      assert.deepEqual(Object.keys(found).sort(), [
        'TABLE fresh',
        'TRIGGER tr1',
        'VIEW a_last',
        'defaults',
        'rows fresh',
      ]);
      assert.equal(found['defaults'], 'latin1_swedish_ci');
      assert.deepEqual(await besides(), [keep]);
    });

    it('or none, when something that hangs on them cannot be made', async () => {
      const plan = await makePlan([{ ...view, name: 'v2', statement: 'CREATE VIEW v2 AS SELECT no FROM nowhere' }]);
      const old = await portrait(server, 'shop');
      await assert.rejects(swap(context(), plan));
      assert.deepEqual(await portrait(server, 'shop'), old);
      assert.deepEqual(await besides(), [from]);
    });

    it('and one that was cut off after any of its steps is taken back or completed', async () => {
      const all = async () => {
        const plan = await makePlan();
        return { plan, steps: [...stepsBefore(plan), renameStep(plan), ...stepsAfter(plan)] };
      };
      const count = (await all()).steps.length;
      const moving = stepsBefore((await all()).plan).length;
      for (let done = 0; done <= count; done += 1) {
        const { plan, steps } = await all();
        const old = await portrait(server, 'shop');
        await control.run(`CREATE DATABASE ${keep}`);
        await writePlan(control, plan);
        await runSteps(control, { ...context(), database: 'shop', steps: steps.slice(0, done) });
        await settleSwaps(context(), 'shop');
        const found = await portrait(server, 'shop');
        if (done <= moving) assert.deepEqual(found, old, `cut off after ${done} steps`);
        else assert.deepEqual(Object.keys(found).length, 5, `cut off after ${done} steps`);
        assert.deepEqual(await besides(), done <= moving ? [] : [keep]);
      }
    });

    it('and one that was cut off and cannot be completed is taken back', async () => {
      const plan = await makePlan([{ ...view, name: 'v2', statement: 'CREATE VIEW v2 AS SELECT no FROM nowhere' }]);
      const old = await portrait(server, 'shop');
      await control.run(`CREATE DATABASE ${keep}`);
      await writePlan(control, plan);
      await runSteps(control, { ...context(), database: 'shop', steps: [...stepsBefore(plan), renameStep(plan)] });
      await settleSwaps(context(), 'shop');
      assert.deepEqual(await portrait(server, 'shop'), old);
      assert.deepEqual(await besides(), []);
    });
  });
}
