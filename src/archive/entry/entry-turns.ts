import assert from 'node:assert/strict';
import type { OpenEntry } from './open-entry.ts';

/**
 * Who may add to the stream, of several entries that come side by side: all of them, until one has many runs. The entry that began first then
 * goes on without others in between until it ends, so that no entry has many more runs.
 */
export class EntryTurns {
  readonly #atOnce: number;
  readonly #maximumRuns: number;
  /** In the order in which they began. */
  readonly #open = new Set<OpenEntry>();
  #changed = Promise.withResolvers<void>();

  constructor(options: { readonly atOnce: number; readonly maximumRuns: number }) {
    this.#atOnce = options.atOnce;
    this.#maximumRuns = options.maximumRuns;
  }

  begin(entry: OpenEntry): void {
    assert(this.#open.size < this.#atOnce, 'the writer was made for fewer entries at once');
    this.#open.add(entry);
  }

  end(entry: OpenEntry): void {
    this.#open.delete(entry);
    this.wake();
  }

  /** All who wait look again. */
  wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** Waits until it is the entry's turn; `check` throws where the archive has failed meanwhile. */
  async until(entry: OpenEntry, check: () => void): Promise<void> {
    const isLong = ({ runs }: OpenEntry) => runs.count >= this.#maximumRuns;
    for (;;) {
      const [oldest = entry] = this.#open;
      if (oldest === entry || (!isLong(oldest) && !isLong(entry))) return;
      await this.#changed.promise;
      check();
    }
  }
}
