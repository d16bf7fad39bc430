import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { applicationModelShape, checkApplicationModels } from './model-settings.ts';

const schema = z.strictObject(applicationModelShape).superRefine(checkApplicationModels);

function problemsOf(given: unknown): string[] {
  const { error } = schema.safeParse(given);
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
}

test('settings of models go together', () => {
  assert.deepEqual(problemsOf({}), []);
  assert.deepEqual(problemsOf({ orm: 'drizzle', schema: ['a.ts', 'b.ts'], casing: 'snake_case', registry: ['x'] }), []);
  assert.deepEqual(problemsOf({ orm: 'prisma', schema: 'schema.prisma' }), []);
  assert.deepEqual(problemsOf({ orm: 'prisma' }), ['schema: is needed beside orm']);
  assert.deepEqual(problemsOf({ schema: 'a.ts' }), ['orm: is needed beside schema']);
  assert.deepEqual(problemsOf({ orm: 'kysely', schema: 'a.ts', casing: 'camelCase' }), [
    'casing: is for drizzle alone',
  ]);
  assert.equal(problemsOf({ orm: 'hibernate', schema: [], loadTimeoutMs: 0 }).length, 3);
});
