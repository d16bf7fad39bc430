import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { HoldfastError } from '../../../errors.ts';
import { modelAdapters } from './adapters.ts';
import { describeOrm } from './describe-orm.ts';
import { importLibrary } from './import-library.ts';
import { ormNames } from './model-adapter.ts';

const packages = join(import.meta.dirname, '../../../../node_modules');

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-orm-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(join(packages, 'drizzle-orm'), join(folder, 'node_modules/drizzle-orm'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

const table = (name: string, more = '') =>
  `import { integer, sqliteTable } from 'drizzle-orm/sqlite-core';\nexport const ${name} = sqliteTable('${name}', { id: integer() });\n${more}`;

test('there is an adapter for every name', () => {
  assert.deepEqual(Object.keys(modelAdapters).sort(), [...ormNames].sort());
});

test('modules of an application are loaded from the folder, several as one: relations may stand apart from tables', async () => {
  write('users.ts', table('users', 'export default { note: "of users" };'));
  write('posts.mjs', table('posts', 'export default { note: "of posts" };'));
  write(
    'relations.ts',
    `import { relations } from 'drizzle-orm';
     import { posts } from './posts.mjs';
     import { users } from './users.ts';
     export { users };
     export const postRelations = relations(posts, ({ one }) => ({ author: one(users, { fields: [posts.id], references: [users.id] }) }));`,
  );
  const models = await describeOrm({ orm: 'drizzle', schema: ['users.ts', './posts.mjs', 'relations.ts'], folder });
  assert.deepEqual(
    models.map(({ name, relations }) => [name, relations.map((relation) => relation.name)]),
    [
      ['users', []],
      ['posts', ['author']],
    ],
  );
});

test('a default export may be a promise of one', async () => {
  symlinkSync(join(packages, 'kysely'), join(folder, 'node_modules/kysely'));
  const late =
    'const database = new Kysely({ dialect: { createDriver() {}, createQueryCompiler() {}, createAdapter() {} } });';
  write('late.ts', `import { Kysely } from 'kysely';\n${late}\nexport default Promise.resolve(database);`);
  write('never.ts', 'export default new Promise(() => undefined);');
  const tables = [{ table: { name: 'customer' }, columns: ['id'] }];
  const [model] = await describeOrm({ orm: 'kysely', schema: 'late.ts', folder, tables });
  assert.deepEqual(model?.fields, [{ name: 'id', column: 'id' }]);
  const message = /never\.ts did not load within 0\.1 s/;
  const never = describeOrm({ orm: 'kysely', schema: 'never.ts', folder, timeoutMs: 100 });
  await assert.rejects(never, { code: 'config.invalid', message });
});

test('a module that does not load is told, and so is one that waits', async () => {
  write('throws.ts', 'throw new Error("DATABASE_URL is not set");');
  write('waits.ts', 'await new Promise(() => undefined);');
  write('decorated.ts', 'function entity(target: unknown) {}\n@entity\nexport class Invoice {}\n');
  const broken: [string | string[], RegExp, RegExp?][] = [
    ['throws.ts', /throws\.ts cannot be loaded: DATABASE_URL is not set/],
    ['waits.ts', /did not load within 0\.1 s/],
    ['decorated.ts', /decorated\.ts cannot be loaded/, /--import tsx/],
    ['gone.ts', /gone\.ts cannot be loaded/, /check the path/],
    [[], /names nothing/],
  ];
  for (const [schema, message, hint = /./] of broken) {
    await assert.rejects(
      describeOrm({ orm: 'typeorm', schema, folder, timeoutMs: schema === 'waits.ts' ? 100 : 10_000 }),
      (error: HoldfastError) => error.code === 'config.invalid' && message.test(error.message) && hint.test(error.hint),
    );
  }
});

test('the library of the application goes before one beside Holdfast; one that is missing is named', async () => {
  const own = join(folder, 'node_modules/own-orm');
  mkdirSync(own);
  writeFileSync(
    join(own, 'package.json'),
    '{ "name": "own-orm", "type": "module", "exports": { "./core": "./core.js" } }',
  );
  writeFileSync(join(own, 'core.js'), 'export const answer = 42;');
  const { answer } = await importLibrary<{ answer: number }>('own-orm/core', join(folder, 'schema.ts'));
  assert.equal(answer, 42);
  assert.ok('is' in (await importLibrary<object>('drizzle-orm', '/somewhere/else/schema.ts')));
  for (const [name, wanted] of [
    ['not-installed/core', 'not-installed'],
    ['@not/installed/core', '@not/installed'],
  ] as const) {
    await assert.rejects(importLibrary(name, join(folder, 'schema.ts')), {
      code: 'tool.not_found',
      message: `the package ${wanted} is not installed`,
      hint: `npm install ${wanted}`,
    });
  }
});
