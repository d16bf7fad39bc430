import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCombination } from './byte-combination.ts';

const right = Uint8Array.from({ length: 64 }, (_, at) => at);

function wrongAt(...places: number[]): Uint8Array {
  return right.map((byte, at) => (places.includes(at) ? byte ^ 0xff : byte));
}

test('two copies that are wrong in eight places together are put together', () => {
  const first = wrongAt(0, 2, 4, 6, 8);
  const second = wrongAt(1, 3, 63);
  const found = findCombination({ first, second }, (body) => Buffer.compare(body, right) === 0);
  assert.deepEqual(found, right);
  assert.deepEqual(first, wrongAt(0, 2, 4, 6, 8));
});

test('nine places are not tried', () => {
  const accept = () => assert.fail('tried');
  assert.equal(findCombination({ first: wrongAt(0, 2, 4, 6, 8), second: wrongAt(1, 3, 5, 7) }, accept), undefined);
});

test('what both have wrong is not found, after all combinations, each tried once', () => {
  const tried: string[] = [];
  const accept = (body: Uint8Array) => tried.push(Buffer.from(body).toString('hex')) < 0;
  assert.equal(findCombination({ first: wrongAt(9, 1, 2), second: wrongAt(9, 3) }, accept), undefined);
  assert.equal(new Set(tried).size, 8);
  assert.equal(tried.length, 8);
});

test('what is read from a Buffer stays as it is while combinations are tried', () => {
  const first = Buffer.from(wrongAt(0, 2, 4));
  const second = Buffer.from(wrongAt(1, 3));
  assert.deepEqual(
    findCombination({ first, second }, (body) => Buffer.compare(body, right) === 0),
    right,
  );
  assert.deepEqual(first, Buffer.from(wrongAt(0, 2, 4)));
});
