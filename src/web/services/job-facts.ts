import type { Progress, RestoreAction } from '../../operation/options.ts';
import type { WebUser } from '../web-environment.ts';
import type { ArchivePlace, GivenKeys } from './archive-facts.ts';
import type { ShownError } from './web-services.ts';

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
  /** The name of what is written to, as `restoreTargetName` gives it; without it nothing is changed. */
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
