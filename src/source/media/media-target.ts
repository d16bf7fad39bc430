import { HoldfastError } from '../../errors.ts';
import { contentTypeByName } from '../../storage/media/content-type.ts';
import { checkObjectName } from '../../storage/object-name.ts';
import type { Storage, StoredObject, WriterOptions } from '../../storage/storage.ts';
import type { RestorableEntry, RestoreTarget, TargetChange } from '../target.ts';
import { TaskPool } from '../task-pool.ts';
import { restoredHeaders } from './object-metadata.ts';

/** So many objects are asked for one by one; for more all are listed. */
const mostAsked = 100;
/** Files up to here are held in memory, and written beside one another: each takes some requests, and hardly any bytes. */
const smallBytes = 256 * 1024;
const smallAtOnce = 8;

/** Where the files of an archive go. */
export interface MediaTargetOptions {
  readonly storage: Storage;
  /** The root's path in the archive: `files/<name>`. */
  readonly prefix: string;
  /** What the storage is called. */
  readonly label: string;
  /** Gives the files an ACL that lets anybody read them; false unless set. */
  readonly isPublic?: boolean;
  /** Lets objects that are there be replaced; false unless set. */
  readonly overwrite?: boolean;
  /** Asks that what is replaced be kept, which this target cannot: true unless set. */
  readonly keepUndo?: boolean;
}

/**
 * A media storage that files are restored into. An object store has no way to show a thousand objects at once, so files appear one by one, each
 * whole: a restore that fails removes what it made, and one whose process dies leaves that. It can be run again then: a file that stands there with the
 * very same bytes is left as it is. Nothing is replaced unless `overwrite` says so, and then for good. Objects that stand for folders are not made.
 */
export class MediaTarget implements RestoreTarget {
  readonly parallelEntries = 4;
  readonly #options: MediaTargetOptions;
  /** Names that are restored and stand there already. */
  #there: ReadonlyMap<string, StoredObject> = new Map();
  readonly #made: string[] = [];
  readonly #small = new TaskPool(smallAtOnce);
  #isDone = false;
  #change: TargetChange | undefined;

  constructor(options: MediaTargetOptions) {
    this.#options = options;
  }

  async plan(entries: readonly RestorableEntry[]): Promise<TargetChange> {
    const { storage, label, overwrite = false, keepUndo = true } = this.#options;
    const sizes = new Map<string, number>();
    for (const entry of entries) {
      const name = this.#nameOf(entry);
      if (name !== undefined) sizes.set(name, entry.sizeBytes);
    }
    const there = await findThere(storage, sizes);
    // One of the same size may be the same: that is found out when its bytes are at hand.
    const others = [...there.values()].filter(({ name, sizeBytes }) => overwrite || sizeBytes !== sizes.get(name));
    if (others.length > 0 && !overwrite) throw existsError(label, others);
    if (others.length > 0 && keepUndo) throw noUndoError(label, others);
    this.#there = there;
    this.#change = { target: `${label} (${storage.properties.place})`, action: there.size > 0 ? 'merge' : 'create' };
    return this.#change;
  }

  async stage(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const name = this.#nameOf(entry);
    if (name === undefined) return;
    const there = this.#there.get(name);
    const put = (content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) =>
      there !== undefined && this.#options.overwrite !== true
        ? this.#compare(there, content)
        : this.#write(name, entry, content);
    if (entry.sizeBytes > smallBytes) return await put(bytes);
    const held: Uint8Array[] = [];
    for await (const chunk of bytes) held.push(new Uint8Array(chunk));
    await this.#small.add(() => put(held));
  }

  async place(): Promise<TargetChange> {
    await this.#small.drain();
    return this.#change ?? { target: this.#options.label, action: 'create' };
  }

  async commit(): Promise<TargetChange> {
    const change = await this.place();
    this.#isDone = true;
    return change;
  }

  async abort(): Promise<void> {
    if (this.#isDone) return;
    await this.#small.settle();
    for (let name = this.#made.pop(); name !== undefined; name = this.#made.pop()) {
      await this.#options.storage.delete(name);
    }
  }

  /** The name of a file; undefined for a folder. Throws `target.unsafe`, `target.incompatible`. */
  #nameOf({ path, pathBytes, kind }: RestorableEntry): string | undefined {
    const { prefix } = this.#options;
    if (kind === 'directory') return undefined;
    if (kind !== 'file') throw incompatible(path, `is of the kind ${kind}, which a media storage cannot keep`);
    if (pathBytes !== undefined) throw incompatible(path, 'has a name that is not valid Unicode');
    // A tree of one file is that file.
    const name = path === prefix ? prefix.slice(prefix.lastIndexOf('/') + 1) : path.slice(prefix.length + 1);
    if (path !== prefix && !path.startsWith(`${prefix}/`)) {
      const message = `the entry ${JSON.stringify(path)} does not lie below ${prefix}`;
      throw new HoldfastError('target.unsafe', { message, context: { path } });
    }
    try {
      checkObjectName(name);
    } catch (cause) {
      if (!(cause instanceof HoldfastError)) throw cause;
      throw new HoldfastError('target.unsafe', { message: cause.message, context: { path }, cause });
    }
    return name;
  }

  async #write(
    name: string,
    entry: RestorableEntry,
    bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    const { storage, isPublic = false, overwrite = false, label } = this.#options;
    const options: WriterOptions = {
      copies: 1,
      expectedSizeBytes: entry.sizeBytes,
      // Of a tree of files the archive knows no types.
      headers: { contentType: contentTypeByName(name), ...restoredHeaders(entry.metadata) },
      isPublic,
      createOnly: !overwrite,
    };
    const writer = await storage.writer(name, options).catch((error: unknown) => Promise.reject(named(error, label)));
    try {
      let sizeBytes = 0;
      for await (const chunk of bytes) {
        await writer.write(chunk);
        sizeBytes += chunk.length;
      }
      if (sizeBytes !== entry.sizeBytes) {
        const message = `${entry.path} has ${sizeBytes} bytes where the index tells of ${entry.sizeBytes}`;
        throw new HoldfastError('target.invalid', { message, context: { path: entry.path } });
      }
      await writer.commit();
    } catch (error) {
      await writer.abort();
      throw named(error, label);
    }
    // What replaced another cannot be taken back: removing it would lose both.
    if (!this.#there.has(name)) this.#made.push(name);
  }

  /** Passes where the object has these bytes. */
  async #compare(there: StoredObject, bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const object = await this.#options.storage.open(there.name);
    try {
      let done = 0;
      for await (const chunk of bytes) {
        const found = new Uint8Array(chunk.length);
        const length = await object.read(done, found);
        if (length < chunk.length || Buffer.compare(found, chunk) !== 0)
          throw existsError(this.#options.label, [there]);
        done += chunk.length;
      }
      if (done !== object.sizeBytes) throw existsError(this.#options.label, [there]);
    } finally {
      await object.close();
    }
  }
}

/** Which of the names stand there. */
async function findThere(
  storage: Storage,
  names: { readonly size: number; has(name: string): boolean; keys(): Iterable<string> },
): Promise<Map<string, StoredObject>> {
  const there = new Map<string, StoredObject>();
  if (names.size > mostAsked) {
    for await (const object of storage.list()) if (names.has(object.name)) there.set(object.name, object);
    return there;
  }
  for (const name of names.keys()) {
    try {
      there.set(name, await storage.stat(name));
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'storage.not_found') throw error;
    }
  }
  return there;
}

function namesOf(objects: readonly StoredObject[]): string {
  const names = objects.slice(0, 3).map(({ name }) => name);
  return `${names.join(', ')}${objects.length > 3 ? ` and ${objects.length - 3} more` : ''}`;
}

function existsError(label: string, objects: readonly StoredObject[]): HoldfastError {
  const verb = objects.length === 1 ? 'exists, with other content' : 'exist, with other content';
  return new HoldfastError('target.exists', {
    message: `${label}: ${namesOf(objects)} ${verb}`,
    hint: 'restore to another media storage or to a folder, or allow it with --overwrite --no-undo',
    context: { names: objects.slice(0, 100).map(({ name }) => name), count: objects.length },
  });
}

function noUndoError(label: string, objects: readonly StoredObject[]): HoldfastError {
  return new HoldfastError('target.exists', {
    message: `${label}: ${namesOf(objects)} would be replaced, and a media storage keeps nothing of what is replaced`,
    hint: 'allow that with --no-undo, or restore to another media storage or to a folder',
    context: { names: objects.slice(0, 100).map(({ name }) => name), count: objects.length },
  });
}

function incompatible(path: string, reason: string): HoldfastError {
  return new HoldfastError('target.incompatible', {
    message: `the entry ${JSON.stringify(path)} ${reason}`,
    hint: 'restore it to a folder with --files-to, or leave it out with --only',
    context: { path },
  });
}

/** Somebody else made an object of the name since the plan was made. */
function named(error: unknown, label: string): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'storage.conflict') return error;
  const message = `${label}: ${error.message}: it was put there while the restore was under way`;
  return new HoldfastError('target.exists', { message, context: error.context, cause: error });
}
