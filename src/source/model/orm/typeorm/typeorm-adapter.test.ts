import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { Client } from 'pg';
import {
  ChildEntity,
  Column,
  DataSource,
  type DataSourceOptions,
  DefaultNamingStrategy,
  DeleteDateColumn,
  Entity,
  EntitySchema,
  ManyToOne,
  PrimaryColumn,
  TableInheritance,
  Tree,
  TreeChildren,
  TreeParent,
  ViewEntity,
} from 'typeorm';
import { assertDescribes, summaryOf, tablesOfPostgres, tablesOfSqlite } from '../../../../../test/models/introspect.ts';
import { NodeBetterSqlite3 } from '../../../../../test/models/node-better-sqlite3.ts';
import { type PostgresService, startPostgres } from '../../../../../test/services/start-postgres.ts';
import type { AdapterContext } from '../model-adapter.ts';
import { typeormAdapter } from './typeorm-adapter.ts';

function contextOf(module: Record<string, unknown>): AdapterContext {
  return { paths: [import.meta.filename], importModules: async () => module, tables: [] };
}

/** `fullName` is the column `full_name`, `address.zip` is `address_zip`, as a naming strategy of an application does. */
class SnakeNaming extends DefaultNamingStrategy {
  override columnName(property: string, custom: string, prefixes: string[]): string {
    return (
      custom ||
      [...prefixes, property].map((part) => part.replace(/[A-Z]/g, (one) => `_${one.toLowerCase()}`)).join('_')
    );
  }
}

interface Customer {
  id: number;
  fullName: string;
  address: { street: string; zip: string };
  mentor: Customer | null;
  deletedAt: Date | null;
  tags: Tag[];
}
interface Tag {
  code: string;
  label: string;
}
interface Invoice {
  year: number;
  number: number;
  customerId: number;
  customer: Customer;
}
interface Line {
  id: number;
  invoice: Invoice;
}

const address = new EntitySchema<Customer['address']>({
  name: 'Address',
  columns: { street: { type: 'varchar' }, zip: { type: 'varchar' } },
});
const customer = new EntitySchema<Customer>({
  name: 'Customer',
  tableName: 'customers',
  columns: {
    id: { type: 'integer', primary: true, generated: 'increment' },
    fullName: { type: 'varchar' },
    deletedAt: { type: Date, deleteDate: true, nullable: true },
  },
  embeddeds: { address: { schema: address } },
  relations: {
    mentor: { type: 'many-to-one', target: 'Customer', nullable: true },
    tags: { type: 'many-to-many', target: 'Tag', joinTable: true },
  },
});
const tag = new EntitySchema<Tag>({
  name: 'Tag',
  columns: { code: { type: 'varchar', primary: true }, label: { type: 'varchar', name: 'TheLabel' } },
});
const invoiceOf = (schema: { schema?: string }) =>
  new EntitySchema<Invoice>({
    name: 'Invoice',
    ...schema,
    columns: {
      year: { type: 'integer', primary: true },
      number: { type: 'integer', primary: true },
      customerId: { type: 'integer' },
    },
    relations: {
      // The database does not enforce this one.
      customer: {
        type: 'many-to-one',
        target: 'Customer',
        joinColumn: { name: 'customer_id' },
        createForeignKeyConstraints: false,
      },
    },
  });
const lineOf = (schema: { schema?: string }) =>
  new EntitySchema<Line>({
    name: 'Line',
    ...schema,
    columns: { id: { type: 'integer', primary: true, generated: 'increment' } },
    relations: { invoice: { type: 'many-to-one', target: 'Invoice' } },
  });

class Content {
  id!: number;
  parent!: Content | null;
  children!: Content[];
  deletedAt!: Date | null;
}
class Article extends Content {
  body!: string;
}
class ContentCount {
  total!: number;
}
// Decorators are functions: Node runs TypeScript without their syntax.
PrimaryColumn({ type: 'integer' })(Content.prototype, 'id');
DeleteDateColumn({ type: Date, nullable: true })(Content.prototype, 'deletedAt');
TreeParent()(Content.prototype, 'parent');
ManyToOne(() => Content, { nullable: true })(Content.prototype, 'parent');
TreeChildren()(Content.prototype, 'children');
Tree('closure-table')(Content);
TableInheritance({ column: { type: 'varchar', name: 'kind' } })(Content);
Entity()(Content);
Column({ type: 'varchar', nullable: true })(Article.prototype, 'body');
ChildEntity()(Article);
ViewEntity({ expression: 'SELECT count(*) AS total FROM customers' })(ContentCount);
Column({ type: 'integer' })(ContentCount.prototype, 'total');

function entitiesOf(schema: { schema?: string }) {
  return [customer, tag, invoiceOf(schema), lineOf(schema), Content, Article, ContentCount];
}

/** Makes the tables with the library and puts rows in, one of them deleted softly. */
async function fill(options: DataSourceOptions): Promise<void> {
  const source = await new DataSource(options).initialize();
  try {
    await source.synchronize();
    const customers = source.getRepository(customer);
    const [one] = await customers.save([
      { fullName: 'Ada', address: { street: 'x', zip: '1' }, tags: [], mentor: null },
      { fullName: 'Gone', address: { street: 'y', zip: '2' }, tags: [], mentor: null },
    ]);
    await customers.softDelete(2);
    assert.equal(await customers.count(), 1);
    assert.equal(one?.fullName, 'Ada');
  } finally {
    await source.destroy();
  }
}

/** What both engines have, but for the schema. */
function expectedIn(schema: string): Record<string, readonly string[]> {
  return {
    'Customer = customers': [
      'id',
      'fullName full_name',
      'deletedAt deleted_at',
      'mentor mentorId',
      'address.street address_street',
      'address.zip address_zip',
      'mentor: mentorId -> customers.id',
    ],
    'Tag = tag': ['code', 'label TheLabel'],
    [`Invoice = ${schema}invoice`]: [
      'year',
      'number',
      'customerId customer_id',
      'customer: customer_id -> customers.id',
    ],
    [`Line = ${schema}line`]: [
      'id',
      'invoice.year invoiceYear',
      'invoice.number invoiceNumber',
      `invoice: invoiceYear,invoiceNumber -> ${schema}invoice.year,number`,
    ],
    'Content = content': [
      'id',
      'deletedAt deleted_at',
      'body',
      'kind',
      'parent parentId',
      'parent: parentId -> content.id',
    ],
    'customers_tags_tag = customers_tags_tag': [
      'customersId',
      'tagCode',
      'customersId: customersId -> customers.id',
      'tagCode: tagCode -> tag.code',
    ],
    'content_closure = content_closure': [
      'id_ancestor',
      'id_descendant',
      'id_ancestor: id_ancestor -> content.id',
      'id_descendant: id_descendant -> content.id',
    ],
  };
}

let folder = '';
let server: PostgresService;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-typeorm-'));
  server = await startPostgres();
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.stop();
});

test('SQLite: embedded classes, a tree, one table for two classes, soft deletes; no view', async () => {
  const path = join(folder, 'shop.db');
  const options = {
    type: 'better-sqlite3',
    driver: NodeBetterSqlite3,
    database: path,
    namingStrategy: new SnakeNaming(),
    entities: entitiesOf({}),
  } as const;
  await fill(options);
  const source = new DataSource(options);
  const models = await typeormAdapter.describe(contextOf({ default: source }));
  assert.ok(!source.isInitialized, 'nothing is connected');
  using file = new DatabaseSync(path, { readOnly: true });
  assertDescribes(models, tablesOfSqlite(file), ['typeorm_metadata']);
  assert.deepEqual(summaryOf(models), expectedIn(''));
  const sourcesOf = (name: string) => models.find((model) => model.name === name)?.sources;
  assert.deepEqual(sourcesOf('Content'), [Content, Article]);
  assert.deepEqual(sourcesOf('Customer'), [customer]);
});

test('PostgreSQL: the same, with a schema', async () => {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    await client.query('CREATE SCHEMA billing');
    const options = {
      type: 'postgres',
      url: server.url,
      namingStrategy: new SnakeNaming(),
      entities: entitiesOf({ schema: 'billing' }),
    } as const;
    await fill(options);
    const models = await typeormAdapter.describe(contextOf({ source: new DataSource(options) }));
    assertDescribes(models, await tablesOfPostgres(client), ['typeorm_metadata']);
    assert.deepEqual(summaryOf(models), expectedIn('billing.'));
  } finally {
    await client.end();
  }
});

test('mistakes are told: no DataSource, entities that are not valid', async () => {
  await assert.rejects(typeormAdapter.describe(contextOf({ default: { type: 'postgres' } })), {
    code: 'config.invalid',
    message: /exports no DataSource of TypeORM/,
  });
  const entities = [new EntitySchema({ name: 'Keyless', columns: { text: { type: 'varchar' } } })];
  const source = new DataSource({ type: 'postgres', url: server.url, entities });
  await assert.rejects(typeormAdapter.describe(contextOf({ source })), {
    code: 'config.invalid',
    message: /entities of .* are not valid: .*Keyless/,
  });
});
