import assert from 'node:assert/strict';
import { HoldfastError } from '../../errors.ts';
import type { ObjectDetails, OpenedObject } from '../storage.ts';
import { headersFrom, readHead, wholeSeconds } from './object-head.ts';
import { bodyOf, discardBody, type S3Connection } from './s3-connection.ts';

/** The beginning of an object comes with its size, in one answer: that is where readers look first. */
const headBytes = 64 * 1024;
/** Longer reads are made of several requests at once. */
const requestBytes = 4 * 2 ** 20;
/** Requests of one object that are under way at once. */
const requestsAtOnce = 4;

interface Opening {
  readonly sizeBytes: number;
  readonly etag: string;
  readonly head: Uint8Array;
  readonly details: ObjectDetails;
}

/** Opens an object for reading. What is read is of the object that stands there now; once it is replaced, reads fail. */
export async function openS3Object(
  connection: S3Connection,
  options: { readonly key: string; readonly etag?: string },
): Promise<OpenedObject> {
  return new S3Object(connection, options.key, await readOpening(connection, options));
}

async function readOpening(
  connection: S3Connection,
  { key, etag }: { readonly key: string; readonly etag?: string },
): Promise<Opening> {
  const condition = etag === undefined ? {} : { IfMatch: etag };
  try {
    return await connection.call({
      operation: 'GetObject',
      key,
      sizeBytes: headBytes,
      run: async (s3, options) => {
        const input = { Bucket: connection.bucket, Key: key, Range: `bytes=0-${headBytes - 1}`, ...condition };
        const answer = await s3.getObject(input, options);
        const total = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1] ?? answer.ContentLength;
        const sizeBytes = Number(total);
        const length = Math.min(sizeBytes, headBytes);
        if (answer.ETag === undefined || !Number.isSafeInteger(sizeBytes)) {
          await discardBody(answer);
          throw new HoldfastError('storage.failed', { message: `${connection.host} told no size of ${key}` });
        }
        const chunks: Uint8Array[] = [];
        let done = 0;
        for await (const chunk of bodyOf(answer)) {
          chunks.push(chunk);
          done += chunk.length;
          if (done > length) break;
        }
        if (done < length) {
          throw new HoldfastError('storage.unavailable', { message: `${connection.host} cut its answer` });
        }
        const { ETag: tag, LastModified } = answer;
        const details = { etag: tag, modifiedMs: wholeSeconds(LastModified), headers: headersFrom(answer) };
        return { sizeBytes, etag: tag, head: Buffer.concat(chunks).subarray(0, length), details };
      },
    });
  } catch (error) {
    // No range lies in an object without bytes.
    if (error instanceof HoldfastError && error.context['status'] === 416) {
      const found = await readHead(connection, key);
      const details = { etag: found.etag, modifiedMs: found.modifiedMs, headers: found.headers };
      // Replaced in between by one that has bytes.
      if (found.sizeBytes > 0) return await readOpening(connection, etag === undefined ? { key } : { key, etag });
      return { sizeBytes: 0, etag: '', head: new Uint8Array(0), details };
    }
    throw error;
  }
}

class S3Object implements OpenedObject {
  readonly sizeBytes: number;
  readonly details: ObjectDetails;
  readonly #connection: S3Connection;
  readonly #key: string;
  readonly #etag: string;
  readonly #head: Uint8Array;
  readonly #closing = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(connection: S3Connection, key: string, opening: Opening) {
    this.#connection = connection;
    this.#key = key;
    this.sizeBytes = opening.sizeBytes;
    this.details = opening.details;
    this.#etag = opening.etag;
    this.#head = opening.head;
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    assert(Number.isSafeInteger(offset) && offset >= 0, 'an offset is a whole number from 0 on');
    if (this.#closing.signal.aborted) throw new HoldfastError('storage.failed', { message: 'it was closed' });
    const length = Math.max(0, Math.min(into.length, this.sizeBytes - offset));
    const known = this.#head.subarray(offset, offset + length);
    into.set(known);
    const requests: Promise<void>[] = [];
    for (let done = known.length; done < length; done += requestBytes) {
      const piece = into.subarray(done, Math.min(length, done + requestBytes));
      requests.push(this.#request(offset + done, piece));
    }
    // None writes to the caller's memory any more when this ends.
    const results = await Promise.allSettled(requests);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    return length;
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  async #request(offset: number, into: Uint8Array): Promise<void> {
    if (this.#underWay >= requestsAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#underWay += 1;
    try {
      const { signal } = this.#closing;
      await this.#connection.readRange({ key: this.#key, etag: this.#etag, offset, into, signal });
    } catch (error) {
      throw this.#failureOf(error);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay -= 1;
      else next();
    }
  }

  #failureOf(error: unknown): unknown {
    if (this.#closing.signal.aborted) return new HoldfastError('storage.failed', { message: 'it was closed' });
    if (!(error instanceof HoldfastError) || error.code !== 'storage.conflict') return error;
    const message = `${this.#key}: it was replaced while it was read`;
    const context = { ...error.context, replaced: true };
    return new HoldfastError('storage.unavailable', { message, hint: 'run it again', context, cause: error });
  }
}
