import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { joinModels } from './join-models.ts';
import { planMasks } from './mask/plan-masks.ts';
import type { Model } from './model.ts';
import type { ModelSchema } from './model-schema.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-join-'));
  writeFileSync(
    join(folder, 'note.backup.ts'),
    `import { defineBackup, exclude, filePath, maskText, value } from 'holdfast';
export default defineBackup('note', { fields: { body: value({ mask: maskText() }), path: filePath({ root: 'up' }), draft: exclude() }, where: { id: { gt: 1 } } });\n`,
  );
});
after(() => rmSync(folder, { recursive: true, force: true }));

const table = (name: string, columns: readonly string[]): Model => ({
  name,
  table: { schema: 'public', name },
  columns: columns.map((column) => ({ name: column, type: { kind: 'text' }, nativeType: 'text', isNullable: true })),
  uniqueKeys: [],
  foreignKeys: [],
});
const note = table('note', ['id', 'body', 'path', 'draft']);
const others = [table('person', ['id']), table('sessions', ['id', 'expires_at']), table('cache', ['id'])];

const joined = (models: readonly Model[], hasOtherDatabases: boolean, isAskedFor = false) =>
  joinModels(
    { models, leftOut: [] },
    { engine: 'postgres', application: { folder, hasOtherDatabases }, isAskedFor: () => isAskedFor },
  );

test('a registration stands in the model alone, with its kinds and its condition', async () => {
  const { models, wheres, leftOut } = await joined([note, ...others], false);
  assert.deepEqual(
    models.map(({ name }) => name),
    ['note', 'person', 'cache'],
  );
  assert.deepEqual(models.slice(1), [others[0], others[2]]);
  assert.deepEqual(
    models[0]?.columns.map(({ kind }) => kind),
    [undefined, undefined, 'filePath', 'exclude'],
  );
  assert.deepEqual([...wheres], [['["public","note"]', '"id" > 1']]);
  assert.match(leftOut.map(({ name, reason }) => `${name}: ${reason}`).join(), /^sessions: sessions are, unless/);
  assert.equal((await joined([note, ...others], false, true)).models.length, 4);
});

test('a registration of another database is told where there are several, and a mistake where there is one', async () => {
  assert.deepEqual((await joined(others, true)).notes, [
    'note.backup.ts registers a model that is not in this database',
  ]);
  await assert.rejects(joined(others, false), { code: 'config.invalid' });
});

test('what the backup left out needs no mask; what the archive does not know is a mistake', async () => {
  const schema = (leftOut: ModelSchema['leftOut'], models: readonly Model[] = others): ModelSchema => ({
    version: 1,
    engine: 'postgres',
    engineVersion: '17',
    database: 'app',
    models,
    leftOut,
  });
  const plan = (one: ModelSchema, otherSchemas: readonly ModelSchema[] = []) =>
    planMasks({ application: { folder }, schema: one, otherSchemas, loads: [] });
  assert.equal((await plan(schema([{ name: 'note', reason: 'excluded' }]))).models.size, 0);
  assert.equal((await plan(schema([]), [schema([], [note])])).models.size, 0);
  await assert.rejects(plan(schema([])), { code: 'config.invalid', message: /the model note is not in the database/ });
});
