import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { Client } from 'pg';
import { DataTypes, type Options, Sequelize } from 'sequelize';
import { assertDescribes, summaryOf, tablesOfPostgres, tablesOfSqlite } from '../../../../../test/models/introspect.ts';
import { nodeSqlite3 } from '../../../../../test/models/node-sqlite3.ts';
import { type PostgresService, startPostgres } from '../../../../../test/services/start-postgres.ts';
import type { AdapterContext } from '../model-adapter.ts';
import { sequelizeAdapter } from './sequelize-adapter.ts';

function contextOf(module: Record<string, unknown>): AdapterContext {
  return { paths: [import.meta.filename], importModules: async () => module, tables: [] };
}

/** An application's models: soft deletes, a default scope, names of columns of their own, a reference to itself, many-to-many. */
function defineModels(sequelize: Sequelize) {
  const Customer = sequelize.define(
    'Customer',
    {
      fullName: { type: DataTypes.STRING, field: 'TheName' },
      blocked: DataTypes.BOOLEAN,
      initials: { type: DataTypes.VIRTUAL, get: () => 'A' },
    },
    { paranoid: true, underscored: true, defaultScope: { where: { blocked: false } } },
  );
  const Invoice = sequelize.define(
    'Invoice',
    { total: DataTypes.DECIMAL(10, 2), customerId: { type: DataTypes.INTEGER, field: 'cust_id' } },
    { schema: 'billing', timestamps: false },
  );
  const Tag = sequelize.define(
    'Tag',
    { code: { type: DataTypes.STRING(8), primaryKey: true } },
    { tableName: 'labels', timestamps: false },
  );
  Customer.belongsTo(Customer, { as: 'referrer' });
  Customer.hasMany(Invoice, { foreignKey: 'customerId', constraints: false });
  // The database does not enforce this one.
  Invoice.belongsTo(Customer, {
    as: 'customer',
    foreignKey: 'customerId',
    constraints: false,
  });
  Customer.belongsToMany(Tag, { through: 'customer_tags', timestamps: false });
  Tag.belongsToMany(Customer, { through: 'customer_tags', timestamps: false });
  return { Customer, Invoice, Tag };
}

/** Makes the tables with the library and puts rows in, one of them deleted softly, one hidden by a scope. */
async function fill(options: Options): Promise<void> {
  const sequelize = new Sequelize({ ...options, logging: false });
  try {
    const { Customer } = defineModels(sequelize);
    await sequelize.sync();
    await Customer.bulkCreate([
      { fullName: 'Ada', blocked: false },
      { fullName: 'Blocked', blocked: true },
      { fullName: 'Gone', blocked: false },
    ]);
    await Customer.destroy({ where: { fullName: 'Gone' } });
    assert.equal(await Customer.count(), 1);
    assert.equal(await Customer.unscoped().count({ paranoid: false }), 3);
  } finally {
    await sequelize.close();
  }
}

function expectedWith(billing: string): Record<string, readonly string[]> {
  return {
    'Customer = customers': [
      'id',
      'fullName TheName',
      'blocked',
      'createdAt created_at',
      'updatedAt updated_at',
      'deletedAt deleted_at',
      'referrerId referrer_id',
      'referrer: referrer_id -> customers.id',
    ],
    [`Invoice = ${billing}Invoices`]: ['id', 'total', 'customerId cust_id', 'customer: cust_id -> customers.id'],
    'Tag = labels': ['code'],
    'customer_tags = customer_tags': [
      'CustomerId customer_id',
      'TagCode tag_code',
      'Customer: customer_id -> customers.id',
      'TagCode: tag_code -> labels.code',
    ],
  };
}

let folder = '';
let server: PostgresService;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-sequelize-'));
  server = await startPostgres();
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.stop();
});

test('SQLite: soft deletes and scopes play no part, virtual attributes are no columns, a schema is part of the name', async () => {
  const storage = join(folder, 'shop.db');
  const options: Options = { dialect: 'sqlite', storage, dialectModule: nodeSqlite3 };
  await fill(options);
  const sequelize = new Sequelize({ ...options, logging: false });
  const { Customer } = defineModels(sequelize);
  const models = await sequelizeAdapter.describe(contextOf({ sequelize }));
  using file = new DatabaseSync(storage, { readOnly: true });
  assertDescribes(models, tablesOfSqlite(file));
  assert.deepEqual(summaryOf(models), expectedWith('billing.'));
  assert.deepEqual(models[1]?.table, { name: 'billing.Invoices' });
  assert.ok(models[0]?.sources.includes(Customer));
});

test('PostgreSQL: the same, with a real schema', async () => {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    await client.query('CREATE SCHEMA billing');
    const options: Options = {
      dialect: 'postgres',
      host: server.host,
      port: server.port,
      username: 'postgres',
      database: 'postgres',
    };
    await fill(options);
    const sequelize = new Sequelize(options);
    defineModels(sequelize);
    const models = await sequelizeAdapter.describe(contextOf({ default: { sequelize } }));
    assertDescribes(models, await tablesOfPostgres(client));
    assert.deepEqual(summaryOf(models), expectedWith('billing.'));
    assert.deepEqual(models[1]?.table, { schema: 'billing', name: 'Invoices' });
  } finally {
    await client.end();
  }
});

test('a module without an instance, and an instance without models, are told', async () => {
  const options: Options = { dialect: 'sqlite', dialectModule: nodeSqlite3, storage: join(folder, 'none.db') };
  const broken: [Record<string, unknown>, RegExp][] = [
    [{ default: Sequelize }, /exports no Sequelize/],
    [{ default: new Sequelize(options) }, /exports no Sequelize with models/],
  ];
  for (const [module, message] of broken) {
    await assert.rejects(sequelizeAdapter.describe(contextOf(module)), { code: 'config.invalid', message });
  }
});
