import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultAllowedFall, describeFall, findFalls, isComparable, type PartCounts } from './plausibility.ts';

const table = (name: string, rows: number, sizeBytes = rows * 10): PartCounts => {
  return { path: `databases/shop/tables/${name}`, kind: 'table', rows, sizeBytes };
};
const pathsOf = (previous: PartCounts[], current: PartCounts[], allowed = 0.5) =>
  findFalls(previous, current, allowed).map(({ path, measure, before, now }) => [
    path.split('/').at(-1),
    measure,
    before,
    now,
  ]);

test('a fall of more than the allowed share is found, in rows or in bytes', () => {
  assert.deepEqual(pathsOf([table('a', 100)], [table('a', 50)]), []);
  assert.deepEqual(pathsOf([table('a', 100)], [table('a', 49)]), [['a', 'rows', 100, 49]]);
  assert.deepEqual(pathsOf([table('a', 100)], [table('a', 100, 500)]), []);
  assert.deepEqual(pathsOf([table('a', 100)], [table('a', 100, 499)]), [['a', 'bytes', 1000, 499]]);
  assert.deepEqual(pathsOf([table('a', 100)], [table('a', 200)]), []);
  assert.deepEqual(pathsOf([table('a', 0)], [table('a', 0)]), []);
});

test('what is allowed can be set, from nothing to everything', () => {
  assert.deepEqual(pathsOf([table('a', 100)], [table('a', 99)], 0).length, 1);
  assert.deepEqual(pathsOf([table('a', 100)], [table('a', 100)], 0), []);
  assert.deepEqual(pathsOf([table('a', 100), table('b', 5)], [table('a', 0)], 1), []);
});

test('a table that is gone is a fall, unless it was empty', () => {
  assert.deepEqual(pathsOf([table('a', 1), table('b', 0), table('c', 3)], [table('c', 3)]), [['a', 'rows', 1, 0]]);
});

test('a database that is not read this time, or in another way, is not compared', () => {
  const other = { path: 'databases/forum/tables/a', kind: 'table', rows: 9 };
  assert.deepEqual(pathsOf([other], [table('a', 1)]), []);
  const dump = { path: 'databases/shop/dump', kind: 'dump', sizeBytes: 100 };
  assert.deepEqual(pathsOf([table('a', 100)], [dump]), []);
  assert.deepEqual(pathsOf([dump], [table('a', 100)]), []);
  assert.deepEqual(pathsOf([dump], [{ ...dump, sizeBytes: 49 }]), [['dump', 'bytes', 100, 49]]);
  assert.equal(isComparable([other], [table('a', 1)]), false);
  assert.equal(isComparable([other, table('b', 1)], [table('a', 1)]), true);
});

test('half is allowed unless something else is set', () => {
  assert.equal(defaultAllowedFall, 0.5);
});

test('a part without bytes of its own, before or now, has not fallen', () => {
  const counted = { path: 'databases/shop/tables/a', kind: 'table', rows: 9 };
  assert.deepEqual(pathsOf([{ ...counted, sizeBytes: 100 }], [counted]), []);
  assert.deepEqual(pathsOf([counted], [{ ...counted, sizeBytes: 100 }]), []);
  const { rows: _, ...uncounted } = counted;
  assert.deepEqual(pathsOf([counted], [uncounted]), []);
  assert.deepEqual(pathsOf([{ ...uncounted, sizeBytes: 9 }], [table('b', 1)]), [['a', 'bytes', 9, 0]]);
  // Where nobody counted there is nothing that could have fallen, whatever is allowed.
  assert.deepEqual(pathsOf([uncounted], [table('b', 1)], 0), []);
});

test('two databases of one prefix are two', () => {
  const of = (path: string): PartCounts => ({ path, kind: 'table', rows: 9 });
  assert.equal(isComparable([of('databases/shop/tables/a')], [of('databases/shop/tables/b')]), true);
  assert.equal(isComparable([of('databases/shop/tables/a')], [of('databases/forum/tables/a')]), false);
});

test('what else a database holds tells that it was read', () => {
  const rest = { path: 'databases/shop/objects/triggers', kind: 'objects', sizeBytes: 5 };
  assert.deepEqual(pathsOf([table('a', 9)], [rest]), [['a', 'rows', 9, 0]]);
});

test('a fall in words', () => {
  const path = 'databases/shop/tables/a';
  assert.equal(describeFall({ path, measure: 'rows', before: 20, now: 3 }), `${path} had 20 rows and has 3`);
  assert.equal(describeFall({ path, measure: 'rows', before: 20, now: 1 }), `${path} had 20 rows and has 1`);
  assert.equal(describeFall({ path, measure: 'rows', before: 20, now: 0 }), `${path} had 20 rows and has none`);
  assert.equal(describeFall({ path, measure: 'bytes', before: 20, now: 0 }), `${path} had 20 bytes and has 0`);
});
