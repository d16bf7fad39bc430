import assert from 'node:assert';

/** GF(2^8) of `docs/format.md` section 4: the polynomial 0x11D and the generator 2. */

const polynomial = 0x11d;

/** Number of powers of the generator, which are all elements but 0: exponents count modulo this. */
export const groupOrder = 255;

/** The generator to the power of an exponent from 0 to 509, so that a sum of two needs no reduction. */
export const powers = new Uint8Array(2 * groupOrder);

/** The exponent, 0 to 254, of an element; that of 0, which has none, must not be asked for. */
export const logarithms = new Uint8Array(256);

/** All products: that of a and b stands at `a << 8 | b`. One look-up and no branch for zero, for the loops. */
export const products = new Uint8Array(65_536);

for (let exponent = 0, element = 1; exponent < groupOrder; exponent++) {
  powers[exponent] = element;
  powers[exponent + groupOrder] = element;
  logarithms[element] = exponent;
  element <<= 1;
  if (element > 255) element ^= polynomial;
}
for (let left = 1; left < 256; left++) {
  for (let right = 1; right < 256; right++) {
    products[(left << 8) | right] = powers[logarithms[left]! + logarithms[right]!]!;
  }
}

/** The product of two elements. */
export function multiply(left: number, right: number): number {
  return products[(left << 8) | right]!;
}

/** The element whose product with this one, which must not be 0, is 1. */
export function invert(element: number): number {
  return powers[groupOrder - logarithms[element]!]!;
}

/** An element other than 0 to any power from 0 on. */
export function power(element: number, exponent: number): number {
  return powers[(logarithms[element]! * exponent) % groupOrder]!;
}

/** The inverse of a square matrix, row by row, that has one; by Gauss and Jordan. */
export function invertMatrix(matrix: readonly Uint8Array[]): Uint8Array[] {
  const size = matrix.length;
  const rows = matrix.map((row, index) => {
    const extended = new Uint8Array(2 * size);
    extended.set(row);
    extended[size + index] = 1;
    return extended;
  });
  for (let pivot = 0; pivot < size; pivot++) {
    const found = rows.findIndex((row, index) => index >= pivot && row[pivot] !== 0);
    assert(found >= 0, 'the matrix has no inverse');
    const row = rows[found]!;
    rows[found] = rows[pivot]!;
    const scale = invert(row[pivot]!);
    rows[pivot] = row.map((value) => multiply(value, scale));
    for (let other = 0; other < size; other++) if (other !== pivot) eliminate(rows[other]!, rows[pivot]!, pivot);
  }
  return rows.map((row) => row.subarray(size));
}

/** Subtracts (adds) the multiple of a row with 1 at `pivot` that leaves 0 there. */
function eliminate(row: Uint8Array, pivotRow: Uint8Array, pivot: number): void {
  const multiples = row[pivot]! << 8;
  if (multiples === 0) return;
  for (let at = pivot; at < row.length; at++) row[at]! ^= products[multiples | pivotRow[at]!]!;
}
