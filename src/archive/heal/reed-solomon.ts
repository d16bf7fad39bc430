import { invertMatrix, multiply } from './galois-field.ts';

/** Locators, and coefficients as the tables that a kernel multiplies with: `docs/format.md` section 4. */

/** Rows are worked on eight at a time: numbers of rows are rounded up to a multiple of this. */
export const rowStep = 8;

/** A coefficient's table: its products with the 16 low nibbles, then with the 16 high ones. */
export const tableSizeBytes = 32;

/** The greatest locator: that of the first data block of a stripe. */
const firstDataLocator = 255;

/** The locator of a data block by its index in the stripe. The same function gives the index of a locator. */
export function dataLocator(index: number): number {
  return firstDataLocator - index;
}

/** The locator of a parity row. */
export function parityLocator(row: number): number {
  return row + 1;
}

/** The next multiple of {@link rowStep}. */
export function roundRows(rowCount: number): number {
  return Math.ceil(rowCount / rowStep) * rowStep;
}

/** Writes a coefficient's table at `offset`. */
export function writeTable(memory: Uint8Array, offset: number, coefficient: number): void {
  for (let nibble = 0; nibble < 16; nibble++) {
    memory[offset + nibble] = multiply(coefficient, nibble);
    memory[offset + 16 + nibble] = multiply(coefficient, nibble << 4);
  }
}

/**
 * Writes the tables that turn n sums over n bodies, all others being zero, into the bodies: for each sum a table for each body, and zeros up
 * to {@link roundRows}(n). Row r of `matrix` has the coefficients of the bodies in sum r.
 */
export function writeSolvingTables(memory: Uint8Array, offset: number, matrix: readonly Uint8Array[]): void {
  const count = matrix.length;
  const rowCount = roundRows(count);
  const inverse = invertMatrix(matrix);
  for (let sum = 0; sum < count; sum++) {
    for (let row = 0; row < rowCount; row++) {
      writeTable(memory, offset + (sum * rowCount + row) * tableSizeBytes, inverse[row]?.[sum] ?? 0);
    }
  }
}
