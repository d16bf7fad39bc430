import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { formatListenAddress, type ListenAddress } from './listen-address.ts';

/** What {@link startMetricsServer} takes. */
export interface MetricsServerOptions {
  readonly address: ListenAddress;
  readonly contentType: string;
  /** The text of `/metrics`. Called once at a time; what it gives is kept for {@link freshForMs}. */
  metrics(): Promise<string>;
  /** Throws where the process is up but cannot do its work: `/readyz` then answers 503. */
  checkReady(): Promise<void>;
  /** Told of what fails behind an answer of 500 or 503. */
  onError(error: unknown): void;
  readonly clock: Clock;
}

/** A server that listens. */
export interface MetricsServer {
  /** With the port that it has. */
  readonly address: ListenAddress;
  close(): Promise<void>;
}

/** Many scrapes cost no more than one in so long. */
const freshForMs = 5_000;
const requestTimeoutMs = 10_000;
/** A request that is this long is none of a scraper. */
const maxHeaderBytes = 8 * 1024;
const maxConnections = 32;

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
}

const plainText = 'text/plain; charset=utf-8';

class Answers {
  readonly #options: MetricsServerOptions;
  #cached: { readonly text: Promise<string>; readonly sinceMs: number } | undefined;

  constructor(options: MetricsServerOptions) {
    this.#options = options;
  }

  async of(method: string | undefined, url: string | undefined): Promise<Answer> {
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: 'only GET and HEAD\n' };
    switch (url?.split('?')[0]) {
      case '/metrics':
        return await this.#attempt(500, async () => await this.#metrics(), this.#options.contentType);
      case '/healthz':
        return { status: 200, body: 'ok\n' };
      case '/readyz':
        return await this.#attempt(503, async () => {
          await this.#options.checkReady();
          return 'ready\n';
        });
      default:
        return { status: 404, body: 'there are /metrics, /healthz and /readyz\n' };
    }
  }

  async #attempt(status: number, work: () => Promise<string>, contentType?: string): Promise<Answer> {
    try {
      const body = await work();
      return contentType === undefined ? { status: 200, body } : { status: 200, body, contentType };
    } catch (error) {
      this.#options.onError(error);
      // Why is for the log: the caller may be anyone.
      return { status, body: status === 503 ? 'not ready: see the log\n' : 'it failed: see the log\n' };
    }
  }

  async #metrics(): Promise<string> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#cached === undefined || nowMs - this.#cached.sinceMs >= freshForMs) {
      const text = this.#options.metrics();
      this.#cached = { text, sinceMs: nowMs };
      text.catch(() => {
        this.#cached = undefined;
      });
    }
    return await this.#cached.text;
  }
}

/**
 * Answers `/metrics`, `/healthz` and `/readyz` over HTTP until it is closed. It reads no body, keeps no connection, and has limits on time,
 * size and number; it knows no passwords and no TLS: listen on the loopback, or behind what has them. Throws `web.listen_failed`.
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  // Imported, it would evaluate every export, a WebSocket client among them: 15 MiB.
  const { createServer } = process.getBuiltinModule('node:http');
  const answers = new Answers(options);
  const timeouts = { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs };
  const server = createServer(
    { ...timeouts, connectionsCheckingInterval: requestTimeoutMs, maxHeaderSize: maxHeaderBytes, keepAlive: false },
    (request, response) => void respond(answers, request, response),
  );
  server.maxConnections = maxConnections;
  server.timeout = requestTimeoutMs;
  const { host } = options.address;
  const { port } = await listen(server, options.address);
  server.on('error', options.onError);
  return {
    address: { host, port },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function respond(answers: Answers, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, body, contentType = plainText } = await answers.of(request.method, request.url);
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    connection: 'close',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function listen(server: Server, address: ListenAddress): Promise<AddressInfo> {
  server.listen(address.port, address.host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'another program listens there' : `the system answered ${code}`;
    throw new HoldfastError('web.listen_failed', {
      message: `cannot listen on ${formatListenAddress(address)}: ${reason}`,
      context: { host: address.host, port: address.port },
      cause,
    });
  }
  return server.address() as AddressInfo;
}
