import type { Codec } from '../archive/header.ts';
import type { Clock } from '../clock.ts';
import type { ErrorCode } from '../errors.ts';
import type { Fall } from '../policy/plausibility.ts';
import type { Random } from '../random.ts';
import type { Secret } from '../secret.ts';
import type { CommandProgram } from '../source/command/command-program.ts';
import type { RestoreMode } from '../source/database-options.ts';
import type { ModelRestoreSettings } from '../source/model/model-target.ts';
import type { EntryMetadata, Source, SourceProblem } from '../source/source.ts';
import type { ModelChange, TargetChange } from '../source/target.ts';
import type { RandomAccess, Storage } from '../storage/storage.ts';

export type { Codec };

/** What opens an archive: any one of them is enough. */
export interface OpenKeys {
  /** Passphrases, tried on the passphrase slots. */
  readonly passphrases?: readonly Secret[];
  /** age identities (`AGE-SECRET-KEY-1…`), tried on the age slots. */
  readonly identities?: readonly Secret[];
}

/** What an archive is sealed for: a key slot is made for each. */
export interface SealKeys {
  readonly passphrases?: readonly Secret[];
  /** age recipients (`age1…`): this machine can then write backups that it cannot read. */
  readonly recipients?: readonly string[];
}

/** One step of a run. `totalBytes` is 0 where it is not known; `doneBytes` never falls within a phase. */
export interface Progress {
  readonly phase: 'read' | 'write' | 'verify' | 'scan' | 'repair' | 'restore';
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** The entry in work, for people. */
  readonly entry?: string;
  /** Bytes of that entry, done and expected, while databases are read. */
  readonly entryDoneBytes?: number;
  readonly entryExpectedBytes?: number;
  /** Rows of the tables that are done. */
  readonly doneRows?: number;
}

/** What every operation takes. */
export interface RunOptions {
  /** Aborting ends the run with `operation.interrupted`; nothing half-done stays. */
  readonly signal?: AbortSignal;
  /** Called at most some ten times a second from the main thread; must not throw. */
  readonly onProgress?: (progress: Progress) => void;
  /** Worker threads; as many as the machine has cores, 8 at most, unless set. 0 does all in the calling thread: slower, and nothing is started. */
  readonly threads?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Where an archive is: a path on local disk, an object in a storage, or bytes at hand. */
export type ArchiveLocation = string | { readonly storage: Storage; readonly name: string } | RandomAccess;

/** An entry as the index tells it. */
export interface ArchiveEntry {
  readonly path: string;
  readonly pathBytes?: Uint8Array;
  readonly kind: string;
  readonly sizeBytes: number;
  /** SHA-256 of its bytes, hex. */
  readonly sha256: string;
  readonly metadata: EntryMetadata;
}

/** State of the blocks of one archive over all its copies. */
export interface BlockHealth {
  /** Blocks of one copy. */
  readonly perCopy: number;
  readonly copies: number;
  /** Blocks, of all copies, that are there and whole. */
  readonly intact: number;
  /** Blocks, of all copies, that are missing or whose hash fails. */
  readonly damaged: number;
  /** Positions without an intact block in any copy that parity gave back. */
  readonly solved: number;
  /** Data positions that nothing gives back. */
  readonly lost: number;
}

/** What was found of the blocks of an archive since the step before: enough to draw them while they are read. */
export interface BlockStep {
  /** The archive, and what its storage is called, where several are read. */
  readonly archive?: string;
  readonly storage?: string;
  /** Hex. */
  readonly archiveId: string;
  /** As far as it was read. */
  readonly blocks: BlockHealth;
  /** Data and parity blocks of a stripe. */
  readonly dataBlocks: number;
  readonly parityBlocks: number;
  /** Cells that a copy is drawn in: one for each block, or 4,096 where there are more; each stands for the worst block in it. */
  readonly cellCount: number;
  /** Cells that changed, from one on, in a copy: `.` not read yet, `=` whole, `+` damaged, `#` holds what is lost. */
  readonly changes: readonly { readonly copy: number; readonly from: number; readonly cells: string }[];
  /** Whether it is the last of this archive. */
  readonly isDone: boolean;
}

/** A storage that a backup goes to. */
export interface BackupOutput {
  readonly storage: Storage;
  readonly name: string;
  /** What the report calls the storage. */
  readonly label?: string;
  /** Fails with `storage.conflict` where an archive stands under the name, also one that another run has just put there. */
  readonly createOnly?: boolean;
}

/** What became of one output of a backup. */
export interface OutputReport {
  /** Its label. */
  readonly storage?: string;
  /** Where the archive is, or should have been. */
  readonly output: string;
  /** Bytes of the archive there; absent where it failed. */
  readonly sizeBytes?: number;
  /** Why nothing is there. */
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly hint: string };
}

/** What {@link createBackup} takes. */
export interface BackupOptions extends RunOptions {
  readonly sources: readonly Source[];
  /**
   * Path of the archive on local disk, or a storage and a name. An older archive there is replaced only when the run succeeds. Several
   * storages get the same bytes at once; one that fails does not stop the others, and the run fails when none is left.
   */
  readonly output: string | BackupOutput | readonly BackupOutput[];
  /** Several outputs: bytes that may wait for the slowest (8 MiB unless set), and how long it may take none (300,000 ms unless set). */
  readonly severalOutputs?: { readonly bufferBytes?: number; readonly stallTimeoutMs?: number };
  /** Keys to seal for. Without any the run is refused (`key.missing`) unless `encryption` is `none`. */
  readonly keys?: SealKeys;
  /** `aes-256-gcm` unless set. */
  readonly encryption?: 'aes-256-gcm' | 'none';
  /** `zstd` unless set. */
  readonly compression?: Codec;
  /** 2 unless set, 1 to 8. */
  readonly copies?: number;
  /** Data and parity blocks of a stripe; 239 and 16 unless set. */
  readonly dataBlocks?: number;
  readonly parityBlocks?: number;
  /** What is re-read before the archive appears: `contents` unless set. */
  readonly verify?: 'contents' | 'structure' | 'none';
  /** Folder for temporary copies of databases; the system's unless set. */
  readonly temporaryFolder?: string;
  /**
   * The archive that the databases are compared with; unless set, the newest in the folder of `output` whose name differs from its name in
   * digits only, such as a date.
   */
  readonly previous?: ArchiveLocation;
  /** What opens that archive, besides the passphrases of `keys`. */
  readonly previousKeys?: OpenKeys;
  /** How much of a table's rows or bytes may be gone since then, 0 to 1, before the archive is suspect; 0.5 unless set. */
  readonly allowedFall?: number;
}

/** How the databases of an archive compare with those of the archive before. */
export interface Comparison {
  /** The archive before; absent where there is none, or none that could be read. */
  readonly previous?: string;
  readonly previousId?: string;
  /** Why there is nothing to compare with although an archive is there. */
  readonly reason?: string;
  /** What fell by more than is allowed. */
  readonly falls: readonly Fall[];
}

/** What {@link createBackup} did. */
export interface BackupReport {
  /** Where the archive is; of several outputs the first that has it. */
  readonly output: string;
  /** Each output; with one that failed, the CLI ends with exit code 3. */
  readonly outputs: readonly OutputReport[];
  readonly archiveId: string;
  /** Bytes of the archive file. */
  readonly sizeBytes: number;
  /** Bytes of the entries. */
  readonly plainSizeBytes: number;
  readonly entryCount: number;
  readonly rowCount: number;
  readonly durationMs: number;
  readonly verified: 'contents' | 'structure' | 'none';
  /** Whether the databases hold far less than before: the archive is marked so, and the CLI ends with exit code 3. */
  readonly suspect: boolean;
  readonly comparison: Comparison;
  /** What was left out or changed while it was read; with any, the CLI ends with exit code 3. */
  readonly problems: readonly SourceProblem[];
  /** Remarks of the sources, such as which views of a database are no models. */
  readonly notes?: readonly string[];
}

/** What {@link validateBackup} takes. */
export interface ValidateOptions extends RunOptions {
  readonly archive: ArchiveLocation;
  /** `structure` (no key: every block of every copy) or `contents` (also opens, expands and hashes each entry); `contents` when there are keys or the archive is not encrypted, unless set. */
  readonly level?: 'structure' | 'contents';
  readonly keys?: OpenKeys;
  /** Chooses one archive where a file (a disk image) holds several: hex. */
  readonly archiveId?: string;
  /** Told what was found of the blocks, at most some five times a second; must not throw. */
  readonly onBlocks?: (step: BlockStep) => void;
}

/** The health of one shard of an archive that is laid over several storages. */
export interface ShardReport {
  /** From 1. */
  readonly shard: number;
  /** The storage, or the file. */
  readonly storage: string;
  readonly state: 'intact' | 'damaged' | 'missing' | 'unreadable';
  readonly damagedBlocks: number;
  /** Why it could not be read. */
  readonly error?: NonNullable<OutputReport['error']>;
}

/** How an archive is spread, and how its shards are. */
export interface SpreadReport {
  /** Any so many shards restore the archive. */
  readonly data: number;
  readonly parity: number;
  readonly shards: readonly ShardReport[];
}

/** What {@link validateBackup} found. */
export interface ValidationReport {
  /** `lost`: beyond repair. */
  readonly state: 'intact' | 'repairable' | 'lost';
  readonly level: 'structure' | 'contents';
  readonly archiveId: string;
  readonly sizeBytes: number;
  readonly blocks: BlockHealth;
  /** Of an archive that is laid over several storages; its blocks above are those that its shards give together. */
  readonly spread?: SpreadReport;
  /** Number of entries read and found right; 0 at level `structure`. */
  readonly entryCount: number;
  /** Paths of entries that are lost, in whole or part; known at level `contents`. */
  readonly lostEntries: readonly string[];
  /** Positions of lost data blocks as inclusive ranges `[first, last]`, 1,000 at most. */
  readonly lostBlocks: readonly (readonly [number, number])[];
  readonly durationMs: number;
}

/** What {@link repairArchive} takes. */
export interface RepairOptions extends RunOptions {
  readonly archive: ArchiveLocation;
  /** Further replicas of the same archive, each as damaged as may be. */
  readonly from?: readonly ArchiveLocation[];
  /** Where the healed archive goes; in place of `archive` unless set. */
  readonly output?: string;
  /** Writes what can be had even where blocks are lost (they stay lost). */
  readonly partial?: boolean;
  /** Looks, and writes nothing. */
  readonly dryRun?: boolean;
  readonly archiveId?: string;
}

/** What {@link repairArchive} found and did. */
export interface RepairReport {
  readonly output: string;
  readonly archiveId: string;
  readonly state: 'intact' | 'repaired' | 'lost';
  /** Whether a file was written: an intact archive is left alone. */
  readonly written: boolean;
  readonly blocks: BlockHealth;
  readonly lostBlocks: readonly (readonly [number, number])[];
  readonly durationMs: number;
}

/** A media storage that a tree of files is restored into; a `MediaStorage` has what is needed but the name. */
export interface MediaDestination {
  /** What it is called. */
  readonly label: string;
  readonly storage: Storage;
  /** Gives the files an ACL that lets anybody read them; false unless set. */
  readonly isPublic?: boolean;
  /** The tree's name in the archive; the one that is called like this storage, or the only one there is, unless set. */
  readonly tree?: string;
}

/** What {@link restoreBackup} takes. */
export interface RestoreOptions extends RunOptions {
  readonly archive: ArchiveLocation;
  readonly keys?: OpenKeys;
  /** Further replicas to heal from. */
  readonly from?: readonly ArchiveLocation[];
  /**
   * Where databases go: one URL (`sqlite:copy.db`) for an archive with one database, or `name=url` for each. The place it came from unless set;
   * a database of a server needs one.
   */
  readonly to?: readonly string[];
  /** Programs that streams of commands are fed to, by the stream's name. Such a restore is not atomic. */
  readonly commands?: Readonly<Record<string, CommandProgram>>;
  /** How a database of a server takes the place of what is there; decided by what is restored unless set. */
  readonly mode?: RestoreMode;
  /** Connections that write to a server; 2 unless set. */
  readonly connections?: number;
  /** How long a lock or a silent server is waited for, in milliseconds; 60,000 unless set. */
  readonly timeoutMs?: number;
  /** How models are restored: what is done where a row is there already, and whether tables are made. */
  readonly models?: ModelRestoreSettings;
  /** Where trees of files go: under it, a folder with each root's name. The places they came from unless set. */
  readonly filesTo?: string;
  /**
   * Media storages that trees go to instead. Their files appear one by one, each whole; what is replaced is not kept, and so `keepUndo: false` has to
   * be said with `overwrite`.
   */
  readonly mediaTo?: readonly MediaDestination[];
  /** Globs on entry paths; an entry that matches one is restored. */
  readonly only?: readonly string[];
  /** Lets existing files and databases be replaced. */
  readonly overwrite?: boolean;
  /** Keeps what is replaced beside it; true unless set. */
  readonly keepUndo?: boolean;
  /** Restores what can be had of an archive beyond repair. */
  readonly partial?: boolean;
  /** Says what would be done, and writes nothing. */
  readonly dryRun?: boolean;
  readonly archiveId?: string;
}

/** One thing that a restore did, or in a dry run would do. */
export interface RestoreAction {
  readonly target: string;
  /** `files`, `media`, `command`, or the kind of database: `sqlite`. */
  readonly kind: string;
  readonly action: TargetChange['action'];
  readonly entryCount: number;
  readonly sizeBytes: number;
  /** Where what was replaced is kept. */
  readonly undo?: string;
  /** Remarks of the target, such as what of a schema could not be made. */
  readonly notes?: readonly string[];
  /** Of models: what became of the rows of each. */
  readonly models?: readonly ModelChange[];
  /** Of models: rows that were removed first. */
  readonly removedRows?: number;
}

/** What {@link restoreBackup} did, or would do. */
export interface RestoreReport {
  readonly archiveId: string;
  readonly actions: readonly RestoreAction[];
  readonly entryCount: number;
  readonly sizeBytes: number;
  readonly rowCount: number;
  /** Bytes read from the archive file. */
  readonly readBytes: number;
  /** Blocks that were damaged and healed on the way. */
  readonly healedBlocks: number;
  /** Only with `partial`: entries that could not be had. */
  readonly lostEntries: readonly string[];
  readonly durationMs: number;
  readonly dryRun: boolean;
}

/** One key slot of a header. */
export interface KeySlot {
  /** Hex. */
  readonly id: string;
  readonly type: 'passphrase' | 'age' | 'unknown';
  readonly label: string;
  readonly createdMs: number;
}

/** What stands in clear in a header. */
export interface ArchiveSummary {
  readonly archiveId: string;
  readonly formatVersion: number;
  readonly createdMs: number;
  readonly encryption: 'aes-256-gcm' | 'none';
  readonly compression: Codec;
  readonly copies: number;
  readonly dataBlocks: number;
  readonly parityBlocks: number;
  readonly slots: readonly KeySlot[];
}
