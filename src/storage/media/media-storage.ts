import { HoldfastError } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import { checkObjectName } from '../object-name.ts';
import type { ObjectHeaders, Storage, StorageProperties } from '../storage.ts';
import { contentTypeByName } from './content-type.ts';
import { suffixedName } from './free-name.ts';
import { type MediaContent, type ReadyContent, readyContent } from './media-content.ts';
import { MediaFile } from './media-file.ts';

const usualExpirySeconds = 3600;
/** The longest that a signature of version 4 is valid. */
const longestExpirySeconds = 7 * 24 * 3600;
/** Forty random bits meet twice never, or somebody is at work. */
const mostTries = 5;

/** Options of {@link MediaStorage}. */
export interface MediaStorageOptions {
  /** Where the files are; it is closed with the media storage. */
  readonly storage: Storage;
  /**
   * URL below which anybody can read the files: that of a CDN, or in development `/media/` of the application's own server. Unless set URLs are
   * signed and expire.
   */
  readonly publicUrl?: string;
  /** Gives files that are saved an ACL that lets anybody read them, where the storage has such; needs `publicUrl`. False unless set. */
  readonly isPublic?: boolean;
  /** How long signed URLs are valid: 3,600 unless set, 604,800 at most. */
  readonly urlExpiresSeconds?: number;
  /** `Cache-Control` of files that are saved; none unless set. */
  readonly cacheControl?: string;
  /** The type of content by a file's name; by its extension unless set. `undefined` is `application/octet-stream`. */
  readonly contentTypeOf?: (name: string) => string | undefined;
  readonly random?: Random;
}

/** How a file is saved. */
export interface SaveOptions extends ObjectHeaders {
  readonly signal?: AbortSignal;
}

/** A file as it is listed. */
export interface ListedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

/**
 * An application's files that users made, on any storage: a bucket in production, a folder or memory in development. Names are relative, with
 * `/`; one that would leave the root throws `storage.unauthorized`. Other errors are those of {@link Storage}.
 *
 * @example
 * const media = new MediaStorage({ storage: new LocalStorage({ root: 'uploads' }), publicUrl: '/media/' });
 * const name = await media.save('avatars/me.png', request.body);
 * await media.url(name); // '/media/avatars/me.png'
 */
export class MediaStorage implements AsyncDisposable {
  readonly #options: MediaStorageOptions;
  readonly #storage: Storage;
  readonly #random: Random;

  constructor(options: MediaStorageOptions) {
    this.#options = options;
    this.#storage = options.storage;
    this.#random = options.random ?? systemRandom;
    if (options.isPublic === true && options.publicUrl === undefined) {
      const message = 'files of a media storage are to be public, and it is not said where';
      throw new HoldfastError('config.invalid', { message, hint: 'set publicUrl, as in "https://cdn.example.org/"' });
    }
    checkExpiry(options.urlExpiresSeconds ?? usualExpirySeconds);
  }

  /** What the storage is like. */
  get properties(): StorageProperties {
    return this.#storage.properties;
  }

  /** Whether anybody may read what is saved. */
  get isPublic(): boolean {
    return this.#options.isPublic ?? false;
  }

  /** The storage itself, for backups. */
  get storage(): Storage {
    return this.#storage;
  }

  /**
   * Keeps a file, under this name or, where that is taken, under one with a random suffix; gives the name. It replaces nothing, also where two
   * save the same name at once: where the storage cannot tell them apart, and for streams from 5 MiB on, which cannot be sent twice, the name gets its
   * suffix at once. The file appears whole, or not at all. Memory: up to 5 MiB of a stream, and what the storage's writer takes.
   */
  async save(name: string, content: MediaContent, options: SaveOptions = {}): Promise<string> {
    checkObjectName(name);
    const ready = await readyContent(content);
    try {
      return await this.#saveReady(name, ready, options);
    } finally {
      await ready.close();
    }
  }

  /** Opens a file as it is now. Throws `storage.not_found`. */
  async open(name: string): Promise<MediaFile> {
    return new MediaFile(name, await this.#storage.open(name), this.#contentTypeOf(name));
  }

  /** Removes a file; one that is not there is no error. */
  async delete(name: string): Promise<void> {
    await this.#storage.delete(name);
  }

  /** Whether there is such a file. */
  async exists(name: string): Promise<boolean> {
    try {
      await this.#storage.stat(name);
      return true;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'storage.not_found') return false;
      throw error;
    }
  }

  /** The files whose names begin with the prefix, in no particular order, also those of folders below. */
  async *list(prefix = ''): AsyncGenerator<ListedFile> {
    for await (const { name, sizeBytes, modifiedMs } of this.#storage.list(prefix)) {
      yield { name, sizeBytes, modifiedAt: new Date(modifiedMs) };
    }
  }

  /** In bytes. Throws `storage.not_found`. */
  async size(name: string): Promise<number> {
    return (await this.#storage.stat(name)).sizeBytes;
  }

  /** When it was saved. Throws `storage.not_found`. */
  async modifiedAt(name: string): Promise<Date> {
    return new Date((await this.#storage.stat(name)).modifiedMs);
  }

  /**
   * A URL for browsers: below `publicUrl`, else one that is signed and expires. Whether there is such a file is not looked at. Throws
   * `config.invalid` where the storage has no signed URLs and there is no `publicUrl`.
   */
  async url(name: string, options: { readonly expiresSeconds?: number } = {}): Promise<string> {
    checkObjectName(name);
    const { publicUrl, urlExpiresSeconds = usualExpirySeconds } = this.#options;
    if (publicUrl !== undefined) return `${publicUrl.replace(/\/*$/, '/')}${encodeName(name)}`;
    const expiresSeconds = options.expiresSeconds ?? urlExpiresSeconds;
    checkExpiry(expiresSeconds);
    const { signedUrl } = this.#storage;
    if (signedUrl !== undefined) return await signedUrl.call(this.#storage, name, expiresSeconds);
    throw new HoldfastError('config.invalid', {
      message: `a storage of the kind ${this.properties.backend} has no URLs for browsers of its own`,
      hint: 'set publicUrl to where its files are served, as in "/media/"',
    });
  }

  /** Ends connections. May be repeated. */
  async close(): Promise<void> {
    await this.#storage.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #saveReady(name: string, ready: ReadyContent, options: SaveOptions): Promise<string> {
    const { createOnlyBytes = 0 } = this.properties;
    const isSure = ready.sizeBytes !== undefined && ready.sizeBytes < createOnlyBytes;
    let free = isSure && !(await this.exists(name)) ? name : await this.#freeName(name);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#write(free, ready, options);
      } catch (error) {
        const isTaken = error instanceof HoldfastError && error.code === 'storage.conflict';
        if (!isTaken || ready.sizeBytes === undefined || attempt >= mostTries) throw error;
        free = await this.#freeName(name);
      }
    }
  }

  async #freeName(name: string): Promise<string> {
    for (;;) {
      const free = suffixedName(name, this.#random);
      if (!(await this.exists(free))) return free;
    }
  }

  async #write(name: string, ready: ReadyContent, { signal, ...given }: SaveOptions): Promise<string> {
    const { cacheControl } = this.#options;
    const contentType = given.contentType ?? this.#contentTypeOf(name);
    const headers = { ...(cacheControl === undefined ? {} : { cacheControl }), ...given, contentType };
    const writer = await this.#storage.writer(name, {
      copies: 1,
      createOnly: true,
      headers,
      isPublic: this.isPublic,
      ...(ready.sizeBytes === undefined ? {} : { expectedSizeBytes: ready.sizeBytes }),
      ...(signal === undefined ? {} : { signal }),
    });
    try {
      for await (const chunk of ready.open()) await writer.write(chunk);
      return (await writer.commit()).name;
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  #contentTypeOf(name: string): string {
    const { contentTypeOf = contentTypeByName } = this.#options;
    return contentTypeOf(name) ?? 'application/octet-stream';
  }
}

/** A name as the path of a URL. */
function encodeName(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}

function checkExpiry(expiresSeconds: number): void {
  if (Number.isInteger(expiresSeconds) && expiresSeconds >= 1 && expiresSeconds <= longestExpirySeconds) return;
  throw new HoldfastError('usage.invalid', {
    message: `a URL is valid for 1 to ${longestExpirySeconds} seconds, not ${expiresSeconds}`,
  });
}
