import { power } from './galois-field.ts';
import { bodySizeBytes } from './geometry.ts';
import { createKernel, type Kernel } from './kernel.ts';
import {
  dataLocator,
  parityLocator,
  roundRows,
  tableSizeBytes,
  writeSolvingTables,
  writeTable,
} from './reed-solomon.ts';

/** The stripe at hand. */
export interface StripeSize {
  /** Data blocks of this very stripe. */
  readonly dataCount: number;
  /** m: its parity rows. */
  readonly parityRows: number;
}

/** Places by number; there is none at 0. */
export const placeCount = 256;

/**
 * The kernel's memory for one stripe after the other. A block's place is its locator. About 1.3 MiB with M = 16, and
 * 1.9 MiB with M = 64.
 */
export class StripeWorkspace {
  readonly maximumParityRows: number;
  /** Bodies: that of place x at x·4,048. */
  readonly values: Uint8Array;
  /** Syndromes: row r at r·4,048. */
  readonly syndromes: Uint8Array;
  readonly #kernel: Kernel;
  readonly #tableStrideBytes: number;
  readonly #valuesOffset: number;
  readonly #syndromesOffset: number;
  readonly #solvedOffset: number;
  readonly #solvingTablesOffset: number;

  constructor(maximumParityRows: number) {
    this.maximumParityRows = maximumParityRows;
    const rowCount = roundRows(maximumParityRows);
    this.#tableStrideBytes = rowCount * tableSizeBytes;
    this.#valuesOffset = placeCount * this.#tableStrideBytes;
    this.#syndromesOffset = this.#valuesOffset + placeCount * bodySizeBytes;
    this.#solvedOffset = this.#syndromesOffset + rowCount * bodySizeBytes;
    this.#solvingTablesOffset = this.#solvedOffset + rowCount * bodySizeBytes;
    this.#kernel = createKernel(this.#solvingTablesOffset + maximumParityRows * this.#tableStrideBytes);
    const { memory } = this.#kernel;
    this.values = memory.subarray(this.#valuesOffset, this.#syndromesOffset);
    this.syndromes = memory.subarray(this.#syndromesOffset, this.#solvedOffset);
    for (let place = 1; place < placeCount; place++) {
      for (let row = 0; row < rowCount; row++) {
        writeTable(memory, place * this.#tableStrideBytes + row * tableSizeBytes, power(place, row));
      }
    }
  }

  /** Sums the syndromes T_0 to T_(m-1), and up to seven more, of the stripe's values. */
  computeSyndromes(size: StripeSize): void {
    this.syndromes.fill(0);
    this.#addSyndromes(parityLocator(0), size.parityRows, size);
    this.#addSyndromes(dataLocator(size.dataCount - 1), size.dataCount, size);
  }

  #addSyndromes(firstPlace: number, count: number, size: StripeSize): void {
    this.#kernel.accumulate({
      source: this.#valuesOffset + firstPlace * bodySizeBytes,
      sourceStrideBytes: bodySizeBytes,
      sourceCount: count,
      tables: firstPlace * this.#tableStrideBytes,
      tableStrideBytes: this.#tableStrideBytes,
      target: this.#syndromesOffset,
      rowCount: roundRows(size.parityRows),
    });
  }

  /**
   * Solves the bodies at these places, m at most, from the syndromes of values that are zero there. The body of `places[u]` stands at
   * u·4,048 of the result, which lasts until the next call.
   */
  solve(places: Uint8Array): Uint8Array {
    const { memory } = this.#kernel;
    const rowCount = roundRows(places.length);
    const solved = memory.subarray(this.#solvedOffset, this.#solvedOffset + rowCount * bodySizeBytes);
    solved.fill(0);
    const matrix = Array.from(places, (_, row) => places.map((place) => power(place, row)));
    writeSolvingTables(memory, this.#solvingTablesOffset, matrix);
    this.#kernel.accumulate({
      source: this.#syndromesOffset,
      sourceStrideBytes: bodySizeBytes,
      sourceCount: places.length,
      tables: this.#solvingTablesOffset,
      tableStrideBytes: rowCount * tableSizeBytes,
      target: this.#solvedOffset,
      rowCount,
    });
    return solved;
  }
}
