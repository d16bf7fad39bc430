import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HoldfastError } from '../../../errors.ts';
import { maskEmail } from '../mask/mask-presets.ts';
import { type BackupGiven, defineBackup } from './define-backup.ts';
import type { DiscoveredField, DiscoveredModel } from './discovered-model.ts';
import { exclude, file, filePath, value } from './field-kind.ts';
import { type FoundRegistration, type MergeOptions, mergeRegistry } from './merge-registry.ts';

const id: DiscoveredField = { name: 'id', column: 'id', nullable: false, hasDefault: true, primaryKey: true };

function field(name: string, column: string, more: Partial<DiscoveredField> = {}): DiscoveredField {
  return { name, column, nullable: true, ...more };
}

class Customer {}

const customer: DiscoveredModel = {
  name: 'Customer',
  table: { name: 'customers' },
  fields: [id, field('email', 'email', { nullable: false }), field('deletedAt', 'deleted_at')],
  relations: [],
};
const invoice: DiscoveredModel = {
  name: 'Invoice',
  table: { name: 'invoices', schema: 'billing' },
  fields: [
    id,
    field('customerId', 'customer_id', { nullable: false }),
    field('pdfPath', 'pdf_path'),
    field('number', 'number', { nullable: false, hasDefault: true }),
    field('renderCache', 'render_cache', { nullable: false }),
  ],
  relations: [
    { name: 'customer', columns: ['customer_id'], references: { table: { name: 'customers' }, columns: ['id'] } },
  ],
};
const audit: DiscoveredModel = { name: 'audit_log', table: { name: 'audit_log' }, fields: [id], relations: [] };
const migrations: DiscoveredModel = {
  name: '__drizzle_migrations',
  table: { name: '__drizzle_migrations', schema: 'drizzle' },
  fields: [id, field('created_at', 'created_at')],
  relations: [],
};
const session: DiscoveredModel = {
  name: 'session',
  table: { name: 'session' },
  fields: [field('sid', 'sid'), field('expire', 'expire')],
  relations: [],
};
const shop = [customer, invoice, audit, migrations, session];

function registered(model: unknown, given: BackupGiven<Record<string, unknown>> = {}, path = 'src/a.backup.ts') {
  return { file: path, registration: defineBackup(model as string, given) } satisfies FoundRegistration;
}

const merge = (registrations: FoundRegistration[], options: MergeOptions = {}, models = shop) =>
  mergeRegistry(models, registrations, { described: [{ ...customer, sources: [Customer] }], ...options });

test('a natural key is that of columns, by the names of fields', () => {
  const { models } = merge([registered('Invoice', { naturalKey: ['customerId', 'number'] })]);
  assert.deepEqual(models.find(({ name }) => name === 'Invoice')?.naturalKey, ['customer_id', 'number']);
  assert.ok(models.every(({ name, naturalKey }) => name === 'Invoice' || naturalKey === undefined));
  assert.throws(() => merge([registered('Invoice', { naturalKey: ['nummer'] })]), /Invoice has no field nummer/);
});

const fails = (pattern: RegExp, hint = /./) => {
  return (error: HoldfastError) =>
    error.code === 'config.invalid' && pattern.test(error.message) && hint.test(error.hint);
};

test('without registrations everything is kept as it was discovered, but for sessions', () => {
  const { models, excluded } = merge([]);
  assert.deepEqual(
    models.map(({ name, registeredIn, where, fileRoots }) => [name, registeredIn, where, fileRoots]),
    ['Customer', 'Invoice', 'audit_log', '__drizzle_migrations'].map((name) => [name, undefined, [], []]),
  );
  assert.ok(models.every(({ fields }) => fields.every(({ kind }) => kind.kind === 'value')));
  assert.deepEqual(excluded, [{ name: 'session', table: { name: 'session' }, reason: 'sessions', referencedBy: [] }]);
});

test('registering one model changes that model alone', () => {
  const found = registered('Invoice', {
    fields: { pdfPath: filePath({ root: 'uploads' }), renderCache: exclude({ value: '' }) },
    where: { customerId: 7, pdfPath: { not: null } },
    fileRoots: ['templates'],
  });
  const before = merge([]);
  const after = merge([found]);
  assert.deepEqual(
    after.models.filter(({ name }) => name !== 'Invoice'),
    before.models.filter(({ name }) => name !== 'Invoice'),
  );
  assert.deepEqual(after.excluded, before.excluded);
  assert.deepEqual(after.models[1], {
    name: 'Invoice',
    table: { name: 'invoices', schema: 'billing' },
    fields: [
      { name: 'id', column: 'id', kind: { kind: 'value' } },
      { name: 'customerId', column: 'customer_id', kind: { kind: 'value' } },
      { name: 'pdfPath', column: 'pdf_path', kind: { kind: 'filePath', root: 'uploads' } },
      { name: 'number', column: 'number', kind: { kind: 'value' } },
      { name: 'renderCache', column: 'render_cache', kind: { kind: 'exclude', value: '' } },
    ],
    relations: invoice.relations,
    fileRoots: [{ path: 'templates' }],
    where: [
      { column: 'customer_id', operator: '=', value: 7 },
      { column: 'pdf_path', operator: 'is not null' },
    ],
    registeredIn: 'src/a.backup.ts',
  });
});

test('a model is found by its class, its name, its table, or its table with the schema; a field also by its column', () => {
  for (const model of [Customer, 'Customer', 'customers']) {
    const { models } = merge([registered(model, { fields: { email: value({ mask: maskEmail() }) } })]);
    assert.equal(models[0]?.registeredIn, 'src/a.backup.ts');
    assert.equal(models[0]?.fields[1]?.kind.kind, 'value');
  }
  for (const model of ['invoices', 'billing.invoices', { $name: 'Invoice' }]) {
    const { models } = merge([registered(model, { fields: { pdf_path: file('uploads', { prefix: 'pdf/' }) } })]);
    assert.deepEqual(models[1]?.fields[2]?.kind, { kind: 'file', storage: 'uploads', prefix: 'pdf/' });
  }
});

test('all comparisons of a filter become conditions on columns', () => {
  const day = new Date('2026-01-01T00:00:00Z');
  const where = { email: { in: ['a', 'b'], not: 'c' }, deletedAt: null, id: { gt: 1, gte: 2n, lt: 3, lte: 4 } };
  const { models } = merge([registered('Customer', { where: { ...where, email: { ...where.email, gte: day } } })]);
  assert.deepEqual(models[0]?.where, [
    { column: 'email', operator: 'in', values: ['a', 'b'] },
    { column: 'email', operator: '<>', value: 'c' },
    { column: 'email', operator: '>=', value: day },
    { column: 'deleted_at', operator: 'is null' },
    { column: 'id', operator: '>', value: 1 },
    { column: 'id', operator: '>=', value: 2n },
    { column: 'id', operator: '<', value: 3 },
    { column: 'id', operator: '<=', value: 4 },
  ]);
});

test('mistakes are told with their file and what was meant', () => {
  const broken: [FoundRegistration[], RegExp, RegExp?][] = [
    [[registered('Invoce')], /^src\/a\.backup\.ts: the model Invoce is not in the database/, /did you mean Invoice\?/],
    [[registered(class Order {})], /the model Order is not/, /models: \{ orm, schema \}/],
    [
      [registered('Invoice', { fields: { pdfPaht: exclude() } })],
      /Invoice has no field pdfPaht/,
      /did you mean pdfPath\?/,
    ],
    [[registered('Invoice', { where: { custmerId: 1 } })], /Invoice has no field custmerId/, /customerId/],
    [[registered('Invoice', { where: { id: { above: 1 } as never } })], /Invoice\.id has no comparison above/],
    [[registered('Invoice', { where: { id: Number.NaN } })], /Invoice\.id cannot be compared with number/],
    [[registered('Invoice', { where: { id: { lt: null } as never } })], /compared with null/, /\{ not: null \}/],
    [[registered('Invoice'), registered('invoices', {}, 'b.backup.ts')], /twice, also in src\/a\.backup\.ts/],
    [[registered('Invoice'), registered('invoices')], /twice, also here/],
    [[registered('Invoice', { fields: { pdfPath: exclude(), pdf_path: exclude() } })], /pdfPath is named twice/],
    [[registered('Invoice', { fields: { id: exclude() } })], /primary key/],
  ];
  for (const [registrations, message, hint] of broken) assert.throws(() => merge(registrations), fails(message, hint));
});

test('a column that is NOT NULL is left out only with what a restore puts there', () => {
  const leftOut = (name: string, kind = exclude()) => merge([registered('Invoice', { fields: { [name]: kind } })]);
  assert.throws(() => leftOut('renderCache'), fails(/Invoice\.renderCache is NOT NULL/, /exclude\(\{ value/));
  assert.throws(() => leftOut('renderCache', exclude({ value: null })), fails(/NOT NULL/));
  for (const name of ['pdfPath', 'number']) assert.equal(leftOut(name).models[1]?.registeredIn, 'src/a.backup.ts');
});

test('a storage that is named has to be there', () => {
  const found = [registered('Invoice', { fields: { pdfPath: file('uplaods') } })];
  assert.throws(
    () => merge(found, { storages: ['uploads'] }),
    fails(/no media storage uplaods/, /did you mean uploads\?/),
  );
  assert.equal(merge(found).models.length, 4);
});

test('excludeModels leaves out by globs, tells who refers to it, and must fit something', () => {
  const { models, excluded } = merge([registered('Customer')], { excludeModels: ['audit_*', 'Customer', 'drizzle.*'] });
  assert.deepEqual(
    models.map(({ name }) => name),
    ['Invoice'],
  );
  assert.deepEqual(
    excluded.map(({ name, reason, referencedBy }) => [name, reason, referencedBy]),
    [
      ['Customer', 'excludeModels', ['Invoice']],
      ['audit_log', 'excludeModels', []],
      ['__drizzle_migrations', 'excludeModels', []],
      ['session', 'sessions', []],
    ],
  );
  assert.throws(() => merge([], { excludeModels: ['audit_lgo'] }), fails(/no model fits audit_lgo/, /audit_log/));
});

test('sessions and caches are known by more than their name, and kept where they are registered', () => {
  const left = (models: DiscoveredModel[], registrations: FoundRegistration[] = []) =>
    merge(registrations, {}, models).excluded.map(({ reason }) => reason);
  const table = (name: string, columns: string[]): DiscoveredModel => ({
    name,
    table: { name },
    fields: columns.map((column) => field(column, column)),
    relations: [],
  });
  assert.deepEqual(left([session], [registered('session')]), []);
  assert.deepEqual(left([table('Sessions', ['sid', 'expires'])]), ['sessions']);
  assert.deepEqual(left([table('user_session', ['id', 'expires_at'])]), ['sessions']);
  assert.deepEqual(left([table('django_session', ['session_key', 'expire_date'])]), ['sessions']);
  assert.deepEqual(left([table('cache', ['key', 'value', 'expiration'])]), ['cache']);
  assert.deepEqual(left([table('query-result-cache', ['id', 'duration'])]), ['cache']);
  assert.deepEqual(left([table('sessions', ['id', 'teacher', 'room'])]), [], 'lessons of a school');
  assert.deepEqual(left([table('training_sessions', ['id', 'expires_at'])]), []);
  assert.deepEqual(left([table('geocache', ['id', 'expires'])]), []);
  const attendance: DiscoveredModel = {
    ...table('attendance', ['session_id']),
    relations: [{ name: 's', columns: ['session_id'], references: { table: session.table, columns: ['sid'] } }],
  };
  assert.deepEqual(left([session, attendance]), [], 'rows of the application refer to it');
});
