import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { rootCertificates } from 'node:tls';
import { HoldfastError } from '../../errors.ts';
import { networkErrorFrom } from '../network-error.ts';
import { authorize, type Challenge, type Credentials, parseChallenge } from './authorization.ts';
import { type DavResource, parseMultiStatus, propertyRequest } from './multi-status.ts';
import { statusError } from './webdav-errors.ts';

/** Where a WebDAV server is, and as whom it is used. */
export interface WebdavServer {
  /** `http:` or `https:`, without user, query and fragment. */
  readonly url: URL;
  readonly credentials: Credentials | undefined;
  /** Certificates that are trusted besides those of the system: PEM. */
  readonly ca: string | undefined;
  /** How long the server may be silent while it is its turn. */
  readonly timeoutMs: number;
}

/** One request. The path is percent-encoded. */
export interface DavRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
  /** Told before it is sent again because its connection ended: the server may have done it already. */
  readonly onRepeat?: () => void;
}

const maximumSockets = 8;
/** Of an answer that nobody reads. */
const maximumDrainBytes = 1024 * 1024;

/** Requests to one server, authorized as it asks. Errors of the network come out as `HoldfastError`; statuses are for the caller. */
export class WebdavClient {
  /** For people. */
  readonly place: string;
  readonly #server: WebdavServer;
  readonly #agent: HttpAgent;
  #challenge: Challenge | undefined;

  constructor(server: WebdavServer) {
    this.#server = server;
    this.place = server.url.origin;
    const settings = { keepAlive: true, maxSockets: maximumSockets };
    this.#agent = this.isTls ? new HttpsAgent({ ...settings, ...this.#trust }) : new HttpAgent(settings);
  }

  get isTls(): boolean {
    return this.#server.url.protocol === 'https:';
  }

  get #trust(): { readonly ca?: string[] } {
    const { ca } = this.#server;
    return ca === undefined ? {} : { ca: [...rootCertificates, ca] };
  }

  get timeoutMs(): number {
    return this.#server.timeoutMs;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** The answer, whose body has to be read to its end or destroyed. A connection that had ended meanwhile is made anew once. */
  async send(request: DavRequest): Promise<IncomingMessage> {
    const wasAuthorized = this.#challenge !== undefined;
    const response = await this.#sendOnce(request);
    if (response.statusCode !== 401 || !this.takeChallenge(response, wasAuthorized)) return response;
    await drain(response);
    return await this.#sendOnce(request);
  }

  /** The status; the body is passed over. */
  async status(request: DavRequest): Promise<number> {
    const response = await this.send(request);
    await drain(response);
    return response.statusCode ?? 0;
  }

  /** What is at a path, and with depth 1 what is in the folder; undefined where nothing is. */
  async properties(path: string, depth: 0 | 1): Promise<AsyncIterable<DavResource> | undefined> {
    const headers = { depth: String(depth), 'content-type': 'application/xml; charset=utf-8' };
    const response = await this.send({ method: 'PROPFIND', path, headers, body: propertyRequest });
    if (response.statusCode === 207) return parseMultiStatus(this.#body(response), this.place);
    await drain(response);
    const status = response.statusCode ?? 0;
    if (status === 404 || status === 410) return undefined;
    // Apache's answer for what would be below a file.
    if (status === 400 && (await this.#isBelowFile(path))) return undefined;
    throw statusError(status, this.place, `PROPFIND ${path}`);
  }

  async #isBelowFile(path: string): Promise<boolean> {
    const parent = path.endsWith('/') ? path.slice(0, -1) : path.slice(0, path.lastIndexOf('/') + 1);
    if (parent === '' || parent === '/') return false;
    const found = await this.properties(parent, 0);
    if (found === undefined) return true;
    for await (const { isFolder } of found) return !isFolder;
    return false;
  }

  /** Begins a request whose body the caller writes: on a connection of its own, authorized by what the server asked for before. */
  begin(request: Omit<DavRequest, 'body'>): ClientRequest {
    const open = this.isTls ? requestHttps : requestHttp;
    const { url } = this.#server;
    return open({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? undefined : url.port,
      path: request.path,
      method: request.method,
      headers: { ...this.#headers(request), ...request.headers },
      agent: false,
      ...this.#trust,
    });
  }

  errorOf(error: unknown): HoldfastError {
    if (error instanceof HoldfastError) return error;
    const network = networkErrorFrom(error, this.place);
    if (network !== undefined) return network;
    const reason = error instanceof Error ? error.message : String(error);
    return new HoldfastError('storage.unavailable', { message: `${this.place}: ${reason}`, cause: error });
  }

  timeoutError(): HoldfastError {
    return new HoldfastError('storage.timeout', {
      message: `${this.place}: it was silent for ${this.timeoutMs} ms`,
    });
  }

  #headers(request: { readonly method: string; readonly path: string }): Record<string, string> {
    const { credentials } = this.#server;
    if (credentials === undefined || this.#challenge === undefined) return {};
    return { authorization: authorize(this.#challenge, credentials, request) };
  }

  /** Notes how a refused request is to be authorized; whether it is worth sending the request again. */
  takeChallenge(response: IncomingMessage, wasAuthorized: boolean): boolean {
    const hadBasic = this.#challenge?.scheme === 'basic';
    const header = response.headers['www-authenticate'];
    const challenge = parseChallenge(header);
    if (challenge === undefined || this.#server.credentials === undefined) return false;
    // The same again would be refused again; a nonce may only be too old.
    if (wasAuthorized && (hadBasic || !/\bstale\s*=\s*"?true/i.test(header ?? ''))) return false;
    this.#challenge = challenge;
    return true;
  }

  async #sendOnce(request: DavRequest): Promise<IncomingMessage> {
    for (let tries = 1; ; tries += 1) {
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      const open = this.isTls ? requestHttps : requestHttp;
      const { url } = this.#server;
      const outgoing = open(
        {
          host: url.hostname.replace(/^\[|\]$/g, ''),
          port: url.port === '' ? undefined : url.port,
          path: request.path,
          method: request.method,
          headers: { ...this.#headers(request), 'accept-encoding': 'identity', ...request.headers },
          agent: this.#agent,
          timeout: this.timeoutMs,
          ...(request.signal === undefined ? {} : { signal: request.signal }),
        },
        resolve,
      );
      outgoing.on('timeout', () => outgoing.destroy(this.timeoutError()));
      outgoing.on('error', reject);
      outgoing.end(request.body);
      try {
        return await promise;
      } catch (error) {
        // The server ended a connection that was idle, as it may at any time.
        if (
          !outgoing.reusedSocket ||
          tries > maximumSockets ||
          request.signal?.aborted ||
          error instanceof HoldfastError
        )
          throw this.errorOf(error);
        request.onRepeat?.();
      }
    }
  }

  async *#body(response: IncomingMessage): AsyncGenerator<Uint8Array> {
    try {
      yield* response;
    } catch (error) {
      throw this.errorOf(error);
    }
  }
}

/** Reads an answer to its end, so that its connection can be used again. */
export async function drain(response: IncomingMessage): Promise<void> {
  let sizeBytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      sizeBytes += chunk.length;
      if (sizeBytes > maximumDrainBytes) break;
    }
  } catch {
    // The status is there; what the server says besides is of no use.
  }
}
