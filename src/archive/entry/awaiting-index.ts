import type { OpenEntry } from './open-entry.ts';

/** An index part is written when so much is waiting for it. */
const partTargetBytes = 512 * 1024;
const bytesPerSegment = 20;
/** About what a run takes in the line of its entry. */
export const bytesPerRun = 28;

/** Entries that have ended and are in no index part yet, and about how much room they and the segments since the last part take in one. */
export class AwaitingIndex {
  /** In the order in which they ended. */
  #ended: OpenEntry[] = [];
  /** What lines take: of those that have their places in the stream, and of those that have not. */
  #placedBytes = 0;
  #unplacedBytes = 0;

  /** Takes an entry that has ended. */
  add(entry: OpenEntry): void {
    this.#ended.push(entry);
    this.#unplacedBytes += entry.lineBytes;
    if (entry.isPlaced) this.place(entry);
  }

  /** The entry, which was added before, has its places now. */
  place(entry: OpenEntry): void {
    this.#unplacedBytes -= entry.lineBytes;
    this.#placedBytes += entry.lineBytes + Math.max(0, entry.runs.count - 1) * bytesPerRun;
  }

  /** Whether a part is due once all bytes have their places. */
  isDue(segmentCount: number): boolean {
    return this.#unplacedBytes + this.#placedBytes + segmentCount * bytesPerSegment >= partTargetBytes;
  }

  /** Whether a part that is written now would be long enough. */
  isPartDue(segmentCount: number): boolean {
    return this.#placedBytes + segmentCount * bytesPerSegment >= partTargetBytes;
  }

  /** The entries of a part that is written now, in the order in which they began. */
  take(): OpenEntry[] {
    const placed = this.#ended.filter(({ isPlaced }) => isPlaced);
    this.#ended = this.#ended.filter(({ isPlaced }) => !isPlaced);
    this.#placedBytes = 0;
    return placed.sort((one, other) => one.id - other.id);
  }
}
