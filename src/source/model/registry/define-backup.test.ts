/** Above all a test of the compiler: `npm run check` fails where a misspelt field is no error. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineEntity, p } from '@mikro-orm/core';
import { integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core';
import type { Generated } from 'kysely';
import { type CreationOptional, type InferAttributes, type InferCreationAttributes, Model } from 'sequelize';
import { EntitySchema } from 'typeorm';
import { maskEmail } from '../mask/mask-presets.ts';
import { defineBackup, isRegistration } from './define-backup.ts';
import { exclude, file, filePath, value } from './field-kind.ts';

test('a table of Drizzle', () => {
  const invoices = pgTable('invoice', {
    id: integer().primaryKey(),
    pdfPath: text('pdf_path'),
    createdAt: timestamp('created_at').notNull(),
  });
  const found = defineBackup(invoices, {
    fields: { pdfPath: filePath({ root: 'uploads' }) },
    where: { createdAt: { gte: new Date(0) }, pdfPath: null, id: { in: [1, 2] } },
    fileRoots: ['uploads', { path: 'templates', name: 'letters' }],
  });
  assert.equal(found.model, invoices);
  assert.deepEqual(found.fields, { pdfPath: { kind: 'filePath', root: 'uploads' } });
  assert.deepEqual(found.fileRoots, [{ path: 'uploads' }, { path: 'templates', name: 'letters' }]);
  // @ts-expect-error a misspelt field
  defineBackup(invoices, { fields: { pdfPaht: filePath({ root: 'uploads' }) } });
  // @ts-expect-error the column, where the application says the field
  defineBackup(invoices, { fields: { pdf_path: exclude() } });
  // @ts-expect-error a field of the filter that there is not
  defineBackup(invoices, { where: { deletedAt: null } });
  // @ts-expect-error a value of another type
  defineBackup(invoices, { where: { id: 'one' } });
  // @ts-expect-error a field of the natural key that there is not
  defineBackup(invoices, { naturalKey: ['pdfPaht'] });
  // @ts-expect-error a kind that there is not
  defineBackup(invoices, { fields: { pdfPath: 'exclude' } });
  // @ts-expect-error a setting that there is not
  defineBackup(invoices, { field: {} });
});

class Address {
  street!: string;
  zip!: string;
}

class Invoice {
  id!: number;
  email!: string;
  address!: Address;
  customer!: Promise<Invoice>;
  issuedAt!: Date;
  total(): number {
    return this.id;
  }
}

test('a class of TypeORM or MikroORM: properties, those of embedded classes, and no methods', () => {
  const { fields } = defineBackup(Invoice, {
    fields: { email: value({ mask: maskEmail() }), 'address.street': exclude({ value: '' }), customer: value() },
    where: { issuedAt: { lt: new Date(0) } },
  });
  assert.deepEqual(Object.keys(fields), ['email', 'address.street', 'customer']);
  // @ts-expect-error a misspelt property
  defineBackup(Invoice, { fields: { emial: value() } });
  // @ts-expect-error a misspelt property of an embedded class
  defineBackup(Invoice, { fields: { 'address.stret': value() } });
  // @ts-expect-error a method
  defineBackup(Invoice, { fields: { total: value() } });
  // @ts-expect-error a date has no fields
  defineBackup(Invoice, { fields: { 'issuedAt.getTime': value() } });
});

test('an EntitySchema of TypeORM', () => {
  const schema = new EntitySchema<Invoice>({
    name: 'Invoice',
    columns: { id: { type: Number, primary: true }, email: { type: String } },
  });
  assert.equal(defineBackup(schema, { fields: { email: exclude() } }).model, schema);
  // @ts-expect-error a misspelt property
  defineBackup(schema, { fields: { emial: exclude() } });
});

test('a schema of MikroORM, and its class', () => {
  const Customer = defineEntity({
    name: 'Customer',
    properties: { id: p.integer().primary(), photo: p.string().nullable(), bornAt: p.datetime() },
  });
  defineBackup(Customer, { fields: { photo: file('uploads') }, where: { id: 7 } });
  defineBackup(Customer.class, { fields: { photo: file('uploads') } });
  // @ts-expect-error a misspelt property
  defineBackup(Customer, { fields: { foto: file('uploads') } });
  // @ts-expect-error a misspelt property
  defineBackup(Customer.class, { fields: { foto: file('uploads') } });
});

class Order extends Model<InferAttributes<Order>, InferCreationAttributes<Order>> {
  declare id: CreationOptional<number>;
  declare note: string | null;
}

test('a model of Sequelize: attributes, and nothing of its methods', () => {
  defineBackup(Order, { fields: { note: exclude() }, where: { id: { gt: 3 } } });
  // @ts-expect-error a misspelt attribute
  defineBackup(Order, { fields: { notes: exclude() } });
  // @ts-expect-error a method
  defineBackup(Order, { fields: { save: exclude() } });
});

/** The shape of what `prisma generate` writes. */
interface FieldReference<Model extends string, Type extends string> {
  readonly modelName: Model;
  readonly typeName: Type;
}
interface InvoiceFieldRefs {
  readonly id: FieldReference<'Invoice', 'Int'>;
  readonly pdfPath: FieldReference<'Invoice', 'String'>;
}
interface TypeMap {
  meta: { modelProps: 'invoice' };
  model: { Invoice: { payload: { scalars: { id: number } }; fields: InvoiceFieldRefs } };
}
interface InvoiceDelegate {
  findMany(): Promise<unknown[]>;
  readonly fields: InvoiceFieldRefs;
}

test('a delegate of Prisma, and its map of types', () => {
  const delegate: InvoiceDelegate = { findMany: async () => [], fields: {} as InvoiceFieldRefs };
  defineBackup(delegate, { fields: { pdfPath: filePath({ root: 'uploads' }) } });
  // @ts-expect-error a misspelt field
  defineBackup(delegate, { fields: { pdfPaht: exclude() } });
  const found = defineBackup<TypeMap>()('Invoice', { fields: { pdfPath: exclude() }, where: { id: 3 } });
  assert.equal(found.model, 'Invoice');
  // @ts-expect-error a misspelt field
  defineBackup<TypeMap>()('Invoice', { fields: { pdfPaht: exclude() } });
  // @ts-expect-error a misspelt model
  defineBackup<TypeMap>()('Invoce', {});
});

interface Database {
  invoice: { id: Generated<number>; pdf_path: string | null };
  'billing.account': { iban: string };
}

test('interfaces of Kysely', () => {
  const found = defineBackup<Database>()('invoice', { fields: { pdf_path: exclude() }, where: { id: { lte: 9 } } });
  assert.ok(isRegistration(found));
  defineBackup<Database>()('billing.account', { where: { iban: { not: null } } });
  // @ts-expect-error a misspelt column
  defineBackup<Database>()('invoice', { fields: { pdf_paht: exclude() } });
  // @ts-expect-error a misspelt table
  defineBackup<Database>()('invoices', {});
  // @ts-expect-error a value of another type
  defineBackup<Database>()('invoice', { where: { id: 'one' } });
});

test('a name: its fields are checked when it is read', () => {
  assert.equal(defineBackup('invoice', { fields: { anything: exclude() } }).model, 'invoice');
  assert.ok(!isRegistration({ model: 'invoice', fields: {} }));
});
