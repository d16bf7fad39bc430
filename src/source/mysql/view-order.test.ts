import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SchemaObject } from './schema-object.ts';
import { viewsInOrder } from './view-order.ts';

function object(kind: SchemaObject['kind'], name: string, statement: string): SchemaObject {
  return { kind, name, statement, sqlMode: '', characterSet: 'utf8mb4', collation: '' };
}
const view = (name: string, ...uses: readonly string[]) =>
  object(
    'view',
    name,
    `CREATE VIEW \`${name.replaceAll('`', '``')}\` AS SELECT 1 FROM ${uses.map((use) => `\`${use}\``).join()}`,
  );
const order = (...objects: readonly SchemaObject[]) => viewsInOrder(objects).map(({ name }) => name);

test('a view comes behind those that it uses, over several steps; others stay where they are', () => {
  assert.deepEqual(order(view('a', 'z'), view('m', 'a', 'b'), view('z'), view('b')), ['z', 'a', 'b', 'm']);
  assert.deepEqual(order(view('a'), view('b', 'a'), view('c', 'b')), ['a', 'b', 'c']);
  assert.deepEqual(order(view('a', 'b``c'), view('b`c')), ['b`c', 'a']);
  const routine = object('function', 'f', 'CREATE FUNCTION f');
  const trigger = object('trigger', 't', 'CREATE TRIGGER t');
  assert.deepEqual(order(routine, view('a', 'z'), view('z'), trigger), ['f', 'z', 'a', 't']);
});

test('names that only look like uses of each other give some order, with every view once', () => {
  assert.deepEqual(order(view('a', 'b'), view('b', 'a'), view('c')).sort(), ['a', 'b', 'c']);
});
