import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { groupOrder, invert, invertVandermonde, logarithms, multiply, power, powers } from './galois-field.ts';

/** Shift and add, and reduce by x^8 + x^4 + x^3 + x^2 + 1: the definition. */
function multiplySlowly(left: number, right: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product <<= 1;
    if (product & 0x100) product ^= 0x11d;
    if ((right >> bit) & 1) product ^= left;
  }
  return product;
}

test('every product is that of the definition', () => {
  for (let left = 0; left < 256; left++) {
    for (let right = 0; right < 256; right++) assert.equal(multiply(left, right), multiplySlowly(left, right));
  }
});

test('the generator 2 goes through all elements but 0 before it comes back to 1', () => {
  assert.equal(power(0), 1);
  assert.equal(power(1), 2);
  assert.equal(power(8), 0x1d);
  assert.equal(new Set(powers.subarray(0, groupOrder)).size, groupOrder);
  for (let exponent = 0; exponent < 2 * groupOrder; exponent++) {
    assert.equal(powers[exponent], power(exponent + groupOrder));
    assert.equal(multiply(power(exponent), 2), power(exponent + 1));
    assert.equal(logarithms[power(exponent)], exponent % groupOrder);
  }
});

test('an element times its inverse is 1', () => {
  for (let element = 1; element < 256; element++) assert.equal(multiply(element, invert(element)), 1);
});

test('products are associative and distribute over sums', () => {
  const element = fc.integer({ min: 0, max: 255 });
  const law = fc.property(element, element, element, (a, b, c) => {
    assert.equal(multiply(multiply(a, b), c), multiply(a, multiply(b, c)));
    assert.equal(multiply(a, b ^ c), multiply(a, b) ^ multiply(a, c));
  });
  fc.assert(law, { seed: 1, numRuns: 2000 });
});

test('the inverse of a Vandermonde matrix gives back the unknowns', () => {
  const exponents = fc.uniqueArray(fc.integer({ min: 0, max: 254 }), { minLength: 1, maxLength: 64 });
  const law = fc.property(exponents, fc.uint8Array({ minLength: 64, maxLength: 64 }), (places, values) => {
    const count = places.length;
    const inverse = invertVandermonde(Uint8Array.from(places, power));
    const syndromes = places.map((_, row) =>
      places.reduce((sum, place, index) => sum ^ multiply(values[index]!, power(place * row)), 0),
    );
    for (let unknown = 0; unknown < count; unknown++) {
      const solved = syndromes.reduce((sum, value, row) => sum ^ multiply(inverse[unknown * count + row]!, value), 0);
      assert.equal(solved, values[unknown]);
    }
  });
  fc.assert(law, { seed: 2, numRuns: 100 });
});
