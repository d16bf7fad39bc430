import type { SpreadAccess } from './spread/spread-access.ts';

/** Bytes that can be read in any order: the archive's side of what a storage gives. */
export interface RandomAccess {
  readonly sizeBytes: number;
  /**
   * Fills `into` from `offset` on and returns the number of bytes read: fewer only at the end. May be repeated, and
   * several may be under way at once. A range that cannot be read throws; other ranges may still be readable.
   */
  read(offset: number, into: Uint8Array): Promise<number>;
  close(): Promise<void>;
  /** Whether a read that does not follow another one is dear: it takes a connection of its own. Whoever can reads in order then. */
  readonly isSequential?: boolean | undefined;
  /** Where it is laid over shards: these. */
  readonly spread?: SpreadAccess | undefined;
}

/** Reads copies of a run back while it is being written. */
export interface ReadBack {
  /** Bytes of the run, from its start, that are written. */
  readonly writtenBytes: number;
  /**
   * Whether every copy that was read is still what the object holds: false once a further copy was given up, to be made anew from the
   * first one.
   */
  readonly isKept: boolean;
  /** Fills `into` from a copy; false where the copy does not have all of it. */
  read(copy: number, offset: number, into: Uint8Array): Promise<boolean>;
}
