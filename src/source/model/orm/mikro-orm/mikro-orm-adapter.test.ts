import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { defineEntity, MikroORM, p } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { NodeSqliteDialect, SqliteDriver } from '@mikro-orm/sql';
import { Client } from 'pg';
import { assertDescribes, summaryOf, tablesOfPostgres, tablesOfSqlite } from '../../../../../test/models/introspect.ts';
import { type PostgresService, startPostgres } from '../../../../../test/services/start-postgres.ts';
import type { AdapterContext } from '../model-adapter.ts';
import { mikroOrmAdapter } from './mikro-orm-adapter.ts';

function contextOf(module: Record<string, unknown>): AdapterContext {
  return { paths: [import.meta.filename], importModules: async () => module, tables: [] };
}

const Address = defineEntity({
  name: 'Address',
  embeddable: true,
  properties: { street: p.string(), zip: p.string().nullable() },
});

const Tag = defineEntity({
  name: 'Tag',
  properties: { code: p.string().primary(), label: p.string().fieldName('TheLabel') },
});

const Customer = defineEntity({
  name: 'Customer',
  tableName: 'customers',
  filters: { live: { name: 'live', cond: { deletedAt: null }, default: true } },
  properties: () => ({
    id: p.integer().primary(),
    fullName: p.string(),
    address: () => p.embedded(Address),
    billing: () => p.embedded(Address).object().nullable(),
    mentor: () => p.manyToOne(Customer).nullable(),
    tags: () => p.manyToMany(Tag),
    deletedAt: p.datetime().nullable(),
    score: p.integer().persist(false).nullable(),
  }),
});

/** With a schema where the engine has such. */
function billingEntities(schema: { schema?: string }) {
  const Invoice = defineEntity({
    name: 'Invoice',
    ...schema,
    properties: () => ({
      year: p.integer().primary(),
      number: p.integer().primary(),
      // The database does not enforce this one.
      customer: () => p.manyToOne(Customer).createForeignKeyConstraint(false),
    }),
  });
  const Line = defineEntity({
    name: 'Line',
    ...schema,
    properties: () => ({ id: p.integer().primary(), invoice: () => p.manyToOne(Invoice) }),
  });
  return [Invoice, Line];
}

const Content = defineEntity({
  name: 'Content',
  discriminatorColumn: 'kind',
  discriminatorValue: 'content',
  properties: { id: p.integer().primary(), kind: p.string() },
});

const Article = defineEntity({
  name: 'Article',
  extends: Content,
  discriminatorValue: 'article',
  properties: { body: p.text().nullable() },
});

const Vehicle = defineEntity({
  name: 'Vehicle',
  inheritance: 'tpt',
  properties: { id: p.integer().primary(), plate: p.string() },
});
const Truck = defineEntity({ name: 'Truck', extends: Vehicle, properties: { loadKg: p.integer() } });

const CustomerCount = defineEntity({
  name: 'CustomerCount',
  expression: 'select count(*) as total from customers',
  properties: { total: p.integer() },
});

const shared = [Address, Tag, Customer, Content, Article, Vehicle, Truck, CustomerCount];

type Options = Parameters<typeof MikroORM.init>[0];

/** Makes the tables with the library and puts rows in, one of them hidden by a default filter. */
async function fill(options: Options): Promise<void> {
  const orm = await MikroORM.init({ ...options, debug: false });
  try {
    await orm.schema.create();
    const entities = orm.em.fork();
    const address = { street: 'x' };
    entities.create(Customer, {
      id: 1,
      fullName: 'Ada',
      address,
      tags: [entities.create(Tag, { code: 'a', label: 'A' })],
    });
    entities.create(Customer, { id: 2, fullName: 'Gone', address, deletedAt: new Date(0) });
    await entities.flush();
    assert.equal(await entities.fork().count(Customer), 1);
  } finally {
    await orm.close();
  }
}

function expectedWith(billing: string): Record<string, readonly string[]> {
  return {
    'Tag = tag': ['code', 'label TheLabel'],
    'Customer = customers': [
      'id',
      'fullName full_name',
      'address.street address_street',
      'address.zip address_zip',
      'billing',
      'mentor mentor_id',
      'deletedAt deleted_at',
      'mentor: mentor_id -> customers.id',
    ],
    [`Invoice = ${billing}invoice`]: [
      'year',
      'number',
      'customer customer_id',
      'customer: customer_id -> customers.id',
    ],
    [`Line = ${billing}line`]: [
      'id',
      'invoice.year invoice_year',
      'invoice.number invoice_number',
      `invoice: invoice_year,invoice_number -> ${billing}invoice.year,number`,
    ],
    'Content = content': ['id', 'kind', 'body'],
    'Vehicle = vehicle': ['id', 'plate'],
    'Truck = truck': ['id', 'loadKg load_kg', 'Vehicle: id -> vehicle.id'],
    'customers_tags = customers_tags': [
      'Customer_owner customer_id',
      'Tag_inverse tag_code',
      'Customer_owner: customer_id -> customers.id',
      'Tag_inverse: tag_code -> tag.code',
    ],
  };
}

let folder = '';
let server: PostgresService;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-mikro-orm-'));
  server = await startPostgres();
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.stop();
});

test('SQLite: embeddables, inheritance of both kinds, pivot tables; filters play no part', async () => {
  const path = join(folder, 'shop.db');
  const optionsOf = (): Options => ({
    driver: SqliteDriver,
    dbName: path,
    driverOptions: new NodeSqliteDialect(path),
    entities: [...shared, ...billingEntities({})],
  });
  await fill(optionsOf());
  const models = await mikroOrmAdapter.describe(contextOf({ default: optionsOf() }));
  using file = new DatabaseSync(path, { readOnly: true });
  assert.deepEqual(summaryOf(models), expectedWith(''));
  assertDescribes(models, tablesOfSqlite(file));
  const customers = models.find(({ name }) => name === 'Customer');
  assert.ok(customers?.sources.includes(Customer) && customers.sources.includes(Customer.class));
  const contents = models.find(({ name }) => name === 'Content');
  assert.ok(contents?.sources.includes(Article));
});

test('PostgreSQL: the same, with schemas; nothing is connected', async () => {
  const options: Options = {
    driver: PostgreSqlDriver,
    clientUrl: server.url,
    entities: [...shared, ...billingEntities({ schema: 'billing' })],
  };
  await fill(options);
  const orm = await MikroORM.init({ ...options, debug: false });
  const models = await mikroOrmAdapter.describe(contextOf({ orm }));
  assert.equal(await orm.isConnected(), false);
  assert.deepEqual(summaryOf(models), expectedWith('billing.'));
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    assertDescribes(models, await tablesOfPostgres(client));
  } finally {
    await client.end();
  }
});

test('mistakes are told: no options, entities that are not valid', async () => {
  const broken: [Record<string, unknown>, RegExp][] = [
    [{ default: { dbName: 'x' } }, /exports no options of MikroORM/],
    [{ default: { driver: SqliteDriver, dbName: ':memory:', entities: [] } }, /are not valid: No entities found/],
    [{ default: { entities: shared } }, /are not valid: No driver/],
  ];
  for (const [module, message] of broken) {
    await assert.rejects(mikroOrmAdapter.describe(contextOf(module)), { code: 'config.invalid', message });
  }
});
