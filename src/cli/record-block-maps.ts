import type { Clock } from '../clock.ts';
import { decodeCells, encodeCells } from '../history/block-maps.ts';
import type { History } from '../history/history.ts';
import { BlockReading } from '../operation/block-reading.ts';
import type { BlockStep } from '../operation/options.ts';

/** What {@link BlockMapRecord} takes. */
export interface BlockMapRecordOptions {
  readonly history: Pick<History, 'setBlockMap'>;
  readonly clock: Clock;
  /** Where the archive of a step lies, as `Storage.url` gives it; undefined where it is kept of none. */
  readonly urlOf: (step: BlockStep) => string | undefined;
  /** Told, once, when the history cannot be written: that never ends a run. */
  readonly onProblem: (error: unknown) => void;
}

/** Keeps in the history what a command finds of the blocks of archives: of each the last reading that came to its end. */
export class BlockMapRecord {
  readonly #options: BlockMapRecordOptions;
  readonly #readings = new Map<string, BlockReading>();
  /** What was found damaged, by place: a scrub reads it again once it is mended. */
  readonly #damaged = new Map<string, string>();
  #writing: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(options: BlockMapRecordOptions) {
    this.#options = options;
  }

  /** Takes in a step. */
  see(step: BlockStep): void {
    const url = this.#options.urlOf(step);
    if (url === undefined) return;
    const before = this.#damaged.get(url);
    const reading = this.#readings.get(url) ?? new BlockReading(before === undefined ? undefined : decodeCells(before));
    this.#readings.set(url, reading);
    const map = reading.see(step, this.#options.clock.nowMs());
    if (!step.isDone) return;
    this.#readings.delete(url);
    if (step.blocks.damaged > 0) this.#damaged.set(url, encodeCells(map.copies));
    const write = () => this.#options.history.setBlockMap(url, map);
    this.#writing = this.#writing.then(write).catch((error: unknown) => {
      if (!this.#hasFailed) this.#options.onProblem(error);
      this.#hasFailed = true;
    });
  }

  /** Waits until all is written. */
  async end(): Promise<void> {
    await this.#writing;
  }
}
