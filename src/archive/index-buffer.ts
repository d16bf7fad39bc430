import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { HoldfastError } from '../errors.ts';
import type { IndexPartPlace, SegmentSize } from './entry/entry.ts';
import { encodeIndexHead, maximumIndexPartBytes } from './entry/index-part.ts';
import { indexLine, type OpenEntry } from './open-entry.ts';

/** An index part is written when so much is waiting for it. */
const partTargetBytes = 512 * 1024;
const bytesPerSegment = 20;
const bytesPerRun = 28;
export const emptySha256 = createHash('sha256').digest('hex');

/** What an index part will hold, besides the sizes of segments. */
export interface IndexPart {
  readonly entries: readonly OpenEntry[];
  readonly firstSegment: number;
}

/** What waits for the index of an archive that is being written: entries that have ended, and sizes of segments. About 1 MiB. */
export class IndexBuffer {
  /** In no index part yet, in the order in which they ended. */
  #finished: OpenEntry[] = [];
  /** What lines of the index take: those of finished entries that have their places, and of those that have not. */
  #placedBytes = 0;
  #unplacedBytes = 0;
  #sizes: SegmentSize[] = [];
  #sizesFirst = 0;
  #lastPart: IndexPartPlace | undefined;
  #partCount = 0;

  /** Takes an entry that has ended; whether it has its places by now is known of it. */
  add(entry: OpenEntry): void {
    entry.lineBytes = indexLine(entry, emptySha256).length + bytesPerRun;
    this.#finished.push(entry);
    if (entry.isPlaced) this.#placedBytes += entry.lineBytes;
    else this.#unplacedBytes += entry.lineBytes;
  }

  /** An entry that was added before has its places now. */
  place(entry: OpenEntry): void {
    this.#unplacedBytes -= entry.lineBytes;
    this.#placedBytes += entry.lineBytes + (entry.runs.count - 1) * bytesPerRun;
  }

  addSegment(size: SegmentSize): void {
    this.#sizes.push(size);
  }

  /** Whether a part is due once all that has ended has its places. */
  isDue(nextSegment: number): boolean {
    return this.#unplacedBytes + this.#partBytes(nextSegment) >= partTargetBytes;
  }

  isPartDue(nextSegment: number): boolean {
    return this.#partBytes(nextSegment) >= partTargetBytes;
  }

  /** Takes what a part holds that has its place in the stream now; the sizes of its segments may come until it is encoded. */
  takePart(nextSegment: number): IndexPart {
    const firstSegment = this.#sizesFirst;
    this.#sizesFirst = nextSegment;
    // In the order in which they began, whichever ended first.
    const entries = this.#finished.filter(({ isPlaced }) => isPlaced).sort((one, other) => one.id - other.id);
    this.#finished = this.#finished.filter(({ isPlaced }) => !isPlaced);
    this.#placedBytes = 0;
    return { entries, firstSegment };
  }

  /** The text of a part, when all its entries have their hashes and all segments before it their sizes. */
  encode({ entries, firstSegment }: IndexPart): Buffer {
    const lines = entries.map((entry) => indexLine(entry, entry.sha256));
    const segments = this.#sizes;
    this.#sizes = [];
    const head = encodeIndexHead({ part: this.#partCount, previous: this.#lastPart, firstSegment, segments });
    const text = Buffer.from(head + lines.join(''), 'utf8');
    if (text.length > maximumIndexPartBytes) {
      throw new HoldfastError('operation.failed', { message: 'the index of an entry is too large' });
    }
    return text;
  }

  /** Where the part that was encoded last stands. */
  written(place: IndexPartPlace): void {
    this.#lastPart = place;
    this.#partCount++;
  }

  /** For the tail. */
  writtenParts(): { readonly lastIndexPart: IndexPartPlace; readonly indexPartCount: number } {
    assert(this.#lastPart !== undefined, 'the index was not written');
    return { lastIndexPart: this.#lastPart, indexPartCount: this.#partCount };
  }

  /** What a part would hold that was written now. */
  #partBytes(nextSegment: number): number {
    return this.#placedBytes + (nextSegment - this.#sizesFirst) * bytesPerSegment;
  }
}
