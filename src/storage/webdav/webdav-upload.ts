import type { ClientRequest, IncomingMessage } from 'node:http';
import { systemWait } from '../../clock.ts';
import type { HoldfastError } from '../../errors.ts';
import { drain, type WebdavClient } from './webdav-client.ts';
import { statusError } from './webdav-errors.ts';

/** A server that does not know `Expect` says nothing; then the body is sent without its word (RFC 9110, 10.1.1). */
const continueWaitMs = 2000;

/**
 * One PUT of a stream whose size nobody knows yet. The server is asked first whether it takes it (`Expect: 100-continue`), so that a
 * refusal costs no byte that could not be sent again.
 */
export class WebdavUpload {
  readonly #client: WebdavClient;
  readonly #path: string;
  readonly #request: ClientRequest;
  readonly #response = Promise.withResolvers<IncomingMessage>();
  /** The server's word that it wants the body. */
  readonly #wanted = Promise.withResolvers<undefined>();
  readonly #connected = Promise.withResolvers<void>();
  /** What the server answered so far. */
  #answer: IncomingMessage | undefined;

  private constructor(client: WebdavClient, path: string) {
    this.#client = client;
    this.#path = path;
    const headers = { expect: '100-continue', 'content-type': 'application/octet-stream' };
    this.#request = client.begin({ method: 'PUT', path, headers });
    this.#response.promise.catch(() => undefined);
    this.#request.once('response', (response) => {
      this.#answer = response;
      this.#response.resolve(response);
    });
    this.#request.on('error', (error) => this.#response.reject(error));
    this.#request.once('continue', () => this.#wanted.resolve(undefined));
    this.#request.once('socket', (socket) => {
      socket.setNoDelay(true);
      socket.once(client.isTls ? 'secureConnect' : 'connect', () => this.#connected.resolve());
    });
  }

  static async open(client: WebdavClient, path: string): Promise<WebdavUpload> {
    for (let tries = 1; ; tries += 1) {
      const upload = new WebdavUpload(client, path);
      const refusal = await upload.#askFirst();
      if (refusal === undefined) return upload;
      upload.close();
      if (
        refusal.statusCode === 401 &&
        tries === 1 &&
        client.takeChallenge(refusal, upload.#request.hasHeader('authorization'))
      )
        continue;
      throw upload.#statusError(refusal);
    }
  }

  /** Settles when the memory may be used again and the connection takes more. */
  async push(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    const written = Promise.withResolvers<void>();
    this.#request.write(bytes, (error) => (error ? written.reject(error) : written.resolve()));
    const early = await this.#within(Promise.race([written.promise, this.#response.promise]));
    if (early !== undefined) throw this.#statusError(early);
  }

  /** Ends the body; settles when the server has confirmed it. */
  async finish(): Promise<void> {
    this.#request.end();
    const response = await this.#within(this.#response.promise);
    const status = response.statusCode ?? 0;
    await drain(response);
    this.close();
    if (status < 200 || status > 299) throw this.#statusError(response);
  }

  close(): void {
    this.#request.destroy();
  }

  /** The answer, where the server has one before it has seen the body. */
  async #askFirst(): Promise<IncomingMessage | undefined> {
    this.#request.flushHeaders();
    const response = this.#response.promise;
    await this.#within(Promise.race([this.#connected.promise, response]));
    const done = new AbortController();
    const silence = systemWait(continueWaitMs, done.signal).catch(() => undefined);
    try {
      return await this.#within(Promise.race([this.#wanted.promise, response, silence.then(() => undefined)]));
    } finally {
      done.abort();
    }
  }

  /** Waits for the server, as long as it may be silent. */
  async #within<Result>(step: Promise<Result>): Promise<Result> {
    const done = new AbortController();
    const late = systemWait(this.#client.timeoutMs, done.signal).then((): never => {
      throw this.#client.timeoutError();
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([step, late]);
    } catch (error) {
      this.close();
      // It cuts what it refuses: the answer says more than the cut.
      throw this.#answer === undefined ? this.#client.errorOf(error) : this.#statusError(this.#answer);
    } finally {
      done.abort();
    }
  }

  #statusError(response: IncomingMessage): HoldfastError {
    return statusError(response.statusCode ?? 0, this.#client.place, `PUT ${this.#path}`);
  }
}
