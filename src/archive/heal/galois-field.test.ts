import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { groupOrder, invert, invertMatrix, logarithms, multiply, power, powers } from './galois-field.ts';

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
  assert.equal(powers[0], 1);
  assert.equal(powers[1], 2);
  assert.equal(powers[8], 0x1d);
  assert.equal(new Set(powers.subarray(0, groupOrder)).size, groupOrder);
  for (let exponent = 0; exponent < 2 * groupOrder; exponent++) {
    const element = powers[exponent]!;
    assert.equal(powers[(exponent + 1) % groupOrder], multiply(element, 2));
    assert.equal(logarithms[element], exponent % groupOrder);
  }
});

test('powers are repeated products', () => {
  for (let element = 1; element < 256; element++) {
    for (let exponent = 0, expected = 1; exponent < 300; exponent++, expected = multiply(expected, element)) {
      assert.equal(power(element, exponent), expected);
    }
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

test('the inverse of a matrix times the matrix is 1, and a matrix without an inverse is refused', () => {
  const locators = fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 64 });
  const law = fc.property(locators, fc.nat(1000), (elements, swaps) => {
    const size = elements.length;
    const matrix = elements.map((_, row) =>
      Uint8Array.from(elements, (element) => (row === 0 ? 1 : element === 0 ? 0 : power(element, row))),
    );
    matrix.push(...matrix.splice(0, swaps % size));
    const inverse = invertMatrix(matrix);
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const product = inverse[row]!.reduce((sum, value, at) => sum ^ multiply(value, matrix[at]![column]!), 0);
        assert.equal(product, row === column ? 1 : 0);
      }
    }
    if (size > 1) assert.throws(() => invertMatrix([matrix[0]!, ...matrix.slice(0, -1)]), /no inverse/);
  });
  fc.assert(law, { seed: 2, numRuns: 60 });
});
