import type { CatalogueHead } from '../../history/catalogue-state.ts';
import type { RunKind, RunPhase, RunRecord, RunState } from '../../history/run-record.ts';
import type { StorageCheckReport } from '../../operation/check-storage.ts';
import type { Diagnosis } from '../../operation/doctor.ts';
import type { Secret } from '../../secret.ts';
import type { WebUser } from '../web-environment.ts';
import type { ArchivePlace, ArchiveServices, Page } from './archive-facts.ts';
import type { JobFacts, JobServices, LogLine } from './job-facts.ts';

export type {
  ArchiveContents,
  ArchiveFacts,
  ArchivePlace,
  ArchiveQuery,
  ArchiveServices,
  BlockMapEvent,
  BlockMapFacts,
  EntryFacts,
  GivenKeys,
  Page,
  ReplicaFacts,
} from './archive-facts.ts';
export type {
  JobEvent,
  JobFacts,
  JobKind,
  JobProgress,
  JobRequest,
  JobServices,
  LogLine,
  RestoreRequest,
  RestoreSource,
} from './job-facts.ts';

/**
 * All that the pages and the API show and do. What reads is quick: it answers from the history and from lists that are held in memory.
 * What acts takes the user, refuses what his role does not allow (`access.forbidden`), and writes it into the audit log.
 * Errors are `HoldfastError`s, whose `httpStatus`, `message` and `hint` are fit to be shown.
 */
export interface WebServices {
  /** Milliseconds since 1970: what all that is relative counts from. */
  nowMs(): number;
  overview(): Promise<Overview>;
  /** The last so many days, the oldest first, in the time zone of the schedule; 371 at most. */
  calendar(options?: { readonly days?: number }): Promise<readonly CalendarDay[]>;
  trends(options?: { readonly days?: number }): Promise<Trends>;
  /** How far the catalogues of the storages are, as the history knows: to be kept elsewhere. */
  catalogueHeads(): Promise<readonly CatalogueHead[]>;
  readonly archives: ArchiveServices;
  readonly runs: RunServices;
  readonly storages: StorageServices;
  readonly settings: SettingsServices;
  readonly jobs: JobServices;
  readonly uploads: UploadServices;
  readonly downloads: DownloadServices;
}

/** An error, as it is shown. */
export interface ShownError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** `well`: all is as it should be; `late`: no good backup in its time; `failing`: the last run failed; `suspect`: the last one holds far less; `unproven`: nobody ever read the contents. */
export type SourceState = 'well' | 'late' | 'failing' | 'suspect' | 'unproven';

/** Why a source is in its state; in words for programs. */
export type StateReason =
  | 'backed_up'
  | 'never_backed_up'
  | 'not_scheduled'
  | 'overdue'
  | 'last_run_failed'
  | 'last_run_died'
  | 'last_run_interrupted'
  | 'last_run_suspect'
  | 'last_archive_damaged'
  | 'never_proven'
  | 'proof_is_old'
  | 'disabled';

/** Something that is backed up. */
export interface SourceFacts {
  /** `database:shop`, `files:uploads`, `command:redis`, `models:crm`. */
  readonly id: string;
  readonly kind: 'database' | 'files' | 'command' | 'models';
  readonly name: string;
  /** Where it is, without secrets. */
  readonly place: string;
  /** The job of the schedule that backs it up: what `jobs.start({ kind: 'backup', job })` takes. */
  readonly job: string;
  /** Whether backups have it at all. */
  readonly enabled: boolean;
  readonly state: SourceState;
  readonly reason: StateReason;
  /** The reason as a sentence, and what to do about it (empty where nothing is). */
  readonly reasonText: string;
  readonly remedyText: string;
  /** Of the last run that failed, where that is the reason. */
  readonly error?: ShownError;
  /** The run that the state is about. */
  readonly runId?: string;
  readonly lastGoodMs?: number;
  readonly lastGoodRunId?: string;
  /** When its contents were last read back whole, by a backup itself, a verify or a drill. */
  readonly lastProofMs?: number;
  /** When it was last restored for a trial. */
  readonly lastDrillMs?: number;
  readonly nextRunMs?: number;
  /** The schedule, for people: `0 2 * * *`. */
  readonly schedule?: string;
  /** Of the newest good archive that holds it. */
  readonly sizeBytes?: number;
  readonly lastDurationMs?: number;
  readonly lastArchive?: ArchivePlace;
  /** Bytes of the last good archives, the oldest first, 30 at most: a sparkline. */
  readonly recentSizesBytes: readonly number[];
}

/** What the first page tells. */
export interface Overview {
  readonly sources: readonly SourceFacts[];
  /** How many are in each state. */
  readonly counts: Readonly<Record<SourceState, number>>;
  readonly storages: readonly StorageFacts[];
  readonly archiveCount: number;
  readonly totalSizeBytes: number;
  /** The newest few, whatever they did. */
  readonly recentRuns: readonly RunSummary[];
  readonly activeJobs: readonly JobFacts[];
  /** For the empty state: what is done of the first backup. */
  readonly firstSteps: { readonly hasSources: boolean; readonly hasKey: boolean; readonly hasBackup: boolean };
  /** Whether a scheduler runs in this process. */
  readonly isScheduling: boolean;
}

/** One day of one job; of several runs the best counts for `good`, all for the numbers. */
export interface CalendarDay {
  /** `2026-11-28`. */
  readonly day: string;
  /** Jobs that were due, or ran. */
  readonly jobs: readonly {
    readonly job: string;
    readonly result: 'good' | 'incomplete' | 'suspect' | 'failed' | 'missed';
  }[];
  /** The worst of all; `none` where nothing was due and nothing ran. */
  readonly result: 'good' | 'incomplete' | 'suspect' | 'failed' | 'missed' | 'none';
  readonly goodCount: number;
  readonly failedCount: number;
  /** What retention keeps of that day, of those archives that are there: each rule once. */
  readonly kept: readonly ('daily' | 'weekly' | 'monthly' | 'yearly' | 'other')[];
  readonly archiveCount: number;
}

/** Numbers over time, the oldest first. */
export interface Trends {
  /** Good backups of each job: when, bytes of the archive, how long. */
  readonly jobs: readonly {
    readonly job: string;
    readonly points: readonly { readonly timeMs: number; readonly sizeBytes: number; readonly durationMs: number }[];
  }[];
  /** Bytes of the archives that are on each storage now, summed up by the days when they were made. */
  readonly storages: readonly {
    readonly storage: string;
    readonly points: readonly { readonly day: string; readonly totalSizeBytes: number }[];
  }[];
}

/** A run in a list. */
export interface RunSummary {
  readonly id: string;
  readonly kind: RunKind;
  readonly job?: string;
  /** What it is of: the series, or the archive's name. */
  readonly subject?: string;
  readonly state: RunState;
  readonly startedMs: number;
  readonly endedMs?: number;
  readonly durationMs?: number;
  readonly sizeBytes?: number;
  readonly error?: ShownError;
}

/** A run with all that is known of it. */
export interface RunDetails extends RunRecord {
  readonly durationMs?: number;
  readonly phases: readonly RunPhase[];
  /** What it told while it ran; of the newest 2,000 runs, wherever they were started. */
  readonly log: readonly LogLine[];
  /** The job here, while it is remembered. */
  readonly jobId?: string;
}

/** Which runs; the newest come first. */
export interface RunQuery {
  readonly kind?: RunKind;
  readonly state?: RunState;
  readonly job?: string;
  readonly fromMs?: number;
  readonly untilMs?: number;
  readonly page?: number;
  /** 50 unless set, 500 at most. */
  readonly pageSize?: number;
}

/** The history. */
export interface RunServices {
  list(query?: RunQuery): Promise<Page<RunSummary>>;
  /** Undefined where there is none. */
  get(id: string): Promise<RunDetails | undefined>;
}

/** A storage of the configuration. */
export interface StorageFacts {
  readonly name: string;
  readonly backend: string;
  /** Without secrets. */
  readonly place: string;
  readonly enabled: boolean;
  readonly warnings: readonly string[];
  readonly archiveCount: number;
  readonly totalSizeBytes: number;
  /** Of a local one. */
  readonly freeBytes?: number;
  /** Why it could not be listed. */
  readonly error?: ShownError;
  /** The last check that was asked for here. */
  readonly lastCheck?: StorageCheckReport & { readonly checkedMs: number };
}

/** Storages. */
export interface StorageServices {
  list(): Promise<readonly StorageFacts[]>;
  /** Operator. Tries all that Holdfast needs of it; takes seconds. */
  check(user: WebUser, name: string): Promise<StorageCheckReport>;
}

/** A notifier of the configuration. */
export interface NotifierFacts {
  /** `email`, `slack`. */
  readonly type: string;
  readonly events: readonly string[];
}

/** What the configuration says. */
export interface SettingsServices {
  /** With its defaults, without secrets; variables stand as they are written. */
  configuration(): Promise<{ readonly file: string; readonly shown: object }>;
  jobs(): Promise<
    readonly {
      readonly job: string;
      readonly enabled: boolean;
      readonly schedule: string;
      readonly timezone: string;
      /** The next three. */
      readonly nextMs: readonly number[];
    }[]
  >;
  notifiers(): Promise<readonly NotifierFacts[]>;
  /** Admin. Sends a test by those of a type, or by all. */
  testNotifiers(
    user: WebUser,
    type?: string,
  ): Promise<readonly { readonly type: string; readonly delivered: boolean; readonly error?: ShownError }[]>;
  /** Operator. What stands in the way of backups, and what would be better. */
  doctor(user: WebUser): Promise<readonly Diagnosis[]>;
}

/** A file on its way up. */
export interface UploadFacts {
  readonly id: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly receivedBytes: number;
  readonly isComplete: boolean;
  readonly startedBy: string;
  /** When it is removed, unless more of it comes. */
  readonly expiresMs: number;
}

/**
 * Uploads. The client's way: `POST /api/v1/uploads` with name and size, then `PATCH /api/v1/uploads/:id` with `Upload-Offset`, any number of times; without
 * JavaScript a form `POST`s multipart to `/uploads` with the fields `csrf`, then `file`, and is led to `/restore?upload=ID`.
 */
export interface UploadServices {
  /** Operator. Throws `request.too_large`, `storage.full`. */
  create(user: WebUser, given: { readonly name: string; readonly sizeBytes: number }): Promise<UploadFacts>;
  append(user: WebUser, id: string, offsetBytes: number, body: AsyncIterable<Uint8Array>): Promise<UploadFacts>;
  /** Those of this user, of an admin all. */
  list(user: WebUser): readonly UploadFacts[];
  get(user: WebUser, id: string): UploadFacts | undefined;
  remove(user: WebUser, id: string): Promise<void>;
}

/** A body to send, and how to name it. */
export interface Download {
  readonly name: string;
  /** Absent where it is made on the fly. */
  readonly sizeBytes?: number;
  /** Of a part: both ends count. */
  readonly range?: { readonly startBytes: number; readonly endBytes: number };
  readonly body: ReadableStream<Uint8Array>;
}

/**
 * Downloads. `GET /download/:storage/:name` sends what is stored, with ranges; `POST /download` with the fields `passphrase`, `repeat` and optionally
 * `job` makes one on the fly.
 */
export interface DownloadServices {
  /** Operator. Throws `storage.not_found`. */
  stored(
    user: WebUser,
    place: ArchivePlace,
    range?: { readonly startBytes: number; readonly endBytes?: number },
  ): Promise<Download>;
  /** Operator. An archive of what a job backs up, sealed for the passphrase and the recipients of the configuration; nothing of it is kept here. Throws `key.invalid` for a short one. */
  fresh(
    user: WebUser,
    given: { readonly passphrase: Secret; readonly job?: string },
    signal: AbortSignal,
  ): Promise<Download>;
}
