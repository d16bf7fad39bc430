import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import type { GetObjectCommandOutput, S3 } from '@aws-sdk/client-s3';
import { copyBytes } from '../../bytes.ts';
import { systemWait, timeoutSignal } from '../../clock.ts';
import { type ErrorCode, HoldfastError, throwIfAborted } from '../../errors.ts';
import type { Random } from '../../random.ts';
import { PassedBytes } from '../remote/collect-young.ts';
import { freeChunk, freeReceived } from '../remote/received-memory.ts';
import { type S3CallContext, type S3Operation, s3ErrorFrom } from './s3-errors.ts';

/** How long is waited, and how often something is tried. */
export interface S3Patience {
  /** A connection on which nothing moves for so long is given up; 60 s unless set. */
  readonly idleMs: number;
  /** Tries of one request, the first among them; 6 unless set. */
  readonly attempts: number;
  /** The wait before the second try, at most; it doubles with each further one, to 10 s. 200 ms unless set. */
  readonly firstDelayMs: number;
}

export const usualPatience: S3Patience = { idleMs: 60_000, attempts: 6, firstDelayMs: 200 };

/** A request leaves some hundred small objects behind, which live long enough to count as old. */
const passed = new PassedBytes(16 * 1024 * 1024);

const longestDelayMs = 10_000;
/** A server that asks to slow down is given so many times the usual wait. */
const throttledFactor = 5;
/** A request that moves less than this is given up as well, though it never stands still. */
const leastBytesPerSecond = 8 * 1024;
const retried: ReadonlySet<ErrorCode> = new Set([
  'storage.unavailable',
  'storage.timeout',
  'storage.throttled',
  // The SDK has corrected its clock by what the answer told.
  'storage.clock_skew',
]);

/** What a call is given besides its input. */
interface CallOptions {
  readonly abortSignal: AbortSignal;
}

/** A request to be made, and made again. */
export interface S3Call<Result> {
  readonly operation: S3Operation;
  readonly key?: string | undefined;
  /** What it moves, at most; it bounds how long it may take. */
  readonly sizeBytes?: number;
  readonly signal?: AbortSignal | undefined;
  run(s3: S3, options: CallOptions): Promise<Result>;
}

/** A range of an object. */
export interface S3Range {
  readonly key: string;
  readonly offset: number;
  /** Filled from its start; all of it lies in the object. */
  readonly into: Uint8Array;
  /** The object that is meant: another one under the key is an error. */
  readonly etag: string;
  readonly signal: AbortSignal;
}

/** A bucket, with retries and errors that say why. */
export class S3Connection {
  readonly bucket: string;
  readonly host: string;
  /** Learned from an answer: the bucket takes no ACLs. */
  refusesAcls = false;
  readonly #s3: S3;
  readonly #random: Random;
  readonly #patience: S3Patience;
  readonly #digests = new WeakMap<object, string>();

  constructor(options: {
    readonly s3: S3;
    readonly bucket: string;
    readonly host: string;
    readonly random: Random;
    readonly patience: S3Patience;
  }) {
    this.bucket = options.bucket;
    this.host = options.host;
    this.#s3 = options.s3;
    this.#random = options.random;
    this.#patience = options.patience;
    this.#signKnownDigests();
  }

  /** Makes a request, again where that may help. Throws what {@link s3ErrorFrom} makes of its error. */
  async call<Result>(call: S3Call<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt += 1) {
      throwIfAborted(call.signal);
      try {
        return await this.#attempt(call);
      } catch (error) {
        const failure = this.#failureOf(error, call);
        if (attempt >= this.#patience.attempts || !retried.has(failure.code)) throw failure;
        await this.#pause(attempt, failure.code, call.signal);
      }
    }
  }

  /** Tells that these bytes will be sent, more than once perhaps: their SHA-256 is made once. They must not change meanwhile. */
  willSend(bytes: Uint8Array): void {
    this.#digests.set(bytes, hash('sha256', bytes, 'hex'));
  }

  /** Reads a range; goes on where a cut answer ended. */
  async readRange({ key, offset, into, etag, signal }: S3Range): Promise<void> {
    let done = 0;
    await this.call({
      operation: 'GetObject',
      key,
      signal,
      sizeBytes: into.length,
      run: async (s3, options) => {
        const first = offset + done;
        const last = offset + into.length - 1;
        const range = { Range: `bytes=${first}-${last}`, IfMatch: etag };
        const answer = await s3.getObject({ Bucket: this.bucket, Key: key, ...range }, options);
        const told = answer.ContentRange?.startsWith(`bytes ${first}-${last}/`);
        if (told !== true && !(first === 0 && answer.ContentLength === into.length)) {
          await discardBody(answer);
          throw new HoldfastError('storage.failed', { message: `${this.host} does not answer with ranges` });
        }
        freeReceived(answer.Body);
        for await (const chunk of bodyOf(answer)) {
          // More than was asked for would be written past the end.
          if (done + chunk.length > into.length) break;
          copyBytes(chunk, into, done);
          done += chunk.length;
          freeChunk(chunk);
        }
        if (done < into.length) {
          throw new HoldfastError('storage.unavailable', { message: `${this.host} gave less of ${key} than it told` });
        }
      },
    });
  }

  /** A URL that reads an object, until it expires. It holds a signature: whoever has it can read. */
  async signedUrl(key: string, expiresSeconds: number): Promise<string> {
    const [{ GetObjectCommand }, { getSignedUrl }] = await Promise.all([
      import('@aws-sdk/client-s3'),
      import('@aws-sdk/s3-request-presigner'),
    ]);
    try {
      const command = new GetObjectCommand({ Bucket: this.bucket, Key: key });
      return await getSignedUrl(this.#s3, command, { expiresIn: expiresSeconds });
    } catch (error) {
      throw this.#failureOf(error, { operation: 'GetObject', key, run: async () => undefined });
    }
  }

  /** Ends all connections; a request under way fails. */
  close(): void {
    this.#s3.destroy();
  }

  async #attempt<Result>(call: S3Call<Result>): Promise<Result> {
    const limitMs = 2 * this.#patience.idleMs + Math.ceil(((call.sizeBytes ?? 0) / leastBytesPerSecond) * 1000);
    const limit = timeoutSignal(limitMs);
    const abortSignal = call.signal === undefined ? limit : AbortSignal.any([limit, call.signal]);
    try {
      const result = await call.run(this.#s3, { abortSignal });
      passed.add(call.sizeBytes ?? 0);
      return result;
    } catch (error) {
      throwIfAborted(call.signal);
      if (!limit.aborted) throw error;
      const message = `${this.host} took more than ${Math.ceil(limitMs / 1000)} s for ${call.operation}`;
      throw new HoldfastError('storage.timeout', { message, cause: error });
    }
  }

  #failureOf(error: unknown, { operation, key }: S3Call<unknown>): HoldfastError {
    const context: S3CallContext = { operation, bucket: this.bucket, key, host: this.host };
    const failure = s3ErrorFrom(error, context);
    // Holds the socket, and with it headers that were sent.
    if (error instanceof Error) Reflect.deleteProperty(error, '$response');
    return failure;
  }

  async #pause(attempt: number, code: ErrorCode, signal: AbortSignal | undefined): Promise<void> {
    const { firstDelayMs } = this.#patience;
    const factor = code === 'storage.throttled' ? throttledFactor : 1;
    const longest = Math.min(longestDelayMs, firstDelayMs * factor * 2 ** (attempt - 1));
    const [share = 0] = this.#random.bytes(1);
    // Between half of it and all of it: many that were turned away at once do not come back at once.
    const waitMs = longest * (0.5 + share / 510);
    await systemWait(waitMs, signal);
  }

  /** Puts the digests of {@link willSend} where the signature looks for them before it makes its own. */
  #signKnownDigests(): void {
    this.#s3.middlewareStack.add(
      (next) => async (args) => {
        const request = args.request as { headers: Record<string, string>; body?: unknown };
        const digest = this.#digests.get(Object(request.body));
        if (digest !== undefined) request.headers['x-amz-content-sha256'] = digest;
        return await next(args);
      },
      { step: 'build', name: 'holdfastKnownDigests' },
    );
  }
}

/** The bytes of an answer. */
export function bodyOf(answer: GetObjectCommandOutput): AsyncIterable<Uint8Array> {
  const body = answer.Body;
  assert(body !== undefined && Symbol.asyncIterator in body, 'an answer has a body');
  return body as AsyncIterable<Uint8Array>;
}

/** Ends an answer whose bytes are not wanted. */
export async function discardBody(answer: GetObjectCommandOutput): Promise<void> {
  for await (const _ of bodyOf(answer)) break;
}
