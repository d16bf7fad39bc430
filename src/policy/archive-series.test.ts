import assert from 'node:assert/strict';
import { test } from 'node:test';
import { archiveName } from '../config/archive-name.ts';
import { archiveSeriesReader } from './archive-series.ts';

const template = '{database}_{timestamp}_{env}';
const read = archiveSeriesReader({ template, environment: 'production' });

test('a name that the template made is read back', () => {
  const createdMs = Date.UTC(2026, 10, 21, 9, 5, 7);
  for (const other of [
    template,
    '{env}/{database}/{timestamp}',
    '{timestamp}-{database}',
    '{timestamp}{database}.holdfast',
  ]) {
    const name = archiveName(other, { names: ['shop', 'crm.x'], createdMs, environment: 'a b' });
    const reader = archiveSeriesReader({ template: other, environment: 'a-b' });
    assert.deepEqual(reader?.(name), { database: 'shop-crm.x', createdMs }, name);
  }
});

test('further archives of one second come later', () => {
  const first = read?.('shop_20261121T090507Z_production.holdfast');
  const second = read?.('shop_20261121T090507Z_production-2.holdfast');
  assert.equal(second?.createdMs, (first?.createdMs ?? 0) + 1);
  assert.equal(second?.database, 'shop');
});

test('bare dumps are of the same series', () => {
  const createdMs = Date.UTC(2026, 10, 21, 2);
  assert.deepEqual(read?.('default_20261121_020000_production.sql.gz.gpg'), { database: 'default', createdMs });
});

test('what another environment, another template or nobody made is not known', () => {
  for (const name of [
    'shop_20261121T090507Z_staging.holdfast',
    'shop_20261121T090507Z_production.holdfast.pin',
    'shop_20261321T090507Z_production.holdfast',
    'shop_20260230_090507_production.holdfast',
    'shop_20261121T240000Z_production.holdfast',
    'shop_20261121T236000Z_production.holdfast',
    'shop_20261121T235960Z_production.holdfast',
    'shop_20261121T006000Z_production.holdfast',
    'shop_20261121T000060Z_production.holdfast',
    'shop_production.holdfast',
    'a/shop_20261121T090507Z_production.holdfast',
    'shop_20261121T090507Z_production.txt',
  ]) {
    assert.equal(read?.(name), undefined, name);
  }
});

test('a template without database or timestamp tells nothing', () => {
  assert.equal(archiveSeriesReader({ template: '{database}_{env}', environment: 'x' }), undefined);
  assert.equal(archiveSeriesReader({ template: '{timestamp}', environment: 'x' }), undefined);
});

test('the last second of a day is one', () => {
  const createdMs = Date.UTC(2026, 10, 21, 23, 59, 59);
  assert.deepEqual(read?.('shop_20261121T235959Z_production.holdfast'), { database: 'shop', createdMs });
});

test('what a template has twice is the same twice', () => {
  const twice = archiveSeriesReader({ template: '{database}/{timestamp}/{database}_{timestamp}', environment: 'x' });
  const createdMs = Date.UTC(2026, 10, 21, 2);
  assert.deepEqual(twice?.('shop/20261121_020000/shop_20261121_020000.holdfast'), { database: 'shop', createdMs });
  assert.equal(twice?.('shop/20261121_020000/crm_20261121_020000.holdfast'), undefined);
});
