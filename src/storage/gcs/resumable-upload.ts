import { HoldfastError } from '../../errors.ts';
import { drop, jsonOf } from '../remote/http-request.ts';
import type { Part } from '../remote/part-queue.ts';
import { contentType, type GcsClient, type GcsObject, jsonHeaders, objectFrom, withQuery } from './gcs-client.ts';

/** Google keeps what comes in multiples of this; all chunks but the last have such a size. */
export const chunkGranularityBytes = 256 * 1024;

/** Where an upload is: chunks come in order, and what Google kept of one is asked for after each failure. */
export class ResumableUpload {
  readonly #client: GcsClient;
  readonly #key: string;
  readonly #signal: AbortSignal;
  /** The session, which anyone who knows it may write to for a week. */
  #session: string | undefined;
  #keptBytes = 0;

  constructor(client: GcsClient, key: string, signal: AbortSignal) {
    this.#client = client;
    this.#key = key;
    this.#signal = signal;
  }

  /** Sends a chunk that is not the last. */
  async send(part: Part): Promise<void> {
    await this.#sendUntilKept(part, undefined);
  }

  /** Sends the last chunk, which may be empty, and gives the object. */
  async finish(part: Part): Promise<GcsObject> {
    const object = await this.#sendUntilKept(part, part.offset + part.bytes.length);
    if (object !== undefined) return object;
    throw new HoldfastError('storage.unavailable', { message: `${this.#place}: Google did not end the upload` });
  }

  /** Ends the session, if there is one; Google forgets what it kept. */
  async cancel(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    // 499 is its success; 404 and 410 say that it is gone.
    const options = { place: this.#place, also: [404, 410, 499] };
    await this.#client.attempts.run(async (signal) => {
      await drop(await this.#client.send({ method: 'DELETE', url: session, signal }, options));
    });
    this.#session = undefined;
  }

  get #place(): string {
    return this.#client.place(this.#key);
  }

  async #start(): Promise<string> {
    const { endpoint, bucket } = this.#client;
    const path = `${endpoint}/upload/storage/v1/b/${encodeURIComponent(bucket)}/o`;
    const url = withQuery(path, { uploadType: 'resumable', name: this.#key });
    const headers = { ...jsonHeaders, 'x-upload-content-type': contentType };
    return await this.#client.attempts.run(async (signal) => {
      const request = { method: 'POST', url, headers, body: JSON.stringify({ contentType }), signal };
      const response = await this.#client.send(request, { place: this.#place });
      await drop(response);
      const session = response.headers.get('location');
      if (session !== null) return session;
      throw new HoldfastError('storage.failed', { message: `${this.#place}: Google named no place to upload to` });
    }, this.#signal);
  }

  /** Google may keep less of a chunk than came: the rest is sent again. */
  async #sendUntilKept({ offset, bytes }: Part, totalBytes: number | undefined): Promise<GcsObject | undefined> {
    this.#session ??= await this.#start();
    const end = offset + bytes.length;
    do {
      const object = await this.#sendRest(bytes.subarray(this.#keptBytes - offset), totalBytes);
      if (object !== undefined) return object;
    } while (this.#keptBytes < end || totalBytes !== undefined);
    return undefined;
  }

  async #sendRest(rest: Uint8Array, totalBytes: number | undefined): Promise<GcsObject | undefined> {
    const before = this.#keptBytes;
    return await this.#client.attempts.run(async (signal, tryNumber) => {
      if (tryNumber > 1) {
        const object = await this.#ask(signal);
        if (object !== undefined) return object;
      }
      // An earlier try may have brought some of it.
      const left = rest.subarray(this.#keptBytes - before);
      if (left.length === 0 && totalBytes === undefined) return undefined;
      const range = left.length === 0 ? '*' : `${this.#keptBytes}-${this.#keptBytes + left.length - 1}`;
      return await this.#put(`bytes ${range}/${totalBytes ?? '*'}`, left, signal);
    }, this.#signal);
  }

  /** How much Google kept, or the object where it is complete. */
  async #ask(signal: AbortSignal): Promise<GcsObject | undefined> {
    return await this.#put('bytes */*', new Uint8Array(0), signal);
  }

  async #put(contentRange: string, body: Uint8Array, signal: AbortSignal): Promise<GcsObject | undefined> {
    const headers = { 'content-range': contentRange, 'content-type': contentType };
    const request = { method: 'PUT', url: this.#session ?? '', headers, body, signal };
    const response = await this.#client.send(request, { place: this.#place, also: [308, 404, 410] });
    if (response.ok) return objectFrom(await jsonOf(response));
    await drop(response);
    if (response.status !== 308) throw sessionGone(this.#place);
    const last = /^bytes=0-(\d+)$/.exec(response.headers.get('range') ?? '')?.[1];
    const kept = last === undefined ? 0 : Number(last) + 1;
    // Chunks that are gone from memory cannot be sent again.
    if (kept < this.#keptBytes) throw sessionGone(this.#place);
    this.#keptBytes = kept;
    return undefined;
  }
}

function sessionGone(place: string): HoldfastError {
  return new HoldfastError('storage.failed', {
    message: `${place}: Google lost the upload; a session ends after a week`,
    hint: 'run it again',
  });
}
