import assert from 'node:assert/strict';
import { asBuffer } from '../../bytes.ts';
import { invertMatrix, multiply, power } from '../heal/galois-field.ts';
import { bodySizeBytes } from '../heal/geometry.ts';
import { createKernel, type Kernel } from '../heal/kernel.ts';
import { dataLocator, parityLocator, roundRows, tableSizeBytes, writeTable } from '../heal/reed-solomon.ts';
import { type SpreadShape, shardCount } from './shard-format.ts';

/**
 * The code across shards: the bodies at one row of all shards are a codeword of `docs/format.md` section 4, with the data shards for data
 * and the parity shards for parity. From any k of them it gives the others. Memory: (k + 16) bodies, and tables of k · 512 bytes.
 */
export class RowCode {
  readonly #shape: SpreadShape;
  readonly #kernel: Kernel;
  readonly #memory: Buffer;
  readonly #targetOffset: number;
  readonly #tablesOffset: number;
  /** What the tables in the kernel are for. */
  #pattern = '';

  constructor(shape: SpreadShape) {
    this.#shape = shape;
    const mostRows = roundRows(shape.parity);
    this.#targetOffset = shape.data * bodySizeBytes;
    this.#tablesOffset = this.#targetOffset + mostRows * bodySizeBytes;
    this.#kernel = createKernel(this.#tablesOffset + shape.data * mostRows * tableSizeBytes);
    this.#memory = asBuffer(this.#kernel.memory);
  }

  /**
   * Gives bodies of wanted shards, m at most, from those of k known ones: both by their indexes, ascending. A body that is left out stands for
   * zeros. What is given back are views that stand until the next call.
   */
  solve(known: readonly number[], bodies: readonly (Uint8Array | undefined)[], wanted: readonly number[]): Buffer[] {
    assert(known.length === this.#shape.data && wanted.length >= 1 && wanted.length <= this.#shape.parity);
    const rowCount = roundRows(wanted.length);
    this.#setTables(known, wanted, rowCount);
    for (const [place] of known.entries()) {
      const start = place * bodySizeBytes;
      const body = bodies[place];
      if (body === undefined) this.#memory.fill(0, start, start + bodySizeBytes);
      else asBuffer(body).copy(this.#memory, start, 0, bodySizeBytes);
    }
    this.#memory.fill(0, this.#targetOffset, this.#targetOffset + rowCount * bodySizeBytes);
    this.#kernel.accumulate({
      source: 0,
      sourceStrideBytes: bodySizeBytes,
      sourceCount: known.length,
      tables: this.#tablesOffset,
      tableStrideBytes: rowCount * tableSizeBytes,
      target: this.#targetOffset,
      rowCount,
    });
    return wanted.map((_, row) => {
      const start = this.#targetOffset + row * bodySizeBytes;
      return this.#memory.subarray(start, start + bodySizeBytes);
    });
  }

  #setTables(known: readonly number[], wanted: readonly number[], rowCount: number): void {
    const pattern = `${known.join()}/${wanted.join()}`;
    if (pattern === this.#pattern) return;
    const matrix = rowCoefficients(this.#shape, known, wanted);
    for (let source = 0; source < known.length; source++) {
      for (let row = 0; row < rowCount; row++) {
        const offset = this.#tablesOffset + (source * rowCount + row) * tableSizeBytes;
        writeTable(this.#kernel.memory, offset, matrix[row]?.[source] ?? 0);
      }
    }
    this.#pattern = pattern;
  }
}

/** The coefficients that give each wanted body of a row as a sum over the known ones. */
export function rowCoefficients(
  shape: SpreadShape,
  known: readonly number[],
  wanted: readonly number[],
): readonly Uint8Array[] {
  const locator = (index: number) => (index < shape.data ? dataLocator(index) : parityLocator(index - shape.data));
  const unknown = Array.from({ length: shardCount(shape) }, (_, index) => index).filter(
    (index) => !known.includes(index),
  );
  assert(unknown.length === shape.parity, 'k different shards are known');
  const degrees = Array.from({ length: shape.parity }, (_, degree) => degree);
  const inverse = invertMatrix(
    degrees.map((degree) => Uint8Array.from(unknown, (index) => power(locator(index), degree))),
  );
  return wanted.map((index) => {
    const row = inverse[unknown.indexOf(index)];
    assert(row !== undefined, 'what is wanted is not known');
    return Uint8Array.from(known, (source) =>
      degrees.reduce((sum, degree) => sum ^ multiply(row[degree] ?? 0, power(locator(source), degree)), 0),
    );
  });
}
