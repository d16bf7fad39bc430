import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { isThere } from '../../storage/is-there.ts';
import { checkObjectName } from '../../storage/object-name.ts';
import type { ForeignObject, OpenedObject, Storage, StoredObject } from '../../storage/storage.ts';
import type { Source, SourceContext, SourceDescription, SourceEntry } from '../source.ts';
import { ObjectEntry } from './object-entry.ts';

/** Objects that are opened before their turn: on a bucket that is one request each, whose answers come together. */
const openAhead = 8;
/** A look at so many objects is some hundred requests; of more the size is not known. */
const objectLimit = 100_000;

/** What a {@link MediaSource} reads. */
export interface MediaSourceOptions {
  /** The name under `files/`. */
  readonly name: string;
  /** The storage, or what opens it when it is needed; that one is closed with the source. */
  readonly storage: Storage | (() => Promise<Storage>);
}

/** An object, open, or why it is not. */
type Opening =
  | { readonly listed: StoredObject; readonly object: OpenedObject }
  | { readonly listed: StoredObject; readonly error: unknown };

/**
 * A media storage: every object as a file, with its type, headers, time and version. Objects that stand for folders become folders. What was removed
 * since it was listed, what cannot be read, and what no archive can hold (names with an empty part or `..`) is reported; when nothing at all can be
 * read, or the storage does not answer, the run ends. An object is kept as it was when it was opened. Memory: 64 KiB of eight objects ahead.
 *
 * @example new MediaSource({ name: 'uploads', storage: media.storage })
 */
export class MediaSource implements Source {
  readonly name: string;
  readonly parallelEntries = 4;
  readonly #given: MediaSourceOptions['storage'];
  /** Objects that are open. */
  readonly #open = new Set<ObjectEntry>();
  #opened: Promise<Storage> | undefined;

  constructor(options: MediaSourceOptions) {
    this.name = options.name;
    this.#given = options.storage;
    if (this.name === '' || this.name === '.' || this.name === '..' || /[/\0]/.test(this.name)) {
      const message = `${JSON.stringify(this.name)} is not a name for a media storage`;
      throw new HoldfastError('usage.invalid', { message });
    }
  }

  async describe(context: SourceContext): Promise<SourceDescription> {
    throwIfAborted(context.signal);
    return await this.#naming(async (storage) => {
      let expectedSizeBytes = 0;
      let count = 0;
      for await (const { sizeBytes } of storage.list()) {
        throwIfAborted(context.signal);
        expectedSizeBytes += sizeBytes;
        count += 1;
        if (count <= objectLimit) continue;
        expectedSizeBytes = 0;
        break;
      }
      return { type: 'media', label: labelOf(storage), expectedSizeBytes };
    });
  }

  async *entries(context: SourceContext): AsyncGenerator<SourceEntry> {
    throwIfAborted(context.signal);
    const storage = await this.#naming(async (found) => {
      // Of a bucket that is not there nothing is given out.
      for await (const _ of found.list()) break;
      return found;
    });
    const { backend, place } = storage.properties;
    const root = `files/${this.name}`;
    yield { path: root, kind: 'directory', expectedSizeBytes: 0, metadata: { media: { backend, place } } };
    let firstFailure: HoldfastError | undefined;
    let hasRead = false;
    for await (const found of this.#find(storage, context)) {
      if ('kind' in found) {
        yield* this.#foreign(found, storage, context);
      } else if ('error' in found) {
        const failure = this.#report(found, context);
        firstFailure ??= failure;
      } else {
        hasRead = true;
        yield* this.#entry(found, storage, context);
      }
    }
    if (hasRead || firstFailure === undefined) return;
    throw new HoldfastError('source.unreadable', {
      message: `not one object of the media storage ${this.name} can be read: ${firstFailure.message}`,
      hint: firstFailure.hint,
      cause: firstFailure,
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((entry) => entry.close()));
    const opened = this.#opened;
    this.#opened = undefined;
    if (typeof this.#given !== 'function') return;
    // Whoever asked for it was told why it could not be opened.
    const storage = await opened?.catch(() => undefined);
    await storage?.close();
  }

  async #storage(): Promise<Storage> {
    if (typeof this.#given !== 'function') return this.#given;
    this.#opened ??= this.#given();
    return await this.#opened;
  }

  /** Runs a step; an error tells which media storage it is about. */
  async #naming<Result>(step: (storage: Storage) => Promise<Result>): Promise<Result> {
    try {
      return await step(await this.#storage());
    } catch (error) {
      if (!(error instanceof HoldfastError) || !error.code.startsWith('storage.')) throw error;
      const { hint, context } = error;
      const message = `media storage ${this.name}: ${error.message}`;
      const isMissing = error.code === 'storage.container_not_found' || error.code === 'storage.not_found';
      const isDenied = error.code === 'storage.unauthorized';
      const code = isMissing ? 'source.not_found' : isDenied ? 'source.unreadable' : error.code;
      throw new HoldfastError(code, { message, hint, context, cause: error });
    }
  }

  /** What is listed, in its order, objects being opened ahead. */
  async *#find(storage: Storage, context: SourceContext): AsyncGenerator<Opening | ForeignObject> {
    const queue: (Promise<Opening> | ForeignObject)[] = [];
    const listing = storage.list('', (foreign) => queue.push(foreign))[Symbol.asyncIterator]();
    try {
      for (let hasEnded = false; !hasEnded || queue.length > 0; ) {
        throwIfAborted(context.signal);
        while (!hasEnded && queue.length < openAhead) {
          const { done, value } = await listing.next();
          if (done === true) hasEnded = true;
          else queue.push(openSettled(storage, value));
        }
        const next = await queue.shift();
        if (next !== undefined) yield next;
      }
    } finally {
      for (const waiting of queue) {
        const left = await waiting;
        if ('object' in left) await left.object.close();
      }
      await listing.return?.();
    }
  }

  async *#entry(
    { listed, object }: Extract<Opening, { readonly object: OpenedObject }>,
    storage: Storage,
    context: SourceContext,
  ): AsyncGenerator<SourceEntry> {
    const path = `files/${this.name}/${listed.name}`;
    const onClose = (closed: ObjectEntry) => void this.#open.delete(closed);
    const entry = new ObjectEntry({ path, object, listed, storage, context, onClose });
    this.#open.add(entry);
    try {
      yield entry;
    } finally {
      // Whoever goes on without having begun to read it does not want its bytes.
      if (!entry.isBegun) await entry.close();
    }
  }

  /** Folders have a path of their own, unless an object has it: archives know one entry of a path. */
  async *#foreign(
    { name, sizeBytes, kind, reason }: ForeignObject,
    storage: Storage,
    context: SourceContext,
  ): AsyncGenerator<SourceEntry> {
    const bare = name.replace(/\/$/, '');
    const path = `files/${this.name}/${bare}`;
    const report = (message: string) => context.report({ code: 'source.unsupported', path, message });
    if (kind !== 'folder') return report(reason);
    const refusal = refusalOf(bare);
    if (refusal !== undefined) return report(refusal);
    if (sizeBytes > 0)
      return report(`its name ends in "/", and it has ${sizeBytes} bytes: it is no folder and no file`);
    const isFileToo = await isThere(storage, bare);
    if (isFileToo) return report('it stands for a folder, and a file has its name');
    yield { path, kind: 'directory', expectedSizeBytes: 0, metadata: {} };
  }

  /** Tells of an object that is not in the archive; throws what concerns more than this object. */
  #report(failed: Extract<Opening, { readonly error: unknown }>, context: SourceContext): HoldfastError | undefined {
    const { listed, error } = failed;
    if (!(error instanceof HoldfastError)) throw error;
    const path = `files/${this.name}/${listed.name}`;
    const refusal = refusalOf(listed.name);
    if (refusal !== undefined) {
      context.report({ code: 'source.unsupported', path, message: refusal });
    } else if (error.code === 'storage.not_found') {
      context.report({ code: 'source.vanished', path, message: 'it was removed before it was read' });
      return undefined;
    } else if (error.code === 'storage.unauthorized' || error.code === 'storage.failed') {
      context.report({ code: 'source.unreadable', path, message: error.message });
    } else {
      throw error;
    }
    return error;
  }
}

function labelOf({ properties: { backend, place } }: Storage): string {
  return `${backend}: ${place}`;
}

/** Why no archive can hold a name; undefined where it can. */
function refusalOf(name: string): string | undefined {
  try {
    checkObjectName(name);
    return undefined;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return `${error.message}; give it another name to have it in backups`;
  }
}

async function openSettled(storage: Storage, listed: StoredObject): Promise<Opening> {
  try {
    return { listed, object: await storage.open(listed.name) };
  } catch (error) {
    return { listed, error };
  }
}
