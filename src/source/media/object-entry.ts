import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { OpenedObject, Storage, StoredObject } from '../../storage/storage.ts';
import { ReadableBytes } from '../readable-bytes.ts';
import type { EntryBytes, EntryMetadata, SourceContext, SourceEntry } from '../source.ts';
import { objectMetadata } from './object-metadata.ts';

/** What an {@link ObjectEntry} is made from. */
export interface ObjectEntryOptions {
  readonly path: string;
  readonly object: OpenedObject;
  /** As it was listed. */
  readonly listed: StoredObject;
  readonly storage: Storage;
  readonly context: SourceContext;
  readonly onClose: (entry: ObjectEntry) => void;
}

/** An open object as an entry: its bytes as they were when it was opened. */
export class ObjectEntry implements SourceEntry {
  readonly path: string;
  readonly kind = 'file';
  readonly expectedSizeBytes: number;
  metadata: EntryMetadata;
  readonly #options: ObjectEntryOptions;
  #isBegun = false;

  constructor(options: ObjectEntryOptions) {
    const { object, listed, path } = options;
    this.#options = options;
    this.path = path;
    this.expectedSizeBytes = object.sizeBytes;
    this.metadata = objectMetadata(object.details ?? { modifiedMs: listed.modifiedMs, headers: {} });
  }

  /** Whether its bytes were asked for. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** May be repeated. */
  async close(): Promise<void> {
    await this.#options.object.close();
    this.#options.onClose(this);
  }

  open(signal: AbortSignal | undefined): EntryBytes {
    this.#isBegun = true;
    const { object } = this.#options;
    let doneBytes = 0;
    let hasEnded = false;
    const end = async (): Promise<0> => {
      if (!hasEnded) {
        hasEnded = true;
        await this.#compare(doneBytes);
        await this.close();
      }
      return 0;
    };
    return new ReadableBytes(async (into) => {
      throwIfAborted(signal);
      const length = Math.min(into.length, this.expectedSizeBytes - doneBytes);
      if (length === 0 || hasEnded) return await end();
      let bytesRead = 0;
      try {
        bytesRead = await object.read(doneBytes, into.subarray(0, length));
      } catch (error) {
        this.#markChanged(`${reasonOf(error)}; only its first ${doneBytes} bytes are kept`);
      }
      doneBytes += bytesRead;
      return bytesRead === 0 ? await end() : bytesRead;
    });
  }

  #markChanged(message: string): void {
    if (this.metadata['changed'] === true) return;
    this.metadata = { ...this.metadata, changed: true };
    this.#options.context.report({ code: 'source.changed', path: this.path, message });
  }

  async #compare(doneBytes: number): Promise<void> {
    const { object, storage, listed } = this.#options;
    if (doneBytes < object.sizeBytes) {
      this.#markChanged(`it was cut to ${doneBytes} bytes while it was read`);
      return;
    }
    // All reads were of one version.
    if (object.details?.etag !== undefined) return;
    const before = object.details?.modifiedMs ?? listed.modifiedMs;
    const after = await statIfThere(storage, listed.name);
    if (after?.sizeBytes === object.sizeBytes && after.modifiedMs === before) return;
    this.#markChanged('it changed while it was read; the bytes are kept as they were read');
  }
}

async function statIfThere(storage: Storage, name: string): Promise<StoredObject | undefined> {
  try {
    return await storage.stat(name);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'storage.not_found') return undefined;
    throw error;
  }
}

/** Why the rest of an object cannot be had. What concerns more than this object is thrown on: the run ends with it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof HoldfastError)) throw error;
  if (error.code === 'storage.not_found') return 'it was removed while it was read';
  if (error.context['replaced'] === true) return 'it was replaced while it was read';
  if (error.code === 'storage.unauthorized' || error.code === 'storage.failed') return error.message;
  throw error;
}
