import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HoldfastError } from '../errors.ts';
import { archiveName, defaultFilenameTemplate } from './archive-name.ts';

const parts = { names: ['shop'], createdMs: Date.UTC(2026, 10, 21, 9, 5, 7, 42), environment: 'production' };

test('the default names the database, the moment in UTC and the environment', () => {
  assert.equal(archiveName(defaultFilenameTemplate, parts), 'shop_20261121_090507_production.holdfast');
});

test('several names are joined, and what a file system may refuse is replaced', () => {
  assert.equal(archiveName('{database}', { ...parts, names: ['shop', 'a b/../c'] }), 'shop-a-b-..-c.holdfast');
  assert.equal(archiveName('{database}', { ...parts, names: ['x'.repeat(300)] }), `${'x'.repeat(60)}.holdfast`);
  assert.equal(archiveName('{database}', { ...parts, names: [] }), 'backup.holdfast');
});

test('an extension is added once, and an unknown placeholder is refused', () => {
  assert.equal(archiveName('daily/{env}.holdfast', parts), 'daily/production.holdfast');
  assert.throws(
    () => archiveName('{date}', parts),
    (error: HoldfastError) => error.code === 'config.invalid' && /\{date\}/.test(error.message),
  );
});
