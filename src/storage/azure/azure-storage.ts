import type { BlobClient, ContainerClient } from '@azure/storage-blob';
import { type Clock, systemClock, type Wait } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import type { Random } from '../../random.ts';
import { appendWriter } from '../remote/append-steps.ts';
import { Attempts, type Send } from '../remote/attempts.ts';
import { ObjectKeys } from '../remote/object-key.ts';
import { fillFrom, rangedAccess } from '../remote/ranged-access.ts';
import { freedAfterUse } from '../remote/received-memory.ts';
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
import type { AzureAccess } from './azure-adapter.ts';
import { accessWarnings, azureContainer, expiryMs, withoutSas } from './azure-container.ts';
import { azureErrorFrom } from './azure-errors.ts';
import { AzureWriter } from './azure-writer.ts';

/** Options of {@link AzureStorage}. */
export interface AzureStorageOptions {
  readonly access: AzureAccess;
  /** A folder in the container. */
  readonly prefix?: string | undefined;
  readonly accessTier?: 'Hot' | 'Cool' | 'Cold' | undefined;
  /** Limit of one request: 120,000 unless set. */
  readonly timeoutMs?: number | undefined;
  /** Tries of one request: 6 unless set. */
  readonly tries?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly wait?: Wait | undefined;
  /** First size of blocks, for tests. */
  readonly blockSizeBytes?: ((index: number, copies: number) => number) | undefined;
}

/** "Naming and Referencing Containers, Blobs, and Metadata": 1,024 characters; a backslash becomes a slash, a dot at the end is lost. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is meant
const keyRules = { forbidden: /[\\\x00-\x1f\x7f]|\.(?=\/|$)/, limitBytes: 1024 };
const pageSize = 1000;

/**
 * Objects are block blobs. Each copy's blocks are uploaded as they are made, side by side; one request puts them together at commit.
 * What was uploaded for an object that was not committed is removed by Azure after a week. An object that is replaced while it is
 * read ends the reading with `storage.unavailable`.
 */
export class AzureStorage implements Storage {
  readonly properties: StorageProperties;
  readonly #container: ContainerClient;
  readonly #keys: ObjectKeys;
  readonly #attempts: Attempts;
  readonly #options: AzureStorageOptions;
  readonly #url: string;

  constructor(options: AzureStorageOptions) {
    this.#container = azureContainer(options.access);
    this.#keys = new ObjectKeys(options.prefix, keyRules);
    this.#url = withoutSas(this.#container.url);
    this.#options = options;
    this.#attempts = new Attempts({ ...options, place: new URL(this.#url).host });
    this.properties = {
      backend: 'azure',
      place: `${this.#url}/${this.#keys.prefix}`,
      warnings: accessWarnings(this.#container.url, options.clock ?? systemClock),
      usesSpool: false,
      createOnlyBytes: Number.POSITIVE_INFINITY,
    };
  }

  async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    const blob = this.#container.getBlockBlobClient(this.#keys.keyOf(name));
    const context = {
      ...{ name, blob, copies: options.copies, onReplicate: options.onReplicate },
      createOnly: options.createOnly ?? false,
      send: <Result>(request: Send<Result>, signal?: AbortSignal) => this.#send(name, request, signal),
      openVersion: (etag: string, sizeBytes: number) => this.#reads(name, { etag, sizeBytes }),
      accessTier: this.#options.accessTier,
      random: this.#options.random,
      blockSizeBytes: this.#options.blockSizeBytes,
    };
    // The copies are made side by side here: what is left of it sees to order, signals and failures.
    return await openSpooledWriter(async () => appendWriter((signal) => new AzureWriter(context, signal)), {
      ...options,
      copies: 1,
    });
  }

  async open(name: string): Promise<RandomAccess> {
    const { etag, sizeBytes } = await this.#find(name);
    return this.#reads(name, { etag, sizeBytes });
  }

  async stat(name: string): Promise<StoredObject> {
    const { sizeBytes, modifiedMs } = await this.#find(name);
    return { name, sizeBytes, modifiedMs };
  }

  async *list(prefix = '', onForeign?: (foreign: ForeignObject) => void): AsyncIterable<StoredObject> {
    const listing = { prefix: this.#keys.listingPrefix(prefix) };
    let continuationToken: string | undefined;
    do {
      const page = await this.#send(this.#keys.prefix, async (abortSignal) => {
        const settings = { maxPageSize: pageSize, ...(continuationToken === undefined ? {} : { continuationToken }) };
        const { value } = await this.#container
          .listBlobsFlat({ ...listing, abortSignal })
          .byPage(settings)
          .next();
        return value;
      });
      for (const item of page?.segment.blobItems ?? []) {
        const name = this.#keys.nameOf(item.name);
        const { contentLength = 0, lastModified } = item.properties;
        if (name === undefined) onForeign?.(this.#keys.foreign(item.name, contentLength));
        else if (name.startsWith(prefix)) {
          yield { name, sizeBytes: contentLength, modifiedMs: lastModified.getTime() };
        }
      }
      continuationToken = page?.continuationToken || undefined;
    } while (continuationToken !== undefined);
  }

  async delete(name: string): Promise<void> {
    const blob = this.#blob(name);
    try {
      await this.#send(name, (abortSignal) => blob.delete({ deleteSnapshots: 'include', abortSignal }));
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'storage.not_found') throw error;
    }
  }

  url(name: string): string {
    return `${this.#url}/${this.#keys.keyOf(name)}`;
  }

  async close(): Promise<void> {}

  #blob(name: string): BlobClient {
    return this.#container.getBlobClient(this.#keys.keyOf(name));
  }

  async #find(name: string): Promise<{ etag: string; sizeBytes: number; modifiedMs: number }> {
    const blob = this.#blob(name);
    const found = await this.#send(name, (abortSignal) => blob.getProperties({ abortSignal }));
    const { etag = '', contentLength = 0, lastModified } = found;
    return { etag, sizeBytes: contentLength, modifiedMs: lastModified?.getTime() ?? 0 };
  }

  #reads(name: string, { etag, sizeBytes }: { etag: string; sizeBytes: number }): RandomAccess {
    const blob = this.#blob(name);
    return rangedAccess(sizeBytes, async (offset, into, closed) => {
      const read = async (abortSignal: AbortSignal) => {
        const options = { conditions: { ifMatch: etag }, maxRetryRequests: 0, abortSignal };
        const { readableStreamBody } = await blob.download(offset, into.length, options);
        if (readableStreamBody)
          await fillFrom(freedAfterUse(readableStreamBody as AsyncIterable<Buffer>), into, this.url(name));
      };
      try {
        await this.#send(name, read, closed);
      } catch (error) {
        throw isGone(error) ? replacedError(this.url(name), error) : error;
      }
    });
  }

  /** One request; errors come out as `HoldfastError`. */
  async #send<Result>(name: string, request: Send<Result>, signal?: AbortSignal): Promise<Result> {
    const { clock } = this.#options;
    const access = { place: `${this.#url}/${name}`, expiresMs: expiryMs(this.#container.url), clock };
    const mapped: Send<Result> = async (limit, tryNumber) => {
      try {
        return await request(limit, tryNumber);
      } catch (error) {
        throw azureErrorFrom(error, access);
      }
    };
    return await this.#attempts.run(mapped, signal);
  }
}

function isGone(error: unknown): boolean {
  return error instanceof HoldfastError && ['storage.conflict', 'storage.not_found'].includes(error.code);
}

/** May be repeated, with the object that stands there now: it is no damage of the archive. */
function replacedError(place: string, cause: unknown): HoldfastError {
  return new HoldfastError('storage.unavailable', {
    message: `${place}: it was replaced or deleted while it was read`,
    hint: 'run it again',
    cause,
  });
}
