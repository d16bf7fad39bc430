import type { EntryBytes } from '../archive/entry/entry-bytes.ts';
import type { EntryMetadata, JsonValue } from '../archive/json.ts';

export type { EntryBytes, EntryMetadata, JsonValue };

/**
 * Kinds of entries, see `docs/format.md` section 6. Of a database server: `schema` (statements), `table` (rows), `large-objects`, `roles`,
 * `dump` (what the engine's own tool wrote); of a command: `stream`; of a database's models: `model-schema` (what they are), `model` (rows).
 */
export type EntryKind =
  | 'directory'
  | 'file'
  | 'symlink'
  | 'sqlite'
  | 'schema'
  | 'table'
  | 'large-objects'
  | 'roles'
  | 'dump'
  | 'stream'
  | 'model-schema'
  | 'model';

/** One named stream of a source. */
export interface SourceEntry {
  /** Relative, with `/`, unique in the archive; U+FFFD stands for what is not UTF-8. */
  readonly path: string;
  /** The path's bytes where it is not UTF-8. */
  readonly pathBytes?: Uint8Array;
  readonly kind: EntryKind;
  /** The size expected, in bytes, for progress; the true one is counted. */
  readonly expectedSizeBytes: number;
  /**
   * Read only after the iteration of `open()` has ended: what is learned while reading may stand in it. From then on it says the same, while
   * other entries are read and after the source was closed.
   */
  readonly metadata: EntryMetadata;
  /**
   * The bytes, once, from the start. Chunks of at most 1 MiB, whose memory may be used again after the next one was asked
   * for. Absent for entries without bytes (directories, symlinks).
   * Throws `source.unreadable` or `source.changed`: when the source reports a problem instead, it ends the stream early and sets
   * `changed` in the metadata.
   */
  open?(signal: AbortSignal | undefined): EntryBytes;
}

/** Something that was left out or is not what it was: it goes to the report, and the run ends with exit code 3. */
export interface SourceProblem {
  readonly code: 'source.changed' | 'source.vanished' | 'source.unreadable' | 'source.unsupported';
  readonly path: string;
  readonly message: string;
}

/** What a source may use while it is read. */
export interface SourceContext {
  readonly signal?: AbortSignal;
  /** Keeps a problem for the report; the source goes on. */
  report(problem: SourceProblem): void;
  /** Keeps a remark for the report, of what is as it should be and worth knowing. */
  note?(text: string): void;
  /** An existing folder, readable by this user only, that is removed after the run. */
  readonly temporaryFolder: string;
}

/** A table, as the engine lists it before it is read. */
export interface TableDescription {
  /** With its schema where the engine has such: `public.invoice`. */
  readonly name: string;
  /** The engine's estimate; absent where it has none. */
  readonly expectedRows?: number;
  readonly expectedSizeBytes: number;
}

/** What a source is, before it is read. */
export interface SourceDescription {
  /** `sqlite`, `postgres`, `mysql`, `mariadb`, `command`, `files` or `media`. */
  readonly type: string;
  /** The server's version, as `15.8`; absent for what has no server. */
  readonly version?: string;
  /** Absent for what has no tables. */
  readonly tables?: readonly TableDescription[];
  /** For people: the path or the URL without secrets. */
  readonly label: string;
  /** Bytes expected; 0 where it is not known. */
  readonly expectedSizeBytes: number;
}

/**
 * Something to back up. A source is read once, by one run.
 * After a crash at any point nothing of the source has changed.
 */
export interface Source {
  /** The name under `databases/` or `files/`: not empty, no `/`. */
  readonly name: string;
  /** How many of its entries may be open at once; 1 unless set. */
  readonly parallelEntries?: number;
  /** Checks that the source is there and can be read, without reading it. Throws `source.not_found`, `source.unreadable`. May be repeated. */
  describe(context: SourceContext): Promise<SourceDescription>;
  /**
   * Its entries in the order in which they are begun; at most `parallelEntries` of them are open at once. None waits for one that is begun after
   * it, and some may still be open when there are no more: what they need lasts until `close`. What all of them show is one moment: for a server,
   * one snapshot, which is taken when the first entry is asked for.
   */
  entries(context: SourceContext): AsyncIterable<SourceEntry>;
  /** Frees what it holds, temporary files included; entries that are open fail. May be repeated. */
  close(): Promise<void>;
}
