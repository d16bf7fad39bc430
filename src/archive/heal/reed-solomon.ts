import { invertVandermonde, multiply, power } from './galois-field.ts';

/** The coefficients of Reed–Solomon as the tables that a kernel multiplies with: `docs/format.md` section 4. */

/** Rows are worked on eight at a time: numbers of rows are rounded up to a multiple of this. */
export const rowStep = 8;

/** A coefficient's table: its products with the 16 low nibbles, then with the 16 high ones. */
export const tableSizeBytes = 32;

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
 * Writes the tables of the syndromes: for each locator α^x, x from `firstExponent` on, those of its powers 0 to rowCount-1.
 * They are `exponentCount · rowCount` tables.
 */
export function writeSyndromeTables(
  memory: Uint8Array,
  tables: { offset: number; firstExponent: number; exponentCount: number; rowCount: number },
): void {
  let offset = tables.offset;
  for (let exponent = tables.firstExponent; exponent < tables.firstExponent + tables.exponentCount; exponent++) {
    for (let row = 0; row < tables.rowCount; row++) {
      writeTable(memory, offset, power(exponent * row));
      offset += tableSizeBytes;
    }
  }
}

/**
 * Writes the tables that turn the syndromes T_0 to T_(n-1) of n bodies with these distinct locators, all others being zero, into the bodies:
 * for each syndrome a table for each body, and zeros up to {@link roundRows}(n).
 */
export function writeSolvingTables(memory: Uint8Array, offset: number, locators: Uint8Array): void {
  const count = locators.length;
  const rowCount = roundRows(count);
  const inverse = invertVandermonde(locators);
  for (let syndrome = 0; syndrome < count; syndrome++) {
    for (let row = 0; row < rowCount; row++) {
      const coefficient = row < count ? inverse[row * count + syndrome]! : 0;
      writeTable(memory, offset + (syndrome * rowCount + row) * tableSizeBytes, coefficient);
    }
  }
}
