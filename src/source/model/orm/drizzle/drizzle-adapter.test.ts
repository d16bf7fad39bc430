import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { isNull, relations, sql } from 'drizzle-orm';
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres';
import * as pgCore from 'drizzle-orm/pg-core';
import * as sqliteCore from 'drizzle-orm/sqlite-core';
import { drizzle as drizzleSqlite } from 'drizzle-orm/sqlite-proxy';
import { Client } from 'pg';
import { assertDescribes, summaryOf, tablesOfPostgres, tablesOfSqlite } from '../../../../../test/models/introspect.ts';
import { type PostgresService, startPostgres } from '../../../../../test/services/start-postgres.ts';
import type { AdapterContext } from '../model-adapter.ts';
import { drizzleAdapter } from './drizzle-adapter.ts';

/** An adapter's context for a module of this test. */
function contextOf(module: Record<string, unknown>, more: Partial<AdapterContext> = {}): AdapterContext {
  return { paths: [import.meta.filename], importModules: async () => module, tables: [], ...more };
}

const billing = pgCore.pgSchema('billing');
const customers = pgCore.pgTable('customers', {
  id: pgCore.integer().primaryKey().generatedAlwaysAsIdentity(),
  fullName: pgCore.text('full_name').notNull(),
  referredBy: pgCore.integer('referred_by').references((): pgCore.AnyPgColumn => customers.id),
  deletedAt: pgCore.timestamp('deleted_at'),
});
const invoices = billing.table(
  'invoice',
  {
    year: pgCore.integer().notNull(),
    number: pgCore.integer().notNull(),
    customerId: pgCore
      .integer('customer_id')
      .notNull()
      .references(() => customers.id),
    state: billing.enum('state', ['open', 'paid'])().notNull(),
    period: pgCore.integer().generatedAlwaysAs(sql`year * 100`),
  },
  (table) => [pgCore.primaryKey({ columns: [table.year, table.number] })],
);
const lines = billing.table(
  'invoice_line',
  {
    id: pgCore.uuid().primaryKey().defaultRandom(),
    invoiceYear: pgCore.integer('invoice_year').notNull(),
    invoiceNumber: pgCore.integer('invoice_number').notNull(),
    productId: pgCore.integer('product_id').notNull(),
  },
  (table) => [
    pgCore.foreignKey({
      columns: [table.invoiceYear, table.invoiceNumber],
      foreignColumns: [invoices.year, invoices.number],
    }),
  ],
);
const products = pgCore.pgTable('products', { id: pgCore.integer().primaryKey(), title: pgCore.text() });
const tags = pgCore.pgTable('tags', { id: pgCore.integer().primaryKey(), label: pgCore.text() });
const productTags = pgCore.pgTable(
  'product_tags',
  {
    productId: pgCore
      .integer('product_id')
      .notNull()
      .references(() => products.id),
    tagId: pgCore
      .integer('tag_id')
      .notNull()
      .references(() => tags.id),
  },
  (table) => [pgCore.primaryKey({ columns: [table.productId, table.tagId] })],
);
const schema = {
  customers,
  invoices,
  lines,
  products,
  tags,
  productTags,
  // The foreign key of this one is in the code alone.
  lineRelations: relations(lines, ({ one }) => ({
    invoice: one(invoices, {
      fields: [lines.invoiceYear, lines.invoiceNumber],
      references: [invoices.year, invoices.number],
    }),
    product: one(products, { fields: [lines.productId], references: [products.id] }),
  })),
  customerRelations: relations(customers, ({ many }) => ({ invoices: many(invoices) })),
  liveCustomers: pgCore
    .pgView('live_customers')
    .as((query) => query.select().from(customers).where(isNull(customers.deletedAt))),
  state: billing.enum('state', ['open', 'paid']),
  helper: () => undefined,
};

/** What `drizzle-kit generate` makes of the schema. */
const postgresMigration = `
CREATE SCHEMA billing;
CREATE TYPE billing.state AS ENUM ('open', 'paid');
CREATE TABLE customers (id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY, full_name text NOT NULL, referred_by integer REFERENCES customers, deleted_at timestamp);
CREATE TABLE billing.invoice (year integer, number integer, customer_id integer NOT NULL REFERENCES customers, state billing.state NOT NULL,
  period integer GENERATED ALWAYS AS (year * 100) STORED, PRIMARY KEY (year, number));
CREATE TABLE billing.invoice_line (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), invoice_year integer NOT NULL, invoice_number integer NOT NULL, product_id integer NOT NULL,
  FOREIGN KEY (invoice_year, invoice_number) REFERENCES billing.invoice);
CREATE TABLE products (id integer PRIMARY KEY, title text);
CREATE TABLE tags (id integer PRIMARY KEY, label text);
CREATE TABLE product_tags (product_id integer NOT NULL REFERENCES products, tag_id integer NOT NULL REFERENCES tags, PRIMARY KEY (product_id, tag_id));
CREATE VIEW live_customers AS SELECT * FROM customers WHERE deleted_at IS NULL;`;

let server: PostgresService;
before(async () => {
  server = await startPostgres();
});
after(() => server.stop());

test('PostgreSQL: schemas, composite keys, a reference to itself, relations of the code alone; no views', async () => {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    await client.query(postgresMigration);
    const database = drizzlePostgres(client, { schema });
    const [ada] = await database.insert(customers).values({ fullName: 'Ada' }).returning();
    await database.insert(customers).values({ fullName: 'Gone', referredBy: ada?.id ?? 0, deletedAt: new Date(0) });
    await database.insert(invoices).values({ year: 2026, number: 1, customerId: 1, state: 'open' });
    await database.insert(products).values({ id: 1 });
    await database.insert(lines).values({ invoiceYear: 2026, invoiceNumber: 1, productId: 1 });
    const [line] = await database.query.lines.findMany({ with: { invoice: true, product: true } });
    assert.equal(line?.invoice.customerId, 1);
    const models = await drizzleAdapter.describe(contextOf(schema));
    assertDescribes(models, await tablesOfPostgres(client));
    assert.deepEqual(summaryOf(models), {
      'customers = customers': [
        'id',
        'fullName full_name',
        'referredBy referred_by',
        'deletedAt deleted_at',
        'referredBy: referred_by -> customers.id',
      ],
      'invoices = billing.invoice': [
        'year',
        'number',
        'customerId customer_id',
        'state',
        'period',
        'customer: customer_id -> customers.id',
      ],
      'lines = billing.invoice_line': [
        'id',
        'invoiceYear invoice_year',
        'invoiceNumber invoice_number',
        'productId product_id',
        'invoice: invoice_year,invoice_number -> billing.invoice.year,number',
        'product: product_id -> products.id',
      ],
      'products = products': ['id', 'title'],
      'tags = tags': ['id', 'label'],
      'productTags = product_tags': [
        'productId product_id',
        'tagId tag_id',
        'product: product_id -> products.id',
        'tag: tag_id -> tags.id',
      ],
    });
    assert.ok(models[0]?.sources.includes(customers));
  } finally {
    await client.end();
  }
});

test('SQLite: columns that get their names by the casing of drizzle()', async () => {
  const notes = sqliteCore.sqliteTable('notes', {
    noteId: sqliteCore.integer().primaryKey(),
    parentNoteId: sqliteCore.integer().references((): sqliteCore.AnySQLiteColumn => notes.noteId),
    deletedAt: sqliteCore.integer({ mode: 'timestamp' }),
    body: sqliteCore.text('TheBody'),
  });
  using file = new DatabaseSync(':memory:');
  file.exec(
    'CREATE TABLE notes (note_id INTEGER PRIMARY KEY, parent_note_id INTEGER REFERENCES notes, deleted_at INTEGER, TheBody TEXT)',
  );
  const database = drizzleSqlite(
    async (statement, parameters, method) => {
      const prepared = file.prepare(statement);
      prepared.setReturnArrays(true);
      return { rows: (method === 'run' ? [prepared.run(...parameters)] : prepared.all(...parameters)) as unknown[] };
    },
    undefined,
    { casing: 'snake_case' },
  );
  await database.insert(notes).values({ noteId: 1, body: 'first', deletedAt: new Date(0) });
  await database.insert(notes).values({ noteId: 2, parentNoteId: 1 });
  assert.equal((await database.select().from(notes)).length, 2);
  const models = await drizzleAdapter.describe(contextOf({ schema: { notes } }, { casing: 'snake_case' }));
  assertDescribes(models, tablesOfSqlite(file));
  assert.deepEqual(summaryOf(models), {
    'notes = notes': [
      'noteId note_id',
      'parentNoteId parent_note_id',
      'deletedAt deleted_at',
      'body TheBody',
      'parentNote: parent_note_id -> notes.note_id',
    ],
  });
  const plain = await drizzleAdapter.describe(contextOf({ notes }));
  assert.equal(plain[0]?.fields[0]?.column, 'noteId');
});

test('a module without tables is told', async () => {
  await assert.rejects(drizzleAdapter.describe(contextOf({ helper: 1, default: null })), {
    code: 'config.invalid',
    message: /exports no table of Drizzle/,
  });
});
