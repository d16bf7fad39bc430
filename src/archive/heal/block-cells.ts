import assert from 'node:assert/strict';
import type { Layout } from './geometry.ts';

/** Cells of a copy at most: an archive of 16 MiB a copy has one for each block. */
export const mostCells = 4096;

/** The states of a cell, by the worst block in it: not read yet, whole, damaged, lost. */
const states = '.=+#';
/** States of blocks that were read. */
export const cellStates = { whole: 1, damaged: 2, lost: 3 } as const;

/** Cells of one copy that are no longer as they were told. */
export interface CellChange {
  readonly copy: number;
  /** The first of them. */
  readonly from: number;
  /** A character for each: `.` not read yet, `=` whole, `+` damaged, `#` holds what is lost. */
  readonly cells: string;
}

/** Draws what is known of the blocks of an archive: a row of cells for each copy, each of one block or of as many as need be. */
export class BlockCells {
  /** Cells of a copy. */
  readonly count: number;
  readonly #totalBlocks: number;
  readonly #copies: readonly Uint8Array[];
  readonly #told: readonly Uint8Array[];

  constructor({ totalBlocks }: Pick<Layout, 'totalBlocks'>, copies: number) {
    this.#totalBlocks = totalBlocks;
    this.count = Math.min(mostCells, totalBlocks);
    this.#copies = Array.from({ length: copies }, () => new Uint8Array(this.count));
    this.#told = this.#copies.map((cells) => cells.slice());
  }

  /** Takes in a block of a copy. */
  see(copy: number, position: number, state: number): void {
    const cells = this.#copies[copy];
    const cell = this.#cell(position);
    if (cells !== undefined && (cells[cell] ?? 0) < state) cells[cell] = state;
  }

  /** Takes in blocks that are whole in every copy. */
  seeWhole(firstPosition: number, count: number): void {
    if (count < 1) return;
    const last = this.#cell(firstPosition + count - 1);
    for (const cells of this.#copies) {
      for (let cell = this.#cell(firstPosition); cell <= last; cell++) cells[cell] ||= cellStates.whole;
    }
  }

  /** Forgets all: it is read anew. */
  clear(): void {
    for (const cells of this.#copies) cells.fill(0);
  }

  /** What changed since it was asked last: of each copy the span that holds all of it. */
  takeChanges(): CellChange[] {
    return this.#copies.flatMap((cells, copy) => {
      const told = this.#told[copy];
      assert(told !== undefined, 'each copy was told');
      const from = cells.findIndex((state, cell) => state !== told[cell]);
      if (from === -1) return [];
      const last = cells.findLastIndex((state, cell) => state !== told[cell]);
      told.set(cells);
      return [{ copy, from, cells: drawn(cells.subarray(from, last + 1)) }];
    });
  }

  /** Each copy in fewer cells: `count` divides {@link BlockCells.count}, or is not reached. */
  draw(count: number): string[] {
    const folded = Math.min(count, this.count);
    return this.#copies.map((cells) => {
      const row = new Uint8Array(folded);
      for (const [cell, state] of cells.entries()) {
        const into = Math.floor((cell * folded) / this.count);
        row[into] = Math.max(row[into] ?? 0, state);
      }
      return drawn(row);
    });
  }

  #cell(position: number): number {
    return Math.floor((position * this.count) / this.#totalBlocks);
  }
}

function drawn(cells: Uint8Array): string {
  return Array.from(cells, (state) => states.charAt(state)).join('');
}
