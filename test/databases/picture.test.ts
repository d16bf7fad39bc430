import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differencesOf, PictureMaker, RowSet } from './picture.ts';

function rowsOf(...rows: string[]): string {
  const set = new RowSet();
  for (const row of rows) set.add(row);
  return set.toString();
}

test('rows count in no order, and as often as they are there', () => {
  assert.equal(rowsOf('a', 'b', 'b'), rowsOf('b', 'a', 'b'));
  assert.notEqual(rowsOf('a', 'b', 'b'), rowsOf('a', 'a', 'b'));
  assert.notEqual(rowsOf('a', 'b'), rowsOf('a', 'b', 'b'));
  assert.notEqual(rowsOf(), rowsOf(''));
  assert.notEqual(rowsOf('a'), rowsOf('A'));
});

test('a row beyond those that are kept, or beyond what is kept of it, counts too', () => {
  const many = Array.from({ length: 1000 }, (_, index) => `row ${index}`);
  for (const index of [0, 500, 999]) assert.notEqual(rowsOf(...many), rowsOf(...many.with(index, 'other')));
  assert.notEqual(rowsOf(`${'x'.repeat(10_000)}1`), rowsOf(`${'x'.repeat(10_000)}2`));
});

test('facts that differ, or that one side lacks, are told, with what parts them', () => {
  const picture = (...facts: [string, string][]) => new Map(facts);
  const one = picture(['same', '1'], ['table', 'CREATE\n a int\n b int'], ['gone', 'x']);
  const other = picture(['same', '1'], ['table', 'CREATE\n a int\n b text'], ['more', 'y']);
  assert.deepEqual(differencesOf(one, other), [
    'gone is only in the first:\n  x',
    'more is only in the second:\n  y',
    'table differs:\n  -  b int\n  +  b text',
  ]);
  assert.deepEqual(differencesOf(one, one), []);
  assert.match(differencesOf(picture(['a', '1\n2']), picture(['a', '2\n1'])).join(), /another order/);
  assert.throws(() => differencesOf(picture(), picture()), /nothing was compared/);
});

test('several facts of one name count all, in no order', () => {
  const picture = (...facts: string[]) => {
    const maker = new PictureMaker();
    for (const fact of facts) maker.add('name', fact);
    return maker.picture();
  };
  assert.deepEqual(differencesOf(picture('a', 'b'), picture('b', 'a')), []);
  assert.equal(differencesOf(picture('a', 'b'), picture('a')).length, 1);
  assert.equal(differencesOf(picture('a', 'a'), picture('a')).length, 1);
});
