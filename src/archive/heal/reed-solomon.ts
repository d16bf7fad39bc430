import assert from 'node:assert';
import { invertVandermonde, multiply, power, products } from './galois-field.ts';
import { bodySizeBytes } from './geometry.ts';

/** Rows are worked on eight at a time: numbers of rows are rounded up to a multiple of this. */
export const rowStep = 8;

/** A coefficient's table: its products with the 16 low nibbles, then with the 16 high ones. */
export const tableSizeBytes = 32;

/** One matrix product over bodies that lie in a kernel's memory; all places are offsets into it. */
export interface Accumulation {
  /** The first source body. */
  readonly source: number;
  /** From one source body to the next. */
  readonly sourceStrideBytes: number;
  readonly sourceCount: number;
  /** The first source's tables: one for each row. */
  readonly tables: number;
  /** From one source's tables to the next one's. */
  readonly tableStrideBytes: number;
  /** The first target body; the others follow without gaps. */
  readonly target: number;
  /** Target bodies: a multiple of {@link rowStep}. */
  readonly rowCount: number;
}

/**
 * The one heavy operation of Reed–Solomon. Encoding, syndromes and solving are all this, with their own coefficients.
 * `WasmKernel` does it fast; {@link PlainKernel} does it everywhere.
 */
export interface ReedSolomonKernel {
  /** What sources, tables and targets lie in. It never moves and never grows; zeros at first. */
  readonly memory: Uint8Array;
  /** Adds (XORs) to each target the sum over the sources of coefficient × body. Offsets are multiples of 16 for speed. */
  accumulate(accumulation: Accumulation): void;
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

/** Throws where an accumulation leaves the memory: the fast kernel would not notice. */
export function checkAccumulation(accumulation: Accumulation, memorySizeBytes: number): void {
  const { source, sourceStrideBytes, sourceCount, tables, tableStrideBytes, target, rowCount } = accumulation;
  assert(sourceCount >= 1 && rowCount >= rowStep && rowCount % rowStep === 0);
  assert(source >= 0 && source + (sourceCount - 1) * sourceStrideBytes + bodySizeBytes <= memorySizeBytes);
  assert(tables >= 0 && tables + (sourceCount - 1) * tableStrideBytes + rowCount * tableSizeBytes <= memorySizeBytes);
  assert(target >= 0 && target + rowCount * bodySizeBytes <= memorySizeBytes);
}

/**
 * The kernel in plain TypeScript: the oracle of the fast one, and what stands in where WebAssembly has no relaxed SIMD. It takes the
 * coefficient from its table, as the product with 1, and multiplies by the field's own table of products.
 */
export class PlainKernel implements ReedSolomonKernel {
  readonly memory: Uint8Array;

  constructor(memorySizeBytes: number) {
    this.memory = new Uint8Array(memorySizeBytes);
  }

  accumulate(accumulation: Accumulation): void {
    checkAccumulation(accumulation, this.memory.length);
    const { source, sourceStrideBytes, sourceCount, tables, tableStrideBytes, target, rowCount } = accumulation;
    for (let index = 0; index < sourceCount; index++) {
      const from = source + index * sourceStrideBytes;
      for (let row = 0; row < rowCount; row++) {
        const coefficient = this.memory[tables + index * tableStrideBytes + row * tableSizeBytes + 1]!;
        if (coefficient !== 0) this.#addProduct(coefficient, from, target + row * bodySizeBytes);
      }
    }
  }

  #addProduct(coefficient: number, from: number, to: number): void {
    const { memory } = this;
    const multiples = coefficient << 8;
    for (let at = 0; at < bodySizeBytes; at++) memory[to + at]! ^= products[multiples | memory[from + at]!]!;
  }
}
