import assert from 'node:assert/strict';
import type { _Object as ListedObject } from '@aws-sdk/client-s3';
import { type Clock, systemClock } from '../../clock.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { Random } from '../../random.ts';
import { nameTaken } from '../name-taken.ts';
import { checkObjectName } from '../object-name.ts';
import type {
  ForeignObject,
  OpenedObject,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../storage.ts';
import { headIfThere, readHead, wholeSeconds } from './object-head.ts';
import type { S3ObjectSettings } from './object-settings.ts';
import { leastPartBytes } from './part-sizes.ts';
import type { S3Connection } from './s3-connection.ts';
import { openS3Object } from './s3-object.ts';
import { S3Writer, type UploadLimits } from './s3-writer.ts';
import { findMarks, removeMarksOf } from './unchecked-mark.ts';
import { removeUnfinished } from './unfinished.ts';
import { digestOfName, isUnfinishedName, uncheckedMarkName, unfinishedName } from './unfinished-key.ts';

/** S3's limit, in bytes of UTF-8. */
const mostKeyBytes = 1024;

/** Options of {@link S3Storage}. */
export interface S3StorageOptions {
  readonly connection: S3Connection;
  /** Before every name: empty, or ending in `/`. */
  readonly prefix: string;
  readonly settings: S3ObjectSettings;
  readonly warnings: readonly string[];
  /** Surely knows `If-None-Match: *`, as its provider says. */
  readonly isCreateOnlyKnown: boolean;
  readonly random: Random;
  readonly clock?: Clock;
  readonly limits?: UploadLimits;
}

/**
 * Objects of a bucket, below a prefix. One that is not checked yet is not listed. An object that is open while it is replaced cannot be read on: reads fail, they never mix the two.
 * Times are whole seconds.
 */
export class S3Storage implements Storage {
  readonly properties: StorageProperties;
  readonly #options: S3StorageOptions;
  readonly #connection: S3Connection;
  #cleaned: Promise<void> | undefined;

  constructor(options: S3StorageOptions) {
    const { connection, prefix, warnings, isCreateOnlyKnown } = options;
    this.#options = options;
    this.#connection = connection;
    const place = `${connection.bucket}${prefix === '' ? '' : `/${prefix}`} at ${connection.host}`;
    // What is smaller goes by one request, whose condition is known better than that of an upload in parts.
    const sure = isCreateOnlyKnown ? { createOnlyBytes: leastPartBytes } : {};
    this.properties = { backend: 's3', place, warnings, usesSpool: false, ...sure };
  }

  async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    const key = this.#key(name);
    assert(Number.isInteger(options.copies) && options.copies >= 1 && options.copies <= 8, 'copies are 1 to 8');
    throwIfAborted(options.signal);
    const { prefix, settings, random, clock = systemClock, limits = {} } = this.#options;
    const connection = this.#connection;
    const { headers, isPublic, createOnly = false } = options;
    const isSure = createOnly && this.#options.isCreateOnlyKnown;
    const there = isSure ? undefined : await headIfThere(readHead(connection, key));
    if (createOnly && there !== undefined) throw nameTaken(name);
    this.#cleaned ??= removeUnfinished({ connection, prefix, clock }).catch((error: unknown) => {
      // The next writer tries it anew.
      this.#cleaned = undefined;
      throw error;
    });
    await this.#cleaned;
    throwIfAborted(options.signal);
    const writerId = Buffer.from(random.bytes(16)).toString('hex');
    const replaces = there !== undefined;
    return new S3Writer(
      {
        name,
        target: {
          connection,
          key,
          settings: { ...settings, ...(headers && { headers }), ...(isPublic === true && { isPublic }) },
          writerId,
          createOnly: !replaces,
        },
        makeStagingKey: () => `${prefix}${unfinishedName(random)}`,
        markKey: `${prefix}${uncheckedMarkName(name, random)}`,
        removeOlderMarks: () => removeMarksOf({ connection, prefix }, name),
        replaces,
        limits,
      },
      options,
    );
  }

  async open(name: string): Promise<OpenedObject> {
    return await openS3Object(this.#connection, { key: this.#key(name) });
  }

  async stat(name: string): Promise<StoredObject> {
    const { sizeBytes, modifiedMs } = await readHead(this.#connection, this.#key(name));
    return { name, sizeBytes, modifiedMs };
  }

  async *list(prefix = '', onForeign?: (foreign: ForeignObject) => void): AsyncIterable<StoredObject> {
    const base = this.#options.prefix;
    const marks = await findMarks({ connection: this.#connection, prefix: base });
    for await (const { Key, Size, LastModified } of this.#pages(`${base}${prefix}`)) {
      if (Key === undefined || !Key.startsWith(base)) continue;
      const name = Key.slice(base.length);
      if (isUnfinishedName(name) || name === '') continue;
      if (marks.size > 0 && marks.has(digestOfName(name))) continue;
      const sizeBytes = Size ?? 0;
      // Consoles make empty objects as folders.
      if (name.endsWith('/')) onForeign?.({ name, sizeBytes, kind: 'folder', reason: 'it stands for a folder' });
      else yield { name, sizeBytes, modifiedMs: wholeSeconds(LastModified) };
    }
  }

  async delete(name: string): Promise<void> {
    const key = this.#key(name);
    await this.#connection.call({
      operation: 'DeleteObject',
      key,
      run: async (s3, options) => {
        await s3.deleteObject({ Bucket: this.#connection.bucket, Key: key }, options);
      },
    });
  }

  url(name: string): string {
    return `s3://${this.#connection.bucket}/${this.#options.prefix}${name}`;
  }

  async signedUrl(name: string, expiresSeconds: number): Promise<string> {
    return await this.#connection.signedUrl(this.#key(name), expiresSeconds);
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  async *#pages(prefix: string): AsyncGenerator<ListedObject> {
    let token: string | undefined;
    do {
      const from = token === undefined ? {} : { ContinuationToken: token };
      const page = await this.#connection.call({
        operation: 'ListObjectsV2',
        run: (s3, options) =>
          s3.listObjectsV2({ Bucket: this.#connection.bucket, Prefix: prefix, EncodingType: 'url', ...from }, options),
      });
      for (const each of page.Contents ?? []) yield { ...each, ...(each.Key ? { Key: decodeKey(each.Key) } : {}) };
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  #key(name: string): string {
    checkObjectName(name);
    const refuse = (reason: string, hint: string) =>
      new HoldfastError('storage.unauthorized', {
        message: `the name ${JSON.stringify(name)} is refused: ${reason}`,
        hint,
        context: { name },
      });
    if (isUnfinishedName(name)) throw refuse('it is kept for objects that are being written', 'choose another name');
    const key = `${this.#options.prefix}${name}`;
    if (Buffer.byteLength(key) <= mostKeyBytes) return key;
    throw refuse(`with its prefix it has more than ${mostKeyBytes} bytes`, 'choose a shorter name');
  }
}

/** Names may hold what XML cannot: they are asked for, and come, percent-encoded. */
function decodeKey(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}
