import type { RandomAccess, ReadBack } from '../archive/random-access.ts';
import type { SpreadStorage } from './spread/spread-storage.ts';

export type { RandomAccess, ReadBack };

/** An object in a storage. */
export interface StoredObject {
  readonly name: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** Until when the storage refuses to remove it, where it tells. */
  readonly lockedUntilMs?: number;
}

/** What an HTTP server tells of an object. */
export interface ObjectHeaders {
  readonly contentType?: string;
  readonly cacheControl?: string;
  readonly contentDisposition?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  /** Of whoever made it, by names in lower case. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What is known of an object since it was opened, beside its size. */
export interface ObjectDetails {
  readonly modifiedMs: number;
  /** Another text for each version. Where it is there, all reads are of this version, or fail. */
  readonly etag?: string;
  readonly headers: ObjectHeaders;
}

/** An object that is open for reading. */
export interface OpenedObject extends RandomAccess {
  /** Absent where the storage does not tell them. */
  readonly details?: ObjectDetails;
}

/** Something in a storage that none of its writers made, and that cannot be opened by a name. */
export interface ForeignObject {
  /** As the storage has it, below its root; that of a folder ends in `/`. */
  readonly name: string;
  readonly sizeBytes: number;
  /** `folder`: an object that stands for a folder, as consoles of object stores make them. */
  readonly kind: 'folder' | 'other';
  /** What it is, for people. */
  readonly reason: string;
}

/** What became of one of several places that each hold a part of an object. */
export interface WrittenPart {
  /** For people: the storage. */
  readonly label: string;
  readonly url: string;
  readonly stored?: StoredObject;
  /** Why it has nothing, while the object as a whole is there. */
  readonly error?: unknown;
}

/**
 * Writes one object that holds the written bytes `copies` times, one run after the other.
 * Until `commit` nothing is visible under the name, and what stood there stays.
 */
export interface StorageWriter {
  /**
   * Appends to each copy. The memory may be used again once the promise is settled. One call at a time; never repeated, and after a failure
   * only `abort` follows.
   */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Brings all that was written to the storage, further copies too: while a commit has to wait for another storage, nothing is under way then
   * that a server would give up. Only `commit` or `abort` follows. Absent where nothing is under way between writes.
   */
  readonly finishWriting?: (() => Promise<void>) | undefined;
  /** Where what is written can be read from the storage itself before it is committed. */
  readonly readBack?: ReadBack | undefined;
  /**
   * Makes the object durable and visible, in place of an older one. `check` is given what was stored, read back; when it throws,
   * the object does not appear and the error is thrown on. Storages that can read before they publish check before. `check` may begin
   * while further copies are being made: its size is the final one, and a read waits until what it reaches is there. When making them
   * fails, `commit` throws that error, and reads throw `operation.interrupted` with it as the cause.
   */
  commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject>;
  /** Leaves nothing of the object. May be repeated, and called after a failed commit. */
  abort(): Promise<void>;
  /** After the commit, where the object is kept in parts, not all of which are needed. */
  readonly parts?: readonly WrittenPart[] | undefined;
}

/** How an object is written. */
export interface WriterOptions {
  /** How often the bytes stand in the object, 1 to 8. */
  readonly copies: number;
  /** About how many bytes one copy will have, where that is known: what is written may be more or less. */
  readonly expectedSizeBytes?: number;
  /** Called while `commit` makes the further copies, with the bytes done of all that it writes. */
  readonly onReplicate?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
  /** Kept with the object by S3 and in memory; elsewhere passed over. */
  readonly headers?: ObjectHeaders;
  /** Anybody may read the object, by its ACL, where the storage has such. */
  readonly isPublic?: boolean;
  /**
   * Replaces nothing: `writer` or `commit` throws `storage.conflict` where an object stands under the name, also one that another writer has
   * just put there. It is sure for objects below `StorageProperties.createOnlyBytes`; of others it is refused as far as the server can, and
   * another writer's that appears at the same moment may be replaced.
   */
  readonly createOnly?: boolean;
}

/** What a storage is like, for people and for those who decide what to do with it. */
export interface StorageProperties {
  /** The adapter: `local`, `s3`. */
  readonly backend: string;
  /** For people, without secrets: the folder, the bucket, the host. */
  readonly place: string;
  /** What is unsafe about its settings, a sentence each, such as that bytes pass in clear over a network. */
  readonly warnings: readonly string[];
  /** Whether writing takes room on this machine's disk for copies that cannot be written side by side. */
  readonly usesSpool: boolean;
  /** Below this size `createOnly` is sure; it is for no size unless set. */
  readonly createOnlyBytes?: number;
}

/**
 * Where archives live. An object is written once and read by ranges; it appears whole, or not at all. After a crash at any point a name
 * holds its old object or its new one, whole. What a dead run left unfinished is never listed, and is removed by a later writer.
 *
 * Errors are `HoldfastError`s with a code that says why: `storage.not_found`, `storage.unauthorized`, `storage.read_only`, `storage.full`,
 * `storage.conflict`, `storage.credentials`, `storage.certificate` and their kin are answers, and the same call gets the same one again;
 * `storage.unavailable`, `storage.timeout` and `storage.throttled` may pass (`context.retryAfterMs` says when, where the server does), and
 * what may be repeated is repeated by the `retry` wrapper, not by an adapter; `storage.failed` is a range or an object that cannot be read, and is
 * taken for damage. Names are checked by `checkObjectName`; one that is refused throws `storage.unauthorized` before anything is sent.
 */
export interface Storage {
  readonly properties: StorageProperties;
  /**
   * Begins an object. It may be repeated, since nothing is visible before `commit`; writers on the same name do not see each other. The last
   * commit stands, or throws `storage.conflict` where the storage can tell that another object was put there meanwhile.
   */
  writer(name: string, options: WriterOptions): Promise<StorageWriter>;
  /**
   * An object for reading, as it is now: it is read to its end while it is replaced. Throws `storage.not_found`. It and its reads may be
   * repeated.
   */
  open(name: string): Promise<OpenedObject>;
  /** What `commit` gave. Throws `storage.not_found`. May be repeated. */
  stat(name: string): Promise<StoredObject>;
  /**
   * Objects whose name begins with the prefix, each once, in no particular order, page by page as they are asked for; nothing that is still
   * being written. May be repeated from the start. `onForeign` is told of what else is there.
   */
  list(prefix?: string, onForeign?: (foreign: ForeignObject) => void): AsyncIterable<StoredObject>;
  /** Removing what is not there is not an error, so it may be repeated. */
  delete(name: string): Promise<void>;
  /** For people: where the object is, without secrets. */
  url(name: string): string;
  /**
   * A URL by which anybody who has it can read the object until it expires (7 days at most); whether there is such an object is not looked at. Absent
   * where the storage has no such URLs.
   */
  readonly signedUrl?: ((name: string, expiresSeconds: number) => Promise<string>) | undefined;
  /**
   * Removes a folder of this name and those in it, as far as they are empty: whoever made folders by names of objects that are deleted since tidies up. What
   * may not be removed stays. Absent where names make no folders.
   */
  readonly removeEmptyFolders?: ((name: string) => Promise<void>) | undefined;
  /** The storage itself, where it lays archives over several others as shards. */
  readonly spread?: SpreadStorage | undefined;
  /** Ends connections. May be repeated; objects and writers that are open end with it. */
  close(): Promise<void>;
}
