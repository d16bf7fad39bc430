import type { ErrorCode } from '../errors.ts';

/** What runs are recorded. */
export type RunKind = 'backup' | 'restore' | 'verify' | 'repair' | 'scrub' | 'prune' | 'drill';

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
  /** Of a plain dump that was written: of the file as it is stored, hex. */
  readonly sha256?: string;
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

/** A line that a run told. */
export interface RunLogLine {
  readonly timeMs: number;
  readonly text: string;
}

/** An assertion of the user about what was restored, and how it came out. */
export interface DrillCheck {
  /** The statement, or the name of the function. */
  readonly check: string;
  readonly database?: string;
  readonly isPassed: boolean;
  /** What was found in place of what was expected, or the message of what it threw. */
  readonly message?: string;
  readonly durationMs: number;
}

/** What a drill found out about an archive. */
export interface DrillProof {
  /** Whether all that was restored is what the archive says, and every check passed. */
  readonly isProven: boolean;
  /** From the first byte that was read until everything was in place. */
  readonly restoreMs: number;
  /** Tables whose rows were counted. */
  readonly tableCount: number;
  readonly fileCount: number;
  /** How what was restored differs from what the archive says, for people; the first 100. */
  readonly differences: readonly string[];
  readonly checks: readonly DrillCheck[];
  /** Paths of entries that were read and found right, and not restored: output of commands, roles, events of MySQL. */
  readonly notRestored: readonly string[];
}

/** What became of a notification about a run. */
export interface RecordedDelivery {
  readonly event: string;
  readonly type: string;
  /** Without secrets. */
  readonly place: string;
  readonly sent: boolean;
  readonly tries: number;
  readonly atMs: number;
  /** Absent where it is of no run that was recorded. */
  readonly runId?: string;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

/** A run in the history. */
export interface RunRecord extends RunCounts {
  readonly id: string;
  readonly kind: RunKind;
  /** The job of the schedule that it is a run of. */
  readonly job?: string;
  /** The moment of the schedule that it is for, or when it was put into a queue: of one job and moment one archive is made. */
  readonly scheduledMs?: number;
  /** What is backed up, as archives are named for it. */
  readonly database?: string;
  readonly state: RunState;
  readonly startedMs: number;
  readonly endedMs?: number;
  readonly phases: readonly RunPhase[];
  readonly archives: readonly RunArchive[];
  readonly error?: RecordedError;
  /** Of a drill that came to its end. */
  readonly proof?: DrillProof;
  /** Who was told of it, or could not be. */
  readonly notifications?: readonly RecordedDelivery[];
}

/** What is known when a run begins. */
export type BegunRun = Pick<RunRecord, 'kind' | 'job' | 'scheduledMs' | 'database' | 'startedMs'> & {
  readonly archives?: readonly RunArchive[];
  /** 24 hexadecimal digits that no other run has; new ones unless set. */
  readonly id?: string;
  /** It is known from what it made, and counts as older than all that were recorded. */
  readonly isRebuilt?: boolean;
};

/** What is known when it has ended. */
export type EndedRun = RunCounts &
  Pick<RunRecord, 'state' | 'error' | 'proof'> & {
    readonly endedMs: number;
    readonly phases: readonly RunPhase[];
    readonly archives: readonly RunArchive[];
    /** What it told, without secrets. */
    readonly log?: readonly RunLogLine[];
  };

/** What a plain dump was. */
export interface PlainDigest {
  /** As `Storage.url` gives it. */
  readonly url: string;
  /** On its storage, where that is known. */
  readonly name?: string;
  /** Of the file as it is stored, hex. */
  readonly sha256: string;
  /** It was read when the history was rebuilt: what became of the dump before that, it does not tell. */
  readonly isFromRebuild?: true;
}
