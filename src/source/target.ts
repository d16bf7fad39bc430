import type { EntryMetadata } from './source.ts';

/** An entry on its way back; its bytes were authenticated before they are given out. */
export interface RestorableEntry {
  /** Path in the archive, as `SourceEntry.path`. */
  readonly path: string;
  readonly pathBytes?: Uint8Array;
  readonly kind: string;
  readonly sizeBytes: number;
  readonly metadata: EntryMetadata;
}

/** What a target did, or would do. */
export interface TargetChange {
  readonly target: string;
  /** `run`: what a program did with it is its own. */
  readonly action: 'create' | 'replace' | 'merge' | 'run';
  /** Where what was replaced is kept. */
  readonly undo?: string;
  /** Remarks for the report. */
  readonly notes?: readonly string[];
  /** What became of the rows of each model. */
  readonly models?: readonly ModelChange[];
  /** Rows of models that were removed first. */
  readonly removedRows?: number;
}

/** What became of the rows of a model. */
export interface ModelChange {
  readonly model: string;
  readonly inserted: number;
  readonly updated: number;
  readonly skipped: number;
  /** Values that were masked; absent where the model has no masks. */
  readonly masked?: number;
}

/**
 * Where entries are restored to: staged aside first, then put in place at once.
 * After a crash before `commit` the target is as it was; what was staged is found and removed by the next restore there.
 */
export interface RestoreTarget {
  /** How many entries of a phase `stage` may be called for at once; 1 unless set. */
  readonly parallelEntries?: number;
  /** Entries of a lower phase are staged, all of them, before those of a higher one; 0 unless set. */
  phaseOf?(entry: RestorableEntry): number;
  /**
   * What `commit` will do with these entries. Writes nothing. Throws `target.exists` (something is there, and replacing is not
   * allowed), `target.unsafe` (a path that would leave the root), `target.busy`.
   */
  plan(entries: readonly RestorableEntry[]): Promise<TargetChange>;
  /** Writes an entry aside. Throws `target.unsafe`, `target.invalid` (its check failed), `storage.full`. */
  stage(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** Whether `stageTogether` takes an entry; asked after `plan`. */
  isStagedTogether?(entry: RestorableEntry): boolean;
  /**
   * The same as `stage` for each of some small entries, whose bytes stand one behind the other, and are the caller's again at its end. Absent where
   * nothing is gained by it.
   */
  stageTogether?(entries: readonly RestorableEntry[], bytes: Uint8Array): Promise<void>;
  /**
   * Puts what was staged in place, so that `abort` still takes it back and `commit` only ends it. Absent where `commit` does both.
   */
  place?(): Promise<TargetChange>;
  /** Puts everything that was staged in place, durably. */
  commit(): Promise<TargetChange>;
  /** Does all that `commit` does but the last of it, and takes it back. Absent where nothing is learned from that. */
  rehearse?(): Promise<TargetChange>;
  /** Whether an entry is staged before `rehearse`; all are unless it is there. */
  isRehearsed?(entry: RestorableEntry): boolean;
  /** Removes what was staged. May be repeated, and called after a failed commit. */
  abort(): Promise<void>;
}
