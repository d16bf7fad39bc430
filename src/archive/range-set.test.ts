import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RangeSet } from './range-set.ts';

test('gaps are what was not added', () => {
  const range = fc.tuple(fc.nat(60), fc.nat(15));
  const property = fc.property(fc.array(range, { maxLength: 12 }), range, (added, [start, length]) => {
    const set = new RangeSet();
    const numbers = new Set<number>();
    for (const [from, count] of added) {
      set.add(from, from + count);
      for (let number = from; number < from + count; number += 1) numbers.add(number);
    }
    const missing: number[] = [];
    let end = -1;
    for (const gap of set.gaps(start, start + length)) {
      assert.ok(gap.start > end && gap.end > gap.start, 'gaps ascend, apart from each other');
      end = gap.end;
      for (let number = gap.start; number < gap.end; number += 1) missing.push(number);
    }
    const expected = Array.from({ length }, (_, index) => start + index).filter((number) => !numbers.has(number));
    assert.deepEqual(missing, expected);
  });
  fc.assert(property, { seed: 1, numRuns: 2000 });
});
