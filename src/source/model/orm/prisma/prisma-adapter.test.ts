import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { PrismaPg } from '@prisma/adapter-pg';
import { Client } from 'pg';
import { assertDescribes, summaryOf, tablesOfPostgres, tablesOfSqlite } from '../../../../../test/models/introspect.ts';
import { makePrismaClient } from '../../../../../test/models/prisma-client.ts';
import { PrismaNodeSqlite } from '../../../../../test/models/prisma-sqlite.ts';
import { type PostgresService, startPostgres } from '../../../../../test/services/start-postgres.ts';
import { defineBackup } from '../../registry/define-backup.ts';
import { exclude } from '../../registry/field-kind.ts';
import { mergeRegistry } from '../../registry/merge-registry.ts';
import type { AdapterContext } from '../model-adapter.ts';
import { prismaAdapter } from './prisma-adapter.ts';

function contextOf(paths: readonly [string, ...string[]], module: Record<string, unknown> = {}): AdapterContext {
  return { paths, importModules: async () => module, tables: [] };
}

/** A schema for either engine; `schema` is what follows a model that is in another one. */
function schemaOf(provider: 'sqlite' | 'postgresql') {
  const inSchema = (name: string) => (provider === 'sqlite' ? '' : `@@schema("${name}")`);
  return `
datasource db {
  provider = "${provider}"
  ${provider === 'sqlite' ? '' : 'schemas = ["public", "billing"]'}
}
generator client {
  provider        = "prisma-client"
  output          = "./generated"
  previewFeatures = ["views"]
}
model Customer {
  id         Int        @id @default(autoincrement())
  fullName   String     @map("full_name")
  mentor     Customer?  @relation("mentor", fields: [mentorId], references: [id])
  mentorId   Int?       @map("mentor_id")
  mentored   Customer[] @relation("mentor")
  deletedAt  DateTime?  @map("deleted_at")
  tags       Tag[]
  likes      Tag[]      @relation("likes")
  friends    Customer[] @relation("friends")
  friendOf   Customer[] @relation("friends")
  invoices   Invoice[]
  @@map("customers")
  ${inSchema('public')}
}
model Tag {
  code      String     @id @map("tag_code")
  customers Customer[]
  likedBy   Customer[] @relation("likes")
  ${inSchema('public')}
}
model Invoice {
  year       Int
  number     Int
  customer   Customer @relation(fields: [customerId], references: [id])
  customerId Int      @map("customer_id")
  lines      Line[]
  @@id([year, number])
  @@map("invoice")
  ${inSchema('billing')}
}
model Line {
  id            Int     @id
  invoiceYear   Int
  invoiceNumber Int
  invoice       Invoice @relation(fields: [invoiceYear, invoiceNumber], references: [year, number])
  ${inSchema('billing')}
}
view LiveCustomer {
  id Int @unique
  ${inSchema('public')}
}
model Legacy {
  id Int @id
  @@ignore
  ${inSchema('public')}
}
`;
}

/** What \`prisma migrate\` makes of the schema. */
function migrationOf(billing: string, key: string, timestamp: string): string {
  return `
CREATE TABLE "customers" ("id" ${key}, "full_name" TEXT NOT NULL, "mentor_id" INTEGER REFERENCES "customers" ("id"), "deleted_at" ${timestamp});
CREATE TABLE "Tag" ("tag_code" TEXT NOT NULL PRIMARY KEY);
CREATE TABLE ${billing}"invoice" ("year" INTEGER NOT NULL, "number" INTEGER NOT NULL, "customer_id" INTEGER NOT NULL REFERENCES "customers" ("id"), PRIMARY KEY ("year", "number"));
CREATE TABLE ${billing}"Line" ("id" INTEGER NOT NULL PRIMARY KEY, "invoiceYear" INTEGER NOT NULL, "invoiceNumber" INTEGER NOT NULL,
  FOREIGN KEY ("invoiceYear", "invoiceNumber") REFERENCES ${billing}"invoice" ("year", "number"));
CREATE TABLE "Legacy" ("id" INTEGER NOT NULL PRIMARY KEY);
CREATE VIEW "LiveCustomer" AS SELECT "id" FROM "customers" WHERE "deleted_at" IS NULL;
CREATE TABLE "_CustomerToTag" ("A" INTEGER NOT NULL REFERENCES "customers" ("id"), "B" TEXT NOT NULL REFERENCES "Tag" ("tag_code"));
CREATE TABLE "_likes" ("A" INTEGER NOT NULL REFERENCES "customers" ("id"), "B" TEXT NOT NULL REFERENCES "Tag" ("tag_code"));
CREATE TABLE "_friends" ("A" INTEGER NOT NULL REFERENCES "customers" ("id"), "B" INTEGER NOT NULL REFERENCES "customers" ("id"));
CREATE UNIQUE INDEX a ON "_CustomerToTag" ("A", "B"); CREATE UNIQUE INDEX b ON "_likes" ("A", "B"); CREATE UNIQUE INDEX c ON "_friends" ("A", "B");`;
}

function expectedWith(billing: string): Record<string, readonly string[]> {
  return {
    'Customer = customers': [
      'id',
      'fullName full_name',
      'mentorId mentor_id',
      'deletedAt deleted_at',
      'mentor: mentor_id -> customers.id',
    ],
    'Tag = Tag': ['code tag_code'],
    [`Invoice = ${billing}invoice`]: [
      'year',
      'number',
      'customerId customer_id',
      'customer: customer_id -> customers.id',
    ],
    [`Line = ${billing}Line`]: [
      'id',
      'invoiceYear',
      'invoiceNumber',
      `invoice: invoiceYear,invoiceNumber -> ${billing}invoice.year,number`,
    ],
    '_CustomerToTag = _CustomerToTag': ['A', 'B', 'A: A -> customers.id', 'B: B -> Tag.tag_code'],
    '_likes = _likes': ['A', 'B', 'A: A -> customers.id', 'B: B -> Tag.tag_code'],
    '_friends = _friends': ['A', 'B', 'A: A -> customers.id', 'B: B -> customers.id'],
  };
}

const rows = {
  data: {
    fullName: 'Ada',
    tags: { create: [{ code: 'a' }] },
    likes: { connect: [{ code: 'a' }] },
    friends: { create: [{ fullName: 'Gone', deletedAt: new Date(0) }] },
    invoices: { create: [{ year: 2026, number: 1, lines: { create: [{ id: 1 }] } }] },
  },
};
const related = { include: { tags: true, likes: true, friends: true, invoices: { include: { lines: true } } } };

let folder = '';
let server: PostgresService;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-prisma-'));
  server = await startPostgres();
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.stop();
});

test('SQLite: the schema in one file, names by @map, tables of implicit many-to-many; no views, nothing ignored', async () => {
  const path = join(folder, 'schema.prisma');
  writeFileSync(path, schemaOf('sqlite'));
  const file = join(folder, 'shop.db');
  using database = new DatabaseSync(file);
  database.exec(migrationOf('', 'INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT', 'DATETIME'));
  const prisma = await makePrismaClient(schemaOf('sqlite'), 'sqlite', new PrismaNodeSqlite(file));
  await prisma['customer']?.create(rows);
  const [customer] = (await prisma['customer']?.findMany(related)) ?? [];
  assert.deepEqual(customer?.['tags'], [{ code: 'a' }]);
  const models = await prismaAdapter.describe(contextOf([path]));
  assertDescribes(models, tablesOfSqlite(database), ['Legacy']);
  assert.deepEqual(summaryOf(models), expectedWith(''));
  await prisma.$disconnect();
});

test('PostgreSQL: the same in two schemas, from a folder of files and from the client; registrations by delegate', async () => {
  const text = schemaOf('postgresql');
  const parts = join(folder, 'parts', 'models');
  mkdirSync(parts, { recursive: true });
  const cut = text.indexOf('model Invoice');
  writeFileSync(join(folder, 'parts', 'main.prisma'), text.slice(0, cut));
  writeFileSync(join(parts, 'billing.prisma'), text.slice(cut));
  const client = new Client({ connectionString: server.url });
  await client.connect();
  const prisma = await makePrismaClient(text, 'postgresql', new PrismaPg({ connectionString: server.url }));
  try {
    await client.query('CREATE SCHEMA billing');
    await client.query(migrationOf('billing.', 'SERIAL PRIMARY KEY', 'TIMESTAMP(3)'));
    await prisma['customer']?.create(rows);
    const [customer] = (await prisma['customer']?.findMany(related)) ?? [];
    assert.deepEqual(customer?.['likes'], [{ code: 'a' }]);
    const models = await prismaAdapter.describe(contextOf([join(folder, 'parts')]));
    assertDescribes(models, await tablesOfPostgres(client), ['Legacy']);
    assert.deepEqual(summaryOf(models), expectedWith('billing.'));
    assert.deepEqual(await prismaAdapter.describe(contextOf([join(folder, 'client.ts')], { prisma })), models);
    const delegate = prisma['customer'];
    assert.ok(delegate !== undefined);
    const registration = defineBackup(delegate, { fields: { deletedAt: exclude() } });
    const { models: planned } = mergeRegistry(models, [{ file: 'a.backup.ts', registration }]);
    assert.equal(planned.find(({ registeredIn }) => registeredIn !== undefined)?.name, 'Customer');
  } finally {
    await prisma.$disconnect();
    await client.end();
  }
});

test('mistakes are told: no file, a schema that is not valid, a module without a client', async () => {
  const invalid = join(folder, 'invalid.prisma');
  writeFileSync(invalid, 'model Customer {\n  id Int @id\n  other Missing\n}\n');
  const broken: [AdapterContext, RegExp][] = [
    [contextOf([join(folder, 'gone.prisma')]), /gone\.prisma cannot be read: ENOENT/],
    [contextOf([invalid]), /invalid\.prisma is not valid: .*Missing/],
    [contextOf([join(folder, 'client.ts')]), /exports no PrismaClient/],
  ];
  for (const [context, message] of broken) {
    await assert.rejects(prismaAdapter.describe(context), { code: 'config.invalid', message });
  }
});
