import { type Clock, systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import type { Random } from '../../random.ts';
import { appendWriter } from '../remote/append-steps.ts';
import { clearTextWarnings } from '../remote/network-error.ts';
import { ObjectKeys } from '../remote/object-key.ts';
import { rangedAccess } from '../remote/ranged-access.ts';
import type {
  ForeignObject,
  RandomAccess,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage.ts';
import { openSpooledWriter } from '../wrap/spool.ts';
import { GcsClient, type GcsClientOptions, type GcsObject } from './gcs-client.ts';
import { GcsWriter } from './gcs-writer.ts';

/** Options of {@link GcsStorage}. */
export interface GcsStorageOptions extends GcsClientOptions {
  /** A folder in the bucket. */
  readonly prefix?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  /** Size of what is sent at once: 8 MiB unless set; a multiple of 256 KiB. */
  readonly chunkBytes?: number | undefined;
}

/** "Object naming requirements": 1,024 bytes of UTF-8, without line breaks; other control characters are advised against. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is meant
const keyRules = { forbidden: /[\x00-\x1f\x7f]/, limitBytes: 1024 };
const partialName = '.holdfast-partial/';
/** Parts are made at commit: no commit takes longer than this. */
const staleAfterMs = 7 * 24 * 60 * 60 * 1000;

/**
 * Objects of a bucket. Each copy is uploaded to an object of its own in a hidden folder, side by side; at commit Google joins them.
 * Parts of runs that died are removed by a later run, after a week. An object that is replaced while it is read ends the reading with
 * `storage.unavailable`.
 */
export class GcsStorage implements Storage {
  readonly properties: StorageProperties;
  readonly #client: GcsClient;
  readonly #keys: ObjectKeys;
  readonly #options: GcsStorageOptions;

  constructor(options: GcsStorageOptions) {
    this.#client = new GcsClient(options);
    this.#keys = new ObjectKeys(options.prefix, keyRules);
    this.#options = options;
    this.properties = {
      backend: 'gcs',
      place: this.#client.place(this.#keys.prefix),
      warnings: clearTextWarnings(this.#client.endpoint),
      usesSpool: false,
      createOnlyBytes: Number.POSITIVE_INFINITY,
    };
  }

  async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    const key = this.#keyOf(name);
    const context = {
      ...{ name, key, client: this.#client, partialFolder: this.#partialFolder },
      ...{ copies: options.copies, onReplicate: options.onReplicate, random: this.#options.random },
      createOnly: options.createOnly ?? false,
      chunkBytes: this.#options.chunkBytes ?? 8 * 1024 * 1024,
    };
    const open = async () => {
      await this.#removeStaleParts();
      return appendWriter((signal) => new GcsWriter(context, signal));
    };
    // The copies are made side by side here: what is left of it sees to order, signals and failures.
    return await openSpooledWriter(open, { ...options, copies: 1 });
  }

  async open(name: string): Promise<RandomAccess> {
    const object = await this.#client.find(this.#keyOf(name));
    return rangedAccess(object.sizeBytes, async (offset, into, closed) => {
      try {
        await this.#client.read(object, offset, into, closed);
      } catch (error) {
        const isGone = error instanceof HoldfastError && error.code === 'storage.not_found';
        throw isGone ? replacedError(this.url(name), error) : error;
      }
    });
  }

  async stat(name: string): Promise<StoredObject> {
    const { sizeBytes, modifiedMs } = await this.#client.find(this.#keyOf(name));
    return { name, sizeBytes, modifiedMs };
  }

  async *list(prefix = '', onForeign?: (foreign: ForeignObject) => void): AsyncIterable<StoredObject> {
    for await (const object of this.#objects(this.#keys.listingPrefix(prefix))) {
      const name = this.#keys.nameOf(object.name);
      if (name === undefined) onForeign?.(this.#keys.foreign(object.name, object.sizeBytes));
      if (name === undefined || !name.startsWith(prefix) || name.startsWith(partialName)) continue;
      yield { name, sizeBytes: object.sizeBytes, modifiedMs: object.modifiedMs };
    }
  }

  async delete(name: string): Promise<void> {
    await this.#client.delete(this.#keyOf(name));
  }

  url(name: string): string {
    return this.#client.place(this.#keys.keyOf(name));
  }

  async close(): Promise<void> {}

  get #partialFolder(): string {
    return `${this.#keys.prefix}${partialName}`;
  }

  #keyOf(name: string): string {
    const key = this.#keys.keyOf(name);
    if (!name.startsWith(partialName)) return key;
    const message = `the name ${JSON.stringify(name)} is kept for objects that are being written`;
    throw new HoldfastError('storage.unauthorized', { message, hint: 'choose another name', context: { name } });
  }

  async *#objects(prefix: string): AsyncGenerator<GcsObject> {
    let pageToken: string | undefined;
    do {
      const page = await this.#client.list(prefix, pageToken);
      yield* page.objects;
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
  }

  async #removeStaleParts(): Promise<void> {
    const nowMs = (this.#options.clock ?? systemClock).nowMs();
    for await (const { name, generation, modifiedMs } of this.#objects(this.#partialFolder)) {
      if (nowMs - modifiedMs > staleAfterMs) await this.#client.delete(name, generation);
    }
  }
}

/** May be repeated, with the object that stands there now: it is no damage of the archive. */
function replacedError(place: string, cause: unknown): HoldfastError {
  return new HoldfastError('storage.unavailable', {
    message: `${place}: it was replaced or deleted while it was read`,
    hint: 'run it again',
    cause,
  });
}
