import type { Run } from './entry.ts';

/** Where the bytes of one entry lie, as far as they have come; what goes on where the last run ends makes that one longer. */
export class EntryRuns {
  readonly #runs: { segment: number; offset: number; length: number }[] = [];
  /** Where the last run ends: which data segment of all, and where in it. */
  #endSegment = -1;
  #endOffset = 0;

  get all(): readonly Run[] {
    return this.#runs;
  }

  get count(): number {
    return this.#runs.length;
  }

  /** `index` counts the data segments of the archive. */
  add(start: Run & { readonly index: number }, end: { readonly index: number; readonly offset: number }): void {
    const { index, segment, offset, length } = start;
    const last = this.#runs.at(-1);
    if (last !== undefined && this.#endSegment === index && this.#endOffset === offset) last.length += length;
    else this.#runs.push({ segment, offset, length });
    this.#endSegment = end.index;
    this.#endOffset = end.offset;
  }
}

/** Follows the data segments of an archive in the order of its stream, and notes the runs of entries. */
export class RunFollower {
  #dataSegments = 0;

  /** Takes segments that lie one after the other, and the pieces of entries in their joined bytes, in order; empty ones are passed over. */
  follow(
    segments: readonly { readonly number: number; readonly plainLength: number }[],
    spans: readonly { readonly entry: number; readonly offset: number; readonly length: number }[],
    runsOf: (entry: number) => EntryRuns,
  ): void {
    let at = 0;
    /** Of the segment that is being looked at: where it begins in the joined bytes. */
    let begin = 0;
    for (const { entry, offset, length } of spans) {
      if (length === 0) continue;
      /** Moves to the segment that holds a byte. */
      const seek = (place: number) => {
        for (let size = segments[at]?.plainLength; size !== undefined && place >= begin + size; ) {
          begin += size;
          at += 1;
          size = segments[at]?.plainLength;
        }
      };
      seek(offset);
      const segment = segments[at];
      if (segment === undefined) throw new RangeError('a piece lies outside of its segments');
      const start = { index: this.#dataSegments + at, segment: segment.number, offset: offset - begin, length };
      seek(offset + length);
      runsOf(entry).add(start, { index: this.#dataSegments + at, offset: offset + length - begin });
    }
    this.#dataSegments += segments.length;
  }
}
