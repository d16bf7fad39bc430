import assert from 'node:assert/strict';
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { CamelCasePlugin, type Generated, Kysely, PostgresDialect, SqliteDialect } from 'kysely';
import pg from 'pg';
import {
  assertDescribes,
  summaryOf,
  type TableColumns,
  tablesOfPostgres,
  tablesOfSqlite,
} from '../../../../../test/models/introspect.ts';
import { type PostgresService, startPostgres } from '../../../../../test/services/start-postgres.ts';
import { defineBackup } from '../../registry/define-backup.ts';
import { exclude } from '../../registry/field-kind.ts';
import { mergeRegistry } from '../../registry/merge-registry.ts';
import type { AdapterContext, DatabaseTable } from '../model-adapter.ts';
import { kyselyAdapter } from './kysely-adapter.ts';

interface Database {
  customer: { id: Generated<number>; fullName: string; referredBy: number | null; deletedAt: Date | null };
  'billing.invoiceLine': { lineId: Generated<number>; customerId: number };
  customerTag: { customerId: number; tagId: number };
}

function databaseTables(tables: TableColumns): DatabaseTable[] {
  return [...tables].map(([label, columns]) => {
    const [schema, name] = label.includes('.') ? label.split('.') : [undefined, label];
    return { table: schema === undefined ? { name: label } : { schema, name: name ?? '' }, columns };
  });
}

function contextOf(module: Record<string, unknown>, tables: TableColumns): AdapterContext {
  return { paths: [import.meta.filename], importModules: async () => module, tables: databaseTables(tables) };
}

let server: PostgresService;
before(async () => {
  server = await startPostgres();
});
after(() => server.stop());

test('PostgreSQL: names as the CamelCasePlugin makes them, in every schema, and registrations by the interface', async () => {
  const pool = new pg.Pool({ connectionString: server.url, max: 1 });
  const database = new Kysely<Database>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] });
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    await database.schema
      .createTable('customer')
      .addColumn('id', 'serial', (column) => column.primaryKey())
      .addColumn('fullName', 'text')
      .addColumn('referredBy', 'integer', (column) => column.references('customer.id'))
      .addColumn('deletedAt', 'timestamptz')
      .execute();
    await database.schema.createSchema('billing').execute();
    const billing = database.withSchema('billing').schema;
    await billing.createTable('invoiceLine').addColumn('lineId', 'serial').addColumn('customerId', 'integer').execute();
    await database.schema
      .createTable('customerTag')
      .addColumn('customerId', 'integer')
      .addColumn('tagId', 'integer')
      .execute();
    await database
      .insertInto('customer')
      .values({ fullName: 'Gone', deletedAt: new Date(0) })
      .execute();
    const [row] = await database.selectFrom('customer').selectAll().execute();
    const tables = await tablesOfPostgres(client);
    const models = await kyselyAdapter.describe(contextOf({ database }, tables));
    assertDescribes(models, tables);
    assert.deepEqual(summaryOf([...models].sort((a, b) => (a.name < b.name ? -1 : 1))), {
      'billing.invoiceLine = billing.invoice_line': ['lineId line_id', 'customerId customer_id'],
      'customer = customer': Object.keys(row ?? {}).map(
        (name) =>
          ({
            id: 'id',
            fullName: 'fullName full_name',
            referredBy: 'referredBy referred_by',
            deletedAt: 'deletedAt deleted_at',
          })[name],
      ),
      'customerTag = customer_tag': ['customerId customer_id', 'tagId tag_id'],
    });
    const registration = defineBackup<Database>()('billing.invoiceLine', { fields: { customerId: exclude() } });
    const { models: planned } = mergeRegistry(models, [{ file: 'a.backup.ts', registration }]);
    const line = planned.find(({ registeredIn }) => registeredIn !== undefined);
    assert.deepEqual(line?.fields[1], { name: 'customerId', column: 'customer_id', kind: { kind: 'exclude' } });
  } finally {
    await client.end();
    // The pool forgets its connection before that has ended: a server that stops meanwhile would fail it.
    const ended = once(pool, 'remove');
    await database.destroy();
    await ended;
  }
});

test('SQLite: without plugins the names are those of the database; nothing is connected', async () => {
  using file = new DatabaseSync(':memory:');
  file.exec('CREATE TABLE customer (id INTEGER PRIMARY KEY, full_name TEXT, referred_by INTEGER REFERENCES customer)');
  let isConnected = false;
  const connect = async () => {
    isConnected = true;
    throw new Error('nothing is asked of the database');
  };
  const database = new Kysely<unknown>({ dialect: new SqliteDialect({ database: connect }) });
  const tables = tablesOfSqlite(file);
  const models = await kyselyAdapter.describe(contextOf({ default: database }, tables));
  assertDescribes(models, tables);
  assert.deepEqual(summaryOf(models), { 'customer = customer': ['id', 'full_name', 'referred_by'] });
  assert.ok(!isConnected);
});

test('a module without an instance is told', async () => {
  await assert.rejects(kyselyAdapter.describe(contextOf({ default: {} }, new Map())), {
    code: 'config.invalid',
    message: /exports no instance of Kysely/,
  });
});
