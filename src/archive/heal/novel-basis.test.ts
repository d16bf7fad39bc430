import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invertMatrix, multiply, power } from './galois-field.ts';
import { basis, subspacePolynomial } from './novel-basis.ts';

test('a subspace polynomial is 0 below its power of two, 1 there, and additive', () => {
  for (let level = 0; level < 8; level++) {
    for (let element = 0; element < 256; element++) {
      const value = subspacePolynomial(level, element);
      if (element <= 1 << level) assert.equal(value, element === 1 << level ? 1 : 0);
      assert.equal(subspacePolynomial(level, element ^ 0x5a), value ^ subspacePolynomial(level, 0x5a));
    }
  }
});

test('the polynomials of the basis have their very degrees', () => {
  // Interpolated at as many points as there are coefficients.
  const points = Array.from({ length: 80 }, (_, index) => index + 1);
  const inverse = invertMatrix(points.map((point) => Uint8Array.from(points, (_, degree) => power(point, degree))));
  for (let degree = 0; degree < 64; degree++) {
    const values = points.map((point) => basis(degree, point));
    const coefficients = inverse.map((row) => row.reduce((sum, value, at) => sum ^ multiply(value, values[at]!), 0));
    assert.notEqual(coefficients[degree], 0);
    assert.ok(coefficients.slice(degree + 1).every((coefficient) => coefficient === 0));
  }
});
