import { invert, multiply } from './galois-field.ts';
import { dataLocator, rowStep, tableSizeBytes, writeTable } from './reed-solomon.ts';

/**
 * The polynomials that encoding sums with, in place of the powers of `docs/format.md` section 4: the basis of Lin, Chung and Han
 * ("Novel polynomial basis and its application to Reed-Solomon erasure codes", 2014). `basis(j, x)` has the degree j exactly, so the first m
 * of these sums are known where the first m power sums are, and the other way round; but over eight locators that differ in their
 * low three bits all of them come from twelve products instead of one for each locator and row.
 */

/**
 * The polynomial of degree 2^level that is 0 at the elements below 2^level and 1 at 2^level. It is additive: that of a sum is the sum; so it
 * has one value on all elements that differ in their low `level` bits.
 */
export function subspacePolynomial(level: number, element: number): number {
  if (level === 0) return element;
  const value = (at: number): number => {
    const below = subspacePolynomial(level - 1, at);
    return multiply(below, below ^ 1);
  };
  return multiply(value(element), invert(value(1 << level)));
}

/** The polynomial of degree `degree`: the product of the subspace polynomials of its binary digits. */
export function basis(degree: number, element: number): number {
  let value = 1;
  for (let level = 0; degree >> level > 0; level++) {
    if ((degree >> level) & 1) value = multiply(value, subspacePolynomial(level, element));
  }
  return value;
}

/** Data blocks of a stripe that are transformed together: their indexes differ in the low three bits, and so do their locators. */
const groupBlocks = 8;
const groupLayers = 3;
/** Groups of the longest stripe. */
const groupCount = 32;

/** From one group's tables to the next one's. */
export function groupTablesStrideBytes(rowCount: number): number {
  return (groupBlocks - 2 + rowCount / rowStep) * tableSizeBytes;
}

export function groupTablesSizeBytes(rowCount: number): number {
  return groupCount * groupTablesStrideBytes(rowCount);
}

/** Writes the tables that a kernel's `transform` wants: for each group those of its layers, then one for each eight rows but the first. */
export function writeGroupTables(memory: Uint8Array, offset: number, rowCount: number): void {
  let end = offset;
  const write = (coefficient: number): void => {
    writeTable(memory, end, coefficient);
    end += tableSizeBytes;
  };
  for (let group = 0; group < groupCount; group++) {
    const lowest = dataLocator(group * groupBlocks + groupBlocks - 1);
    for (let layer = 0; layer < groupLayers; layer++) {
      const step = 2 << layer;
      for (let first = lowest; first < lowest + groupBlocks; first += step) write(subspacePolynomial(layer, first));
    }
    for (let row = rowStep; row < rowCount; row += rowStep) write(basis(row, lowest));
  }
}
