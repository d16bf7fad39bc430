import type { EntryMetadata } from '../json.ts';

/** A run of plain data: `length` bytes from `offset` of `segment` on. */
export interface Run {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

/** An entry as the index holds it: `docs/format.md` section 6. */
export interface IndexEntry {
  readonly path: string;
  readonly pathBytes?: Uint8Array;
  readonly kind: string;
  readonly sizeBytes: number;
  /** Hex. */
  readonly sha256: string;
  readonly runs: readonly Run[];
  readonly metadata: EntryMetadata;
}

/** Where an index part stands in the sealed stream. */
export interface IndexPartPlace {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

/** Lengths of one data segment. */
export interface SegmentSize {
  readonly plain: number;
  readonly sealed: number;
}
