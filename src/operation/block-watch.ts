import { BlockCells } from '../archive/heal/block-cells.ts';
import type { BlockStore } from '../archive/heal/block-store.ts';
import type { BlockTally } from '../archive/heal/sweep.ts';
import type { Clock } from '../clock.ts';
import type { BlockStep } from './options.ts';
import { archiveIdHex } from './summary.ts';

const intervalMs = 200;

/** Tells what is found of the blocks of an archive while they are read, now and then, and at the end. */
export class BlockWatch {
  readonly cells: BlockCells;
  readonly #store: BlockStore;
  readonly #clock: Clock;
  readonly #onBlocks: ((step: BlockStep) => void) | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #tally: BlockTally;

  constructor(store: BlockStore, given: { clock: Clock; onBlocks: ((step: BlockStep) => void) | undefined }) {
    const { layout, header } = store;
    this.cells = new BlockCells(layout, header.copies);
    this.#store = store;
    this.#clock = given.clock;
    this.#onBlocks = given.onBlocks;
    this.#tally = {
      perCopy: layout.totalBlocks,
      copies: header.copies,
      intact: 0,
      damaged: 0,
      solved: 0,
      lost: 0,
    };
  }

  /** Tells it if it is time; only then what is known is drawn. */
  step(draw: (cells: BlockCells) => void, tally: BlockTally = this.#tally): void {
    this.#tally = tally;
    const nowMs = this.#clock.monotonicMs();
    if (this.#onBlocks === undefined || nowMs - this.#lastMs < intervalMs) return;
    this.#lastMs = nowMs;
    draw(this.cells);
    this.#tell(false);
  }

  /** Tells the rest. */
  end(tally: BlockTally): void {
    this.#tally = tally;
    this.#tell(true);
  }

  #tell(isDone: boolean): void {
    const { header } = this.#store;
    const { dataBlocks, parityBlocks } = header;
    this.#onBlocks?.({
      archiveId: archiveIdHex(header),
      blocks: { ...this.#tally },
      dataBlocks,
      parityBlocks,
      cellCount: this.cells.count,
      changes: this.cells.takeChanges(),
      isDone,
    });
  }
}
