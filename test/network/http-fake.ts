import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One answer. */
export interface FakeAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: Uint8Array | string | object | null;
}

/** One request, read whole. */
export interface FakeRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** Answers instead of the service, once each: `match` says to which requests. */
export interface PlannedAnswer {
  readonly match: (request: FakeRequest) => boolean;
  readonly answer: FakeAnswer;
  /** Lets the service do what is asked all the same: its answer is lost. */
  readonly after?: boolean;
}

/** A server of a test on the loopback, that speaks some service's HTTP. */
export class HttpFake {
  readonly server: Server;
  /** Requests that came, `METHOD /path`. */
  readonly seen: string[] = [];
  readonly planned: PlannedAnswer[] = [];
  readonly #answer: (request: FakeRequest) => FakeAnswer;

  constructor(answer: (request: FakeRequest) => FakeAnswer) {
    this.#answer = answer;
    this.server = createServer((request, response) => void this.handle(request, response));
  }

  async start(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  /** Serves one request; another server, with TLS, may hand its own in. */
  async handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk);
    } catch {
      // Cut in the middle: such a request does nothing.
      return;
    }
    const scheme = 'encrypted' in incoming.socket ? 'https' : 'http';
    const url = new URL(incoming.url ?? '/', `${scheme}://${incoming.headers.host}`);
    const request = { method: incoming.method ?? '', url, headers: incoming.headers, body: Buffer.concat(chunks) };
    this.seen.push(`${request.method} ${url.pathname}`);
    const { status, headers = {}, body = null } = this.#answerOrDefect(request);
    const isBytes = body instanceof Uint8Array;
    const sent = body === null ? '' : isBytes || typeof body === 'string' ? body : JSON.stringify(body);
    const type = isBytes ? 'application/octet-stream' : 'application/json';
    response.writeHead(status, { 'content-type': type, 'content-length': String(Buffer.byteLength(sent)), ...headers });
    response.end(sent);
  }

  /** A defect of the fake is told to the client, who would wait for ever. */
  #answerOrDefect(request: FakeRequest): FakeAnswer {
    try {
      return this.#answerTo(request);
    } catch (error) {
      return { status: 500, body: error instanceof Error ? String(error.stack) : String(error) };
    }
  }

  #answerTo(request: FakeRequest): FakeAnswer {
    const index = this.planned.findIndex(({ match }) => match(request));
    const [plan] = index < 0 ? [] : this.planned.splice(index, 1);
    if (plan === undefined) return this.#answer(request);
    if (plan.after === true) this.#answer(request);
    return plan.answer;
  }
}
