import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invertMatrix, multiply, power } from './galois-field.ts';
import {
  basis,
  groupTablesSizeBytes,
  groupTablesStrideBytes,
  subspacePolynomial,
  writeGroupTables,
} from './novel-basis.ts';
import { tableSizeBytes, writeTable } from './reed-solomon.ts';

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
    // The kernels count on it: the sum of row 0 is that of the bytes as they are.
    assert.equal(basis(degree, 1), degree < 2 ? 1 : 0);
  }
});

test('the tables of each group of eight locators are those of its layers, and of every eighth row', () => {
  const table = (coefficient: number) => {
    const bytes = new Uint8Array(tableSizeBytes);
    writeTable(bytes, 0, coefficient);
    return bytes;
  };
  for (const rowCount of [8, 24]) {
    const tables = Array.from({ length: 32 }, (_, group) => {
      const lowest = 248 - 8 * group;
      // The values of a layer's polynomial where it changes within the group: at four, two and one of the eight locators.
      const layers = [
        ...[0, 2, 4, 6].map((step) => subspacePolynomial(0, lowest + step)),
        ...[0, 4].map((step) => subspacePolynomial(1, lowest + step)),
        subspacePolynomial(2, lowest),
      ];
      const rows = rowCount === 8 ? [] : [8, 16].map((row) => basis(row, lowest));
      return [...layers, ...rows].map(table);
    });
    const expected = Buffer.concat(tables.flat());
    const around = Buffer.alloc(100, 0xaa);
    const memory = Buffer.concat([around, Buffer.alloc(expected.length), around]);
    writeGroupTables(memory, 100, rowCount);
    assert.deepEqual(memory, Buffer.concat([around, expected, around]));
    assert.equal(groupTablesSizeBytes(rowCount), expected.length);
    assert.equal(groupTablesStrideBytes(rowCount), expected.length / 32);
  }
});
