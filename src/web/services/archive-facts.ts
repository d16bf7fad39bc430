import type { BlockMap } from '../../history/block-maps.ts';
import type { ArchiveSummary, OpenKeys } from '../../operation/options.ts';
import type { Secret } from '../../secret.ts';
import type { WebUser } from '../web-environment.ts';
import type { RestoreSource } from './job-facts.ts';
import type { ShownError } from './web-services.ts';

/** A place of an archive: the name that the configuration gives the storage, and the object's name there. */
export interface ArchivePlace {
  readonly storage: string;
  readonly name: string;
}

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
  /** When it was last restored for a trial. */
  readonly lastDrillMs?: number;
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

/** The health of every part of an archive at one place, as the last look found it, or as far as it is being read now. */
export interface BlockMapFacts extends BlockMap {
  readonly isBeingRead: boolean;
}

/** What is new of a block map while it is read. */
export interface BlockMapEvent {
  readonly type: 'blocks';
  readonly storage: string;
  readonly map: BlockMapFacts;
  /** Cells that are not as they were told before. */
  readonly changes: readonly { readonly copy: number; readonly from: number; readonly cells: string }[];
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
  /**
   * As the last `inspect`, `verify` or scrub found them, wherever it ran, or finds them now, by storage; those at which nobody has looked are left
   * out: start a job `inspect`. Throws `storage.not_found`.
   */
  blockMaps(name: string): Promise<ReadonlyMap<string, BlockMapFacts>>;
  /** What changes of the block maps of an archive, on all of its storages, until the signal is aborted. */
  blockEvents(name: string, signal: AbortSignal): AsyncIterable<BlockMapEvent>;
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

/** What opens an archive, as the operations take it. */
export function openKeysOf({ passphrase, identities }: GivenKeys): OpenKeys | undefined {
  if (passphrase === undefined && (identities ?? []).length === 0) return undefined;
  return { passphrases: passphrase === undefined ? [] : [passphrase], identities: identities ?? [] };
}
