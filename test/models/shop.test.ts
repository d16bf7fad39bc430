/** The shop of `examples/shop`, which the guide of models walks through. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import { readApplicationModels } from '../../src/source/model/application-models.ts';
import { createMasker, maskKey } from '../../src/source/model/mask/create-masker.ts';
import { maskedFields } from '../../src/source/model/mask/masked-fields.ts';
import { fromDatabase } from '../../src/source/model/registry/from-database.ts';
import { type MergedRegistry, mergeRegistry } from '../../src/source/model/registry/merge-registry.ts';
import { runHere } from '../end-to-end/command-line.ts';
import { assertDescribes, tablesOfSqlite } from './introspect.ts';

const root = join(import.meta.dirname, '../..');

/** An application elsewhere: with its own node_modules, and without a Holdfast among them. */
let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-shop-'));
  cpSync(join(root, 'examples/shop'), folder, { recursive: true });
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(join(root, 'node_modules/drizzle-orm'), join(folder, 'node_modules/drizzle-orm'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const start = () => execFileSync(process.execPath, ['src/start.ts'], { cwd: folder, encoding: 'utf8' });

test('it starts: a database, rows, uploads; once', () => {
  for (const _ of [1, 2]) assert.equal(start(), '2 customers: Ada Byron, George Boole\n');
  assert.equal(readFileSync(join(folder, 'uploads/invoices/2026/1.pdf'), 'utf8'), '%PDF-1.4 invoice 1');
  using file = new DatabaseSync(join(folder, 'shop.db'), { readOnly: true });
  const paths = file.prepare('SELECT pdf_path AS path FROM invoices UNION SELECT photo_path FROM products').all();
  const named = paths.map(({ path }) => path).filter((path) => typeof path === 'string');
  assert.equal(named.length, 3);
  assert.ok(named.every((path) => existsSync(join(folder, 'uploads', path))));
});

/** What is backed up of the shop. */
async function plan(): Promise<MergedRegistry> {
  using file = new DatabaseSync(join(folder, 'shop.db'), { readOnly: true });
  const { described, registrations } = await readApplicationModels(
    { orm: 'drizzle', schema: 'src/schema.ts' },
    folder,
    [],
  );
  assertDescribes(described, tablesOfSqlite(file), ['__drizzle_migrations']);
  const models = described.map(({ name, table, fields, relations }) =>
    fromDatabase({
      name,
      table,
      columns: file
        .prepare('SELECT name, "notnull", pk FROM pragma_table_info(?)')
        .all(table.name)
        .map((row) => ({
          name: String(row['name']),
          field: fields.find(({ column }) => column === row['name'])?.name ?? '',
          isNullable: row['notnull'] === 0,
        })),
      primaryKey: { columns: ['id'] },
      foreignKeys: relations,
    }),
  );
  const migrations = {
    name: '__drizzle_migrations',
    table: { name: '__drizzle_migrations' },
    fields: [],
    relations: [],
  };
  return mergeRegistry([...models, migrations], registrations, { described });
}

test('its models are those of its schema, with what three registrations say; sessions are left out', async () => {
  const { models, excluded } = await plan();
  assert.deepEqual(
    models.map(({ name, registeredIn }) => [name, registeredIn]),
    [
      ['customers', 'src/customers.backup.ts'],
      ['invoiceLines', undefined],
      ['invoices', 'src/invoices.backup.ts'],
      ['productTags', undefined],
      ['products', 'src/products.backup.ts'],
      ['tags', undefined],
      ['__drizzle_migrations', undefined],
    ],
  );
  assert.deepEqual(
    excluded.map(({ name, reason }) => [name, reason]),
    [['sessions', 'sessions']],
  );
  const kinds = models.flatMap(({ fields }) => fields.filter(({ kind }) => kind.kind !== 'value'));
  assert.deepEqual(
    kinds.map(({ column, kind }) => [column, kind.kind]),
    [
      ['pdf_path', 'filePath'],
      ['photo_path', 'filePath'],
      ['search_text', 'exclude'],
    ],
  );
  const lines = models.find(({ name }) => name === 'invoiceLines');
  assert.deepEqual(lines?.relations.find(({ name }) => name === 'product')?.columns, ['product_id']);
});

test('its customers, masked, are nobody, and those who left as well', async () => {
  const customers = (await plan()).models.find(({ name }) => name === 'customers');
  const limitsOf = (column: string) => ({ required: ['email', 'full_name'].includes(column) });
  const fields = maskedFields({ fields: customers?.fields ?? [] }, limitsOf);
  assert.deepEqual(
    fields.map(({ column }) => column),
    ['email', 'full_name', 'phone', 'note'],
  );
  const mask = createMasker({ model: 'customers', fields, key: maskKey(new Uint8Array(32)) });
  using file = new DatabaseSync(join(folder, 'shop.db'), { readOnly: true });
  const rows = file.prepare('SELECT * FROM customers').all().map(mask);
  assert.equal(rows.length, 3);
  const text = JSON.stringify(rows);
  for (const secret of ['mill.example', 'Byron', 'Boole', 'Left', '20 7946', 'Pays'])
    assert.ok(!text.includes(secret), secret);
  assert.equal(new Set(rows.map((row) => row['email'])).size, 3);
  assert.equal(rows[1]?.['referred_by_id'], 1);
  assert.equal(rows[1]?.['phone'], null);
});

test('the guide shows what is there', () => {
  const guide = readFileSync(join(root, 'docs/guides/models.md'), 'utf8');
  const shown = [...guide.matchAll(/^`(examples\/shop\/[^`]+)`:\n```ts\n(.*?)^```$/gms)];
  assert.deepEqual(
    shown.map(([, path]) => path),
    ['examples/shop/src/products.backup.ts', 'examples/shop/src/customers.backup.ts'],
  );
  for (const [, path = '', text] of shown) assert.equal(text, readFileSync(join(root, path), 'utf8'));
});

test('its configuration is valid', async () => {
  const { config } = await loadConfig(folder, {});
  assert.equal(config.databases?.[0]?.url, 'sqlite:shop.db');
});

/** What names a customer. */
const personal = ['mill.example', 'Byron', 'Boole', 'Left', '20 7946', 'Pays at'];

test('the commands of the guide make a backup of models, and a masked copy for staging', async (t) => {
  const guide = readFileSync(join(root, 'docs/guides/models.md'), 'utf8');
  const lines = guide.match(/^ {4}cd examples\/shop\n(?: {4}.*\n)+/m)?.[0].split('\n') ?? [];
  const commands = lines
    .map((line) => line.trim())
    .filter((line) => line.startsWith('npx holdfast '))
    .map((line) => line.replaceAll("'", '').split(' ').slice(2));
  assert.deepEqual(
    commands.map(([name]) => name),
    ['backup', 'restore'],
  );
  assert.ok(commands[0]?.includes('--models') && commands[1]?.includes('--mask'));
  const before = process.cwd();
  process.chdir(folder);
  t.after(() => process.chdir(before));
  const environment = { HOLDFAST_PASSPHRASE: 'correct horse battery staple' };
  for (const [index, words] of commands.entries()) {
    const { exitCode, stdout, stderr } = await runHere(words, { environment });
    assert.equal(exitCode, 0, stderr);
    if (index > 0) assert.match(stdout, /customers +3 +0 +0 +8/);
  }
  const audit = await runHere(['files', 'audit'], { environment });
  assert.equal(audit.exitCode, 0, audit.stderr);
  const files = ['restore', 'rows.holdfast', '--only', 'models/shop/files/**', '--files-to', 'out', '--yes'];
  assert.equal((await runHere(files, { environment })).exitCode, 0);
  assert.equal(readFileSync('out/uploads/invoices/2026/1.pdf', 'utf8'), '%PDF-1.4 invoice 1');
  const bytes = readFileSync('staging.db').toString('latin1');
  for (const text of personal) assert.ok(!bytes.includes(text), text);
  using copy = new DatabaseSync('staging.db', { readOnly: true });
  const searched = copy.prepare('SELECT DISTINCT search_text AS text FROM products').all();
  assert.deepEqual(
    searched.map(({ text }) => text),
    [''],
  );
  assert.equal(copy.prepare('SELECT count(*) AS count FROM invoice_lines').get()?.['count'], 3);
  // An archive that was made of the database alone is masked by the names of the application too.
  const source = ['--models', '--url', 'sqlite:shop.db', '--output', 'alone/rows.holdfast', '--encryption', 'none'];
  mkdirSync('alone');
  assert.equal((await runHere(['backup', ...source])).exitCode, 0);
  const to = ['--to', 'sqlite:alone.db', '--create-schema', '--mask', '--yes'];
  const alone = await runHere(['restore', 'alone/rows.holdfast', ...to]);
  assert.equal(alone.exitCode, 0, alone.stderr);
  assert.match(alone.stdout, /customers +3 +0 +0 +8/);
  const tables = copy.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  assert.ok(!tables.some(({ name }) => name === 'sessions'));
});
