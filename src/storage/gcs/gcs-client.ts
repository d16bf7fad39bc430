import { HoldfastError } from '../../errors.ts';
import { type AttemptOptions, Attempts, type Send } from '../remote/attempts.ts';
import { drop, fillFromResponse, type HttpRequest, httpRequest, jsonOf } from '../remote/http-request.ts';
import type { GcsAccess } from './gcs-adapter.ts';
import { gcsErrorFrom } from './gcs-errors.ts';
import { GcsToken } from './gcs-token.ts';

/** What is used of the resource of an object. */
export interface GcsObject {
  readonly name: string;
  /** Which object it is, of those that had the name one after the other. */
  readonly generation: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** Base64; not of composed objects. */
  readonly md5Hash: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Options of {@link GcsClient}. */
export interface GcsClientOptions extends Omit<AttemptOptions, 'place'> {
  readonly access: GcsAccess;
  readonly bucket: string;
  readonly endpoint?: string | undefined;
}

/** Which statuses are answers rather than errors, besides 200 to 299. */
interface CallOptions {
  readonly place: string;
  readonly also?: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

type CallRequest = Omit<HttpRequest, 'signal'>;

/** The calls of the JSON API that objects need, each with a limit and repeated where it failed for a moment. */
export class GcsClient {
  readonly bucket: string;
  readonly endpoint: string;
  readonly attempts: Attempts;
  readonly #token: GcsToken;

  constructor(options: GcsClientOptions) {
    this.bucket = options.bucket;
    this.endpoint = (options.endpoint ?? 'https://storage.googleapis.com').replace(/\/+$/, '');
    this.attempts = new Attempts({ ...options, place: new URL(this.endpoint).host });
    this.#token = new GcsToken(options.access);
  }

  /** The object's URL in the API. */
  objectUrl(key: string, query: Readonly<Record<string, string>> = {}, action = ''): string {
    const path = `${this.endpoint}/storage/v1/b/${encodeURIComponent(this.bucket)}/o/${encodeURIComponent(key)}${action}`;
    return withQuery(path, query);
  }

  async find(key: string, signal?: AbortSignal): Promise<GcsObject> {
    const place = this.place(key);
    return await this.attempts.run(async (limit) => {
      const response = await this.send({ method: 'GET', url: this.objectUrl(key), signal: limit }, { place });
      return objectFrom(await jsonOf(response));
    }, signal);
  }

  /** Undefined where there is none. */
  async findIfThere(key: string, signal?: AbortSignal): Promise<GcsObject | undefined> {
    try {
      return await this.find(key, signal);
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'storage.not_found') return undefined;
      throw error;
    }
  }

  /** One page of objects whose key begins with the prefix. */
  async list(prefix: string, pageToken: string | undefined) {
    const fields = 'nextPageToken,items(name,generation,size,updated)';
    const query = { prefix, fields, maxResults: '1000', ...(pageToken === undefined ? {} : { pageToken }) };
    const url = withQuery(`${this.endpoint}/storage/v1/b/${encodeURIComponent(this.bucket)}/o`, query);
    return await this.attempts.run(async (limit) => {
      const response = await this.send({ method: 'GET', url, signal: limit }, { place: this.place(prefix) });
      const { items = [], nextPageToken } = (await jsonOf(response)) as {
        items?: readonly unknown[];
        nextPageToken?: string;
      };
      return { objects: items.map(objectFrom), nextPageToken };
    });
  }

  /** What is not there, or is another generation by now, is no error. */
  async delete(key: string, generation?: string): Promise<void> {
    const query = generation === undefined ? {} : { ifGenerationMatch: generation };
    const request = { method: 'DELETE', url: this.objectUrl(key, query) };
    await this.#call(request, { place: this.place(key), also: [404, 412] }, drop);
  }

  /** Fills `into` from a generation of an object. */
  async read(object: GcsObject, offset: number, into: Uint8Array, signal: AbortSignal): Promise<void> {
    const url = this.objectUrl(object.name, { alt: 'media', generation: object.generation });
    const headers = { range: `bytes=${offset}-${offset + into.length - 1}`, 'accept-encoding': 'identity' };
    const place = this.place(object.name);
    await this.#call({ method: 'GET', url, headers }, { place, signal }, (response) =>
      fillFromResponse(response, { offset, into, what: place }),
    );
  }

  /** Joins objects into one, which is the generation after `before`: `0` when there is none yet. */
  async compose(
    key: string,
    { parts, before, metadata }: { parts: readonly GcsObject[]; before: string; metadata: Record<string, string> },
    signal: AbortSignal,
  ): Promise<GcsObject> {
    const url = this.objectUrl(key, { ifGenerationMatch: before }, '/compose');
    const sourceObjects = parts.map(({ name, generation }) => ({ name, generation }));
    const body = JSON.stringify({ sourceObjects, destination: { contentType, metadata } });
    const place = this.place(key);
    return await this.attempts.run(async (limit, tryNumber) => {
      const response = await this.send(
        { method: 'POST', url, headers: jsonHeaders, body, signal: limit },
        { place, also: [412] },
      );
      if (response.status !== 412) return objectFrom(await jsonOf(response));
      const error = await gcsErrorFrom(response, place);
      // An earlier try may have arrived, and its answer may be lost.
      const found = tryNumber > 1 ? await this.findIfThere(key, limit) : undefined;
      if (found !== undefined && isSame(found.metadata, metadata)) return found;
      throw error;
    }, signal);
  }

  place(key: string): string {
    return `gs://${this.bucket}/${key}`;
  }

  /** One try of one request, signed in. A token that is refused is made anew once: it may have ended on the way. */
  async send(request: HttpRequest, { place, also = [] }: CallOptions): Promise<Response> {
    for (let isFirst = true; ; isFirst = false) {
      const authorization = await this.#token.header(request.signal);
      const response = await httpRequest({ ...request, headers: { ...request.headers, authorization } });
      if (response.ok || also.includes(response.status)) return response;
      const error = await gcsErrorFrom(response, place);
      if (response.status !== 401 || !isFirst) throw error;
      this.#token.forget();
    }
  }

  async #call<Result>(request: CallRequest, options: CallOptions, use: (response: Response) => Promise<Result>) {
    const send: Send<Result> = async (limit) => use(await this.send({ ...request, signal: limit }, options));
    return await this.attempts.run(send, options.signal);
  }
}

/** Of all objects that are written here. */
export const contentType = 'application/octet-stream';
/** Of requests with a body of JSON. */
export const jsonHeaders = { 'content-type': 'application/json' };

/** A URL with its query. */
export function withQuery(url: string, query: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(query).toString();
  return text === '' ? url : `${url}?${text}`;
}

function isSame(found: Readonly<Record<string, string>>, given: Readonly<Record<string, string>>): boolean {
  return Object.entries(given).every(([key, value]) => found[key] === value);
}

/** Reads the resource of an object. */
export function objectFrom(resource: unknown): GcsObject {
  const { name, generation, size, updated, md5Hash, metadata } = resource as Partial<Record<string, unknown>>;
  return {
    name: String(name),
    generation: String(generation),
    sizeBytes: Number(size),
    modifiedMs: Date.parse(String(updated)),
    md5Hash: typeof md5Hash === 'string' ? md5Hash : undefined,
    metadata: (metadata ?? {}) as Record<string, string>,
  };
}
