import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { copyBytes } from '../../bytes.ts';
import { systemWait } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { freeChunk, freeReceived } from '../remote/received-memory.ts';
import type { RandomAccess } from '../storage.ts';
import { type DavResource, strongEtag } from './multi-status.ts';
import { drain, type WebdavClient } from './webdav-client.ts';
import { statusError } from './webdav-errors.ts';

const maximumTries = 4;
const firstDelayMs = 200;
/** Kept from opening on: whoever opens an archive reads its header first. */
const headBytes = 256 * 1024;

/** Reads a file by ranged GETs, several at once. Memory: its first 256 KiB. */
export class WebdavReader implements RandomAccess {
  readonly sizeBytes: number;
  readonly #client: WebdavClient;
  readonly #resource: DavResource;
  readonly #path: string;
  readonly #closing = new AbortController();
  readonly #onAbort = (): void => this.#closing.abort();
  readonly #signal: AbortSignal | undefined;
  #head: Uint8Array = new Uint8Array(0);

  /** `resource` is what the server said of the path. */
  constructor(client: WebdavClient, path: string, resource: DavResource, signal?: AbortSignal) {
    this.#client = client;
    this.#path = path;
    this.#resource = resource;
    this.sizeBytes = resource.sizeBytes;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#onAbort);
  }

  /** Reads the beginning, which is at hand from then on. */
  async prefetch(): Promise<void> {
    const head = new Uint8Array(Math.min(headBytes, this.sizeBytes));
    await this.read(0, head);
    this.#head = head;
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    assert(Number.isSafeInteger(offset) && offset >= 0, 'an offset is a whole number from 0 on');
    const part = into.subarray(0, Math.max(0, Math.min(into.length, this.sizeBytes - offset)));
    this.#throwIfClosed();
    if (offset + part.length <= this.#head.length) {
      part.set(this.#head.subarray(offset, offset + part.length));
      return part.length;
    }
    for (let tries = 1; part.length > 0; tries += 1) {
      try {
        await this.#readOnce(offset, part);
        break;
      } catch (error) {
        this.#throwIfClosed();
        const failure = this.#client.errorOf(error);
        if (!failure.retryable || tries === maximumTries) throw failure;
        await systemWait(firstDelayMs * 2 ** (tries - 1), this.#closing.signal);
        this.#throwIfClosed();
      }
    }
    return part.length;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  #throwIfClosed(): void {
    if (this.#signal?.aborted) throw new HoldfastError('operation.interrupted');
    if (this.#closing.signal.aborted)
      throw new HoldfastError('storage.failed', { message: `${this.#path}: it was closed` });
  }

  async #readOnce(offset: number, into: Uint8Array): Promise<void> {
    const range = `bytes=${offset}-${offset + into.length - 1}`;
    const response = await this.#client.send({
      method: 'GET',
      path: this.#path,
      headers: { range },
      signal: this.#closing.signal,
    });
    const status = response.statusCode ?? 0;
    if (status !== 206 && !(status === 200 && into.length === this.sizeBytes)) {
      if (status !== 200) {
        await drain(response);
        throw status === 416 ? this.#replacedError() : statusError(status, this.#client.place, `GET ${this.#path}`);
      }
      response.destroy();
      const message = `${this.#client.place}: it gives whole files only`;
      throw new HoldfastError('storage.failed', {
        message,
        hint: 'Holdfast needs a server that answers ranges (Range)',
      });
    }
    this.#checkSame(response, offset);
    await this.#receive(response, into);
  }

  /** The object that was opened, and no other one that has taken its place. */
  #checkSame(response: IncomingMessage, offset: number): void {
    const etag = strongEtag(response.headers.etag);
    const isOther = etag !== '' && this.#resource.etag !== '' && etag !== this.#resource.etag;
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)/.exec(response.headers['content-range'] ?? '') ?? [];
    const isElsewhere = start !== undefined && Number(start) !== offset;
    const hasOtherSize = total !== undefined && total !== '*' && Number(total) !== this.sizeBytes;
    if (!isOther && !isElsewhere && !hasOtherSize) return;
    response.destroy();
    throw this.#replacedError();
  }

  async #receive(response: IncomingMessage, into: Uint8Array): Promise<void> {
    let done = 0;
    freeReceived(response);
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      copyBytes(chunk.subarray(0, into.length - done), into, done);
      done += Math.min(chunk.length, into.length - done);
      freeChunk(chunk);
    }
    if (done === into.length) return;
    throw new HoldfastError('storage.unavailable', { message: `${this.#client.place}: the answer to GET ends early` });
  }

  #replacedError(): HoldfastError {
    const message = `${this.#client.place}${this.#path}: it was replaced while it was read`;
    return new HoldfastError('storage.conflict', { message, hint: 'run it again' });
  }
}
