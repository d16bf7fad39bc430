import type { RunKind, RunPhase, RunRecord, RunState } from '../../history/run-record.ts';
import type { StorageCheckReport } from '../../operation/check-storage.ts';
import type { Diagnosis } from '../../operation/doctor.ts';
import type { ArchiveSummary, OpenKeys, Progress, RestoreAction } from '../../operation/options.ts';
import type { Secret } from '../../secret.ts';
import type { WebUser } from '../web-environment.ts';

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
  readonly archives: ArchiveServices;
  readonly runs: RunServices;
  readonly storages: StorageServices;
  readonly settings: SettingsServices;
  readonly jobs: JobServices;
  readonly uploads: UploadServices;
  readonly downloads: DownloadServices;
}

/** A place of an archive: the name that the configuration gives the storage, and the object's name there. */
export interface ArchivePlace {
  readonly storage: string;
  readonly name: string;
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

// ── Archives ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** An archive or a plain dump, with all storages that hold it under its name. */
export interface ArchiveFacts {
  readonly name: string;
  readonly format: 'holdfast' | 'plain';
  /** What it is named for; absent where the name does not tell. */
  readonly series?: string;
  /** When it was made as its name tells, else when it was written. */
  readonly createdMs: number;
  /** Of the largest replica. */
  readonly sizeBytes: number;
  readonly archiveId?: string;
  readonly replicas: readonly ReplicaFacts[];
  readonly isPinned: boolean;
  /** Why retention keeps it (`daily 3/7`, `newest`); empty where the next prune removes it. */
  readonly keptBy: readonly string[];
  /** `damaged` or `suspect` where any replica is; `proven` where one was read whole; `whole` where its blocks were. */
  readonly health: 'proven' | 'whole' | 'unproven' | 'suspect' | 'damaged';
  /** When anyone last read its contents, or its blocks. */
  readonly lastProofMs?: number;
  readonly lastCheckMs?: number;
}

/** An archive on one storage. */
export interface ReplicaFacts {
  readonly storage: string;
  /** Without secrets. */
  readonly url: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly lockedUntilMs?: number;
  readonly isPinned: boolean;
  readonly keptBy: readonly string[];
  readonly health: ArchiveFacts['health'];
}

/** Which archives, in which order, and how many. */
export interface ArchiveQuery {
  /** A part of the name, whatever its case. */
  readonly text?: string;
  readonly series?: string;
  readonly storage?: string;
  readonly health?: ArchiveFacts['health'];
  readonly pinned?: boolean;
  /** `true`: only what the next prune removes. */
  readonly leaving?: boolean;
  readonly fromMs?: number;
  readonly untilMs?: number;
  /** `created` unless set. */
  readonly sort?: 'created' | 'name' | 'size' | 'series';
  /** `down` unless set. */
  readonly direction?: 'up' | 'down';
  /** From 1. */
  readonly page?: number;
  /** 50 unless set, 500 at most. */
  readonly pageSize?: number;
}

/** A page of a longer list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly page: number;
  readonly pageSize: number;
  readonly totalCount: number;
}

/** What opens an archive, for one request: it is never stored, and never logged. */
export interface GivenKeys {
  readonly passphrase?: Secret;
  /** age identities. */
  readonly identities?: readonly Secret[];
}

/** An entry, as it is shown. */
export interface EntryFacts {
  readonly path: string;
  readonly kind: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly rows?: number;
  /** Tables inside a database that is one entry. */
  readonly tables?: readonly { readonly path: string; readonly rows: number }[];
}

/** The entries of an archive that was opened; they are held in memory under `contentsId` for a while, the key is not. */
export interface ArchiveContents extends Page<EntryFacts> {
  readonly contentsId: string;
  readonly totalSizeBytes: number;
  readonly totalRows: number;
  /** Whether it holds far less than the archive before. */
  readonly isSuspect: boolean;
  /** Databases and trees in it: what a restore can choose from. */
  readonly parts: readonly {
    readonly kind: 'database' | 'files' | 'command' | 'models';
    readonly name: string;
    readonly entryCount: number;
    readonly sizeBytes: number;
    readonly rows: number;
  }[];
  /** Whether not all were taken in, since there are too many to be held. */
  readonly isCut: boolean;
}

/** The health of every part of an archive at one place: 256 cells a copy at most, as the last look found them. */
export interface BlockMapFacts {
  readonly lookedMs: number;
  readonly perCopy: number;
  readonly damaged: number;
  readonly solved: number;
  readonly lost: number;
  /** `=` whole, `+` damaged and healed from elsewhere, `#` holds what is lost; from the start of a copy to its end. */
  readonly copies: readonly string[];
  /** Data and parity blocks of a stripe. */
  readonly dataBlocks: number;
  readonly parityBlocks: number;
}

/** Reading archives, and marking them. */
export interface ArchiveServices {
  list(query?: ArchiveQuery): Promise<Page<ArchiveFacts>>;
  /** Names for filters. */
  series(): Promise<readonly string[]>;
  /** Throws `storage.not_found`. */
  get(name: string): Promise<ArchiveFacts>;
  /** The header and the key slots; reads a few blocks. */
  header(place: ArchivePlace): Promise<ArchiveSummary & { readonly sizeBytes: number }>;
  /**
   * Opens the archive and reads its list of entries. Without keys that of the configuration is tried. Throws `key.missing` where one has to be
   * asked for, `key.wrong`.
   */
  open(
    user: WebUser,
    source: RestoreSource,
    keys: GivenKeys,
    options?: { readonly pageSize?: number },
  ): Promise<ArchiveContents>;
  /** A further page of what this user opened; undefined where it is no longer held: it has to be opened again. */
  contents(
    user: WebUser,
    contentsId: string,
    query?: { readonly text?: string; readonly page?: number; readonly pageSize?: number },
  ): ArchiveContents | undefined;
  /** As the last `inspect`, `verify` or scrub found them; undefined where nobody has looked: start a job `inspect`. */
  blockMap(place: ArchivePlace): BlockMapFacts | undefined;
  /** Operator. On all storages that have it, unless some are named. */
  setPinned(user: WebUser, name: string, pinned: boolean, storages?: readonly string[]): Promise<void>;
  /** Reads the lists of the storages anew. */
  refresh(): Promise<void>;
  /** When the lists were read, and what could not be listed. */
  listing(): Promise<{
    readonly listedMs: number;
    readonly failed: readonly { readonly storage: string; readonly error: ShownError }[];
  }>;
}

// ── Runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

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
  /** What it told while it ran, where it was started here and is remembered. */
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

// ── Storages and settings ────────────────────────────────────────────────────────────────────────────────────────────

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

// ── Jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Where a restore reads from: a storage, or an upload of the same user. */
export type RestoreSource = ArchivePlace | { readonly upload: string };

/** What a restore changes. */
export interface RestoreRequest {
  readonly kind: 'restore';
  readonly from: RestoreSource;
  readonly keys?: GivenKeys;
  /** `sqlite:copy.db`, or `name=url` for each database. */
  readonly to?: readonly string[];
  readonly filesTo?: string;
  readonly mode?: 'transaction' | 'swap' | 'fresh';
  /** Globs on entry paths. */
  readonly only?: readonly string[];
  readonly overwrite?: boolean;
  readonly partial?: boolean;
  /** Says what would be done, and changes nothing: no confirmation is needed. */
  readonly dryRun?: boolean;
  /** The name of the archive or upload, typed again; without it nothing is changed. */
  readonly confirm?: string;
}

/** What can be started. `restore`, `undo`, `delete` and `prune` need an admin, the others an operator. */
export type JobRequest =
  | { readonly kind: 'backup'; readonly job?: string }
  | ({ readonly kind: 'verify'; readonly level?: 'structure' | 'contents'; readonly keys?: GivenKeys } & ArchivePlace)
  | ({ readonly kind: 'inspect' } & ArchivePlace)
  | { readonly kind: 'verifyUpload'; readonly upload: string; readonly keys?: GivenKeys }
  | { readonly kind: 'scrub'; readonly storages?: readonly string[]; readonly dryRun?: boolean }
  | ({ readonly kind: 'drill'; readonly keys?: GivenKeys } & ArchivePlace)
  | ({ readonly kind: 'push'; readonly to: string } & ArchivePlace)
  | { readonly kind: 'delete'; readonly storages: readonly string[]; readonly name: string; readonly confirm: string }
  | { readonly kind: 'prune'; readonly dryRun?: boolean }
  | RestoreRequest
  | { readonly kind: 'undo'; readonly to?: string; readonly files?: string; readonly dryRun?: boolean };

/** What a job does. */
export type JobKind = JobRequest['kind'];

/** A line that a job told. */
export interface LogLine {
  readonly timeMs: number;
  readonly text: string;
}

/** A job that was started here; the newest 200 are remembered. */
export interface JobFacts {
  readonly id: string;
  readonly kind: JobKind;
  /** What it is of, for people: the job of the schedule, the archive, the storages. */
  readonly subject: string;
  readonly place?: ArchivePlace;
  readonly startedBy: string;
  readonly startedMs: number;
  readonly endedMs?: number;
  readonly state: 'running' | 'succeeded' | 'incomplete' | 'failed' | 'interrupted';
  readonly progress?: JobProgress;
  /** The last 500. */
  readonly log: readonly LogLine[];
  readonly error?: ShownError;
  /** The report of the command, as `--json` prints it. */
  readonly result?: Readonly<Record<string, unknown>>;
  /** Of a restore, dry or not. */
  readonly actions?: readonly RestoreAction[];
  /** In the history, once it is known. */
  readonly runId?: string;
}

/** How far a job is. */
export interface JobProgress extends Progress {
  /** Smoothed; absent until it is known. */
  readonly bytesPerSecond?: number;
  readonly leftMs?: number;
  /** The entries or archives in work lately, the newest last, 20 at most, with how far each is. */
  readonly parts: readonly {
    readonly name: string;
    readonly doneBytes: number;
    readonly totalBytes: number;
    readonly isDone: boolean;
  }[];
}

/** What is told while a job runs; the stream of events begins with the present facts and ends with the job. */
export interface JobEvent {
  readonly type: 'facts' | 'progress' | 'log' | 'ended';
  /** `log` is only in `facts` and `ended`; of `log` it has the new lines. */
  readonly job: JobFacts;
}

/** Jobs. */
export interface JobServices {
  /** Starts it and answers at once. Throws `access.forbidden`, `job.running`, `usage.invalid`. */
  start(user: WebUser, request: JobRequest): Promise<JobFacts>;
  /** The newest first. */
  list(): readonly JobFacts[];
  get(id: string): JobFacts | undefined;
  /** Operator. Asks it to end; it cleans up behind itself. */
  cancel(user: WebUser, id: string): Promise<void>;
  events(id: string, signal: AbortSignal): AsyncIterable<JobEvent>;
  /** When it has ended. */
  ended(id: string, signal?: AbortSignal): Promise<JobFacts>;
}

// ── Transfer ─────────────────────────────────────────────────────────────────────────────────────────────────────────

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

/** What opens an archive, as the operations take it. */
export function openKeysOf({ passphrase, identities }: GivenKeys): OpenKeys | undefined {
  if (passphrase === undefined && (identities ?? []).length === 0) return undefined;
  return { passphrases: passphrase === undefined ? [] : [passphrase], identities: identities ?? [] };
}
