import type { ErrorCode } from '../errors.ts';

/** What runs are recorded. */
export type RunKind = 'backup' | 'restore' | 'verify' | 'repair' | 'scrub' | 'prune';

/**
 * How a run stands. `incomplete`: done, but something was left out; `suspect`: done, and holds far less than before; `died`: its process
 * ended in the middle of it.
 */
export type RunState = 'running' | 'succeeded' | 'incomplete' | 'suspect' | 'failed' | 'interrupted' | 'died';

/**
 * What a run found of an archive, or did. `pending`: to be written; `written`, not read back with its contents; `proven`: every entry was
 * read and is right; `whole`: every block is; `suspect`, `damaged`; `removed`; `failed`: it is not there; `found`: it is there.
 */
export type RunArchiveState =
  | 'pending'
  | 'written'
  | 'proven'
  | 'whole'
  | 'suspect'
  | 'damaged'
  | 'removed'
  | 'failed'
  | 'found';

/** An error as it is kept. */
export interface RecordedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** An archive at one place. */
export interface RunArchive {
  /** As `Storage.url` gives it. */
  readonly url: string;
  readonly storage?: string;
  readonly name?: string;
  /** What it is named for, where that is not the run's. */
  readonly database?: string;
  /** Hex. */
  readonly archiveId?: string;
  readonly sizeBytes?: number;
  readonly state: RunArchiveState;
  readonly error?: RecordedError;
}

/** What a run did, as far as that is counted. */
export interface RunCounts {
  readonly sizeBytes?: number;
  readonly plainSizeBytes?: number;
  readonly entryCount?: number;
  readonly rowCount?: number;
  /** Blocks that were damaged, and are whole again. */
  readonly healedBlocks?: number;
}

/** A stage of a run. */
export interface RunPhase {
  readonly name: string;
  readonly durationMs: number;
}

/** A run in the history. */
export interface RunRecord extends RunCounts {
  readonly id: string;
  readonly kind: RunKind;
  /** The job of the schedule that it is a run of. */
  readonly job?: string;
  /** What is backed up, as archives are named for it. */
  readonly database?: string;
  readonly state: RunState;
  readonly startedMs: number;
  readonly endedMs?: number;
  readonly phases: readonly RunPhase[];
  readonly archives: readonly RunArchive[];
  readonly error?: RecordedError;
}

/** What is known when a run begins. */
export type BegunRun = Pick<RunRecord, 'kind' | 'job' | 'database' | 'startedMs'> & {
  readonly archives?: readonly RunArchive[];
  /** 24 hexadecimal digits that no other run has; new ones unless set. */
  readonly id?: string;
};

/** What is known when it has ended. */
export type EndedRun = RunCounts &
  Pick<RunRecord, 'state' | 'error'> & {
    readonly endedMs: number;
    readonly phases: readonly RunPhase[];
    readonly archives: readonly RunArchive[];
  };
