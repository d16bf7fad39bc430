import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Expectation, unexpectedIn } from './drill-check.ts';

type Rows = readonly (readonly unknown[])[];

function assertMet(rows: Rows, expect: Expectation): void {
  assert.equal(unexpectedIn(rows, expect), undefined, JSON.stringify(expect));
}

function assertUnmet(rows: Rows, expect: Expectation, text: string): void {
  assert.equal(unexpectedIn(rows, expect), text);
}

test('a value is the first of the first row', () => {
  assertMet([[7, 8], [9]], 7);
  assertUnmet([[8, 7], [7]], 7, 'it gave 8 where 7 is expected');
  assertUnmet([], 7, 'it gave no rows');
  assertUnmet([], { atLeast: 0 }, 'it gave no rows');
});

test('numbers are compared as numbers, whatever the engine gives them as', () => {
  for (const value of [7, '7', 7n, '7.0']) assertMet([[value]], 7);
  assertMet([[0]], 0);
  // An empty text would be the number 0.
  assertUnmet([['']], 0, 'it gave "" where 0 is expected');
  assertUnmet([[8n]], 7, 'it gave 8 where 7 is expected');
});

test('truth is 1, t or true', () => {
  for (const value of [true, 1, 1n, 't']) assertMet([[value]], true);
  for (const value of [false, 0, 0n, 'f']) assertMet([[value]], false);
  for (const value of [true, 1, 1n, 't', 'false']) assert.notEqual(unexpectedIn([[value]], false), undefined);
  for (const value of [false, 0, 'f', 'true', 2]) assert.notEqual(unexpectedIn([[value]], true), undefined);
});

test('nothing is nothing alone', () => {
  assertMet([[null]], null);
  assertMet([[undefined]], null);
  assertUnmet([[0]], null, 'it gave 0 where null is expected');
  assertUnmet([[null]], 0, 'it gave null where 0 is expected');
  assertUnmet([[undefined]], 'x', 'it gave nothing where "x" is expected');
});

test('texts are compared as texts, moments and bytes too', () => {
  assertMet([['a']], 'a');
  assertUnmet([['A']], 'a', 'it gave "A" where "a" is expected');
  assertMet([[new Date(0)]], '1970-01-01T00:00:00.000Z');
  assertMet([[Buffer.from('ff00', 'hex')]], 'ff00');
  assertMet([[new Uint8Array([1, 2])]], '0102');
});

test('bounds hold at their ends', () => {
  assertMet([[5]], { atLeast: 5 });
  assertMet([['5']], { atMost: 5 });
  assertMet([[5]], { atLeast: 5, atMost: 5 });
  assertUnmet([[4]], { atLeast: 5 }, 'it gave 4 where {"atLeast":5} is expected');
  assertUnmet([[6]], { atMost: 5 }, 'it gave 6 where {"atMost":5} is expected');
  for (const value of ['', null, 'x']) assert.notEqual(unexpectedIn([[value]], { atLeast: -1, atMost: 1 }), undefined);
});

test('rows are compared one by one, in their order and width', () => {
  assertMet([], []);
  assertMet(
    [
      [1, 'a'],
      [2, null],
    ],
    [
      [1, 'a'],
      [2, null],
    ],
  );
  assertUnmet([[2], [1]], [[1], [2]], 'it gave [[2],[1]] where [[1],[2]] is expected');
  assertUnmet([[1]], [[1], [2]], 'it gave [[1]] where [[1],[2]] is expected');
  assertUnmet([[1], [2]], [[1]], 'it gave [[1],[2]] where [[1]] is expected');
  assertUnmet([[1, 2]], [[1]], 'it gave [[1,2]] where [[1]] is expected');
  assertUnmet([[1]], [[1, 2]], 'it gave [[1]] where [[1,2]] is expected');
});

test('what is shown of a value has a bound', () => {
  assertUnmet([['a'.repeat(300)]], 'b', `it gave "${'a'.repeat(199)} where "b" is expected`);
});
