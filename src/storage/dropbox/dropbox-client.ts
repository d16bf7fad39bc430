import type { Clock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { type AttemptOptions, Attempts } from '../remote/attempts.ts';
import { drop, fillFromResponse, type HttpRequest, httpRequest, jsonOf } from '../remote/http-request.ts';
import type { DropboxAccess } from './dropbox-adapter.ts';
import { dropboxErrorFrom } from './dropbox-errors.ts';
import { DropboxToken } from './dropbox-token.ts';

/** Options of {@link DropboxClient}. */
export interface DropboxClientOptions extends Omit<AttemptOptions, 'place'> {
  readonly access: DropboxAccess;
  /** Where Dropbox is; other places for tests. */
  readonly apiUrl?: string | undefined;
  readonly contentUrl?: string | undefined;
  readonly clock?: Clock | undefined;
}

/** A file, of what Dropbox tells about it. */
export interface DropboxFile {
  /** As its owner writes it; Dropbox takes upper and lower case for the same. */
  readonly path: string;
  /** Which file it is, of those that had the path one after the other. */
  readonly rev: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly contentHash: string;
}

/** One call. */
export interface DropboxCall {
  /** Such as `files/get_metadata`. */
  readonly name: string;
  readonly argument: Readonly<Record<string, unknown>>;
  /** For people: what it is about. */
  readonly place: string;
  /** Sent to the content servers, with the argument in a header. */
  readonly body?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Gives the answer for an error of a later try, when an earlier one did the work; undefined: it is thrown. */
  readonly recover?: (error: HoldfastError, signal: AbortSignal) => Promise<unknown>;
}

/** Calls of Dropbox's HTTP API, version 2, each with a limit and repeated where it failed for a moment. */
export class DropboxClient {
  readonly #apiUrl: string;
  readonly #contentUrl: string;
  readonly #attempts: Attempts;
  readonly #token: DropboxToken;

  constructor(options: DropboxClientOptions) {
    this.#apiUrl = options.apiUrl ?? 'https://api.dropboxapi.com';
    this.#contentUrl = options.contentUrl ?? options.apiUrl ?? 'https://content.dropboxapi.com';
    this.#attempts = new Attempts({ ...options, place: 'Dropbox' });
    this.#token = new DropboxToken({ access: options.access, apiUrl: this.#apiUrl, clock: options.clock });
  }

  /** Gives the answer as JSON. */
  async call({ name, argument, place, body, signal, recover }: DropboxCall): Promise<unknown> {
    const request = body === undefined ? this.#rpc(name, argument) : this.#upload(name, argument, body);
    return await this.#attempts.run(async (limit, tryNumber) => {
      try {
        return await jsonOf(await this.#send({ ...request, signal: limit }, place));
      } catch (error) {
        const isLater = tryNumber > 1 && error instanceof HoldfastError;
        const recovered = isLater ? await recover?.(error, limit) : undefined;
        if (recovered === undefined) throw error;
        return recovered;
      }
    }, signal);
  }

  /** Fills `into` from a file; `path` may be `rev:` and the revision. */
  async download(
    { path, offset, into, place }: { path: string; offset: number; into: Uint8Array; place: string },
    signal: AbortSignal,
  ): Promise<void> {
    const headers = {
      'dropbox-api-arg': asciiJson({ path }),
      range: `bytes=${offset}-${offset + into.length - 1}`,
      'accept-encoding': 'identity',
    };
    const url = `${this.#contentUrl}/2/files/download`;
    await this.#attempts.run(async (limit) => {
      const response = await this.#send({ method: 'POST', url, headers, signal: limit }, place);
      await fillFromResponse(response, { offset, into, what: place });
    }, signal);
  }

  /** The file at a path, or undefined where there is none; a folder is none. */
  async findFile(path: string, place: string, signal?: AbortSignal): Promise<DropboxFile | undefined> {
    try {
      const found = await this.call({ name: 'files/get_metadata', argument: { path }, place, signal });
      return fileFrom(found);
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'storage.not_found') return undefined;
      throw error;
    }
  }

  #rpc(name: string, argument: Readonly<Record<string, unknown>>): Omit<HttpRequest, 'signal'> {
    const headers = { 'content-type': 'application/json' };
    return { method: 'POST', url: `${this.#apiUrl}/2/${name}`, headers, body: JSON.stringify(argument) };
  }

  #upload(name: string, argument: Readonly<Record<string, unknown>>, body: Uint8Array): Omit<HttpRequest, 'signal'> {
    const headers = { 'content-type': 'application/octet-stream', 'dropbox-api-arg': asciiJson(argument) };
    return { method: 'POST', url: `${this.#contentUrl}/2/${name}`, headers, body };
  }

  /** One try of one request, signed in. A token that is refused is made anew once: it may have ended on the way. */
  async #send(request: HttpRequest, place: string): Promise<Response> {
    for (let isFirst = true; ; isFirst = false) {
      const authorization = await this.#token.header(request.signal);
      const response = await httpRequest({ ...request, headers: { ...request.headers, authorization } });
      if (response.ok) return response;
      if (response.status === 401 && isFirst && this.#token.isRenewable) {
        await drop(response);
        await this.#token.forget(authorization);
        continue;
      }
      throw await dropboxErrorFrom(response, place);
    }
  }
}

/** A header takes ASCII: other characters, and DEL, are written as escapes of JSON. */
function asciiJson(value: unknown): string {
  const codeOf = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value).replaceAll(/[\x7f-\uffff]/g, codeOf);
}

/** Reads the metadata of a file; undefined for that of a folder. */
export function fileFrom(metadata: unknown): DropboxFile | undefined {
  const fields = metadata as Partial<Record<string, unknown>>;
  const tag = fields['.tag'] ?? 'file';
  if (tag !== 'file') return undefined;
  return {
    path: String(fields['path_display'] ?? fields['path_lower']),
    rev: String(fields['rev']),
    sizeBytes: Number(fields['size']),
    modifiedMs: Date.parse(String(fields['server_modified'])),
    contentHash: String(fields['content_hash']),
  };
}
