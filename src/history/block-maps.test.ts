import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeCells, encodeCells } from './block-maps.ts';

test('cells come back as they were, and those of a whole archive take a few bytes', () => {
  const cells = fc.string({ unit: fc.constantFrom('.', '=', '~', '+', '#'), maxLength: 4096 });
  fc.assert(
    fc.property(fc.array(cells, { minLength: 1, maxLength: 16 }), (copies) => {
      assert.deepEqual(decodeCells(encodeCells(copies)), copies);
    }),
  );
  assert.equal(encodeCells(['='.repeat(4096), '='.repeat(4000)]), '=4096/=4000');
});

test('what is no map is none, and no text makes one that is larger than a map can be', () => {
  const refused = ['x4', '=', '=0', '=-1', '=4097', '=9999', '=10000', '=4096=1', '4=', '=1 ', 'null', '/'.repeat(16)];
  for (const text of refused) assert.equal(decodeCells(text), undefined, text);
  assert.deepEqual(decodeCells('=4095#1'), [`${'='.repeat(4095)}#`]);
});
