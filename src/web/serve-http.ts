import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { HoldfastError } from '../errors.ts';
import type { ClientInfo } from './access/access-environment.ts';

/** What {@link nodeListener} makes a listener of: {@link createHandler} gives one, and so does any framework that speaks of `Request` and `Response`. */
export type WebHandler = (request: Request, client?: ClientInfo) => Promise<Response>;

/** A request as `node:http` has it; Express keeps the whole path under another name where it is mounted. */
export type NodeRequest = IncomingMessage & { readonly originalUrl?: string };

const hostPattern = /^[A-Za-z0-9._-]+(?::\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](?::\d{1,5})?$/;

/**
 * A listener for `node:http`, and for Express and Fastify, which have the same requests: bodies pass through in both directions as they are
 * read and written, and neither is held.
 *
 * @example
 * createServer(nodeListener(createHandler({ basePath: '/backups' }))).listen(8080);
 */
export function nodeListener(handler: WebHandler): (request: NodeRequest, response: ServerResponse) => void {
  return (request, response) => {
    answer(handler, request, response).catch(() => {
      // Whatever it was, the client has to see that the answer is not whole.
      if (response.headersSent) response.destroy();
      else response.writeHead(500, { connection: 'close' }).end();
    });
  };
}

async function answer(handler: WebHandler, request: NodeRequest, response: ServerResponse): Promise<void> {
  const ending = new AbortController();
  response.once('close', () => ending.abort());
  const given = toRequest(request, ending.signal);
  if (given === undefined) {
    response.writeHead(400, { connection: 'close' }).end();
    return;
  }
  const result = await handler(given, { address: request.socket.remoteAddress });
  await send(result, request, response);
}

/** The request; undefined where it names no path or no host of ours. */
function toRequest(request: NodeRequest, signal: AbortSignal): Request | undefined {
  const path = request.originalUrl ?? request.url ?? '';
  const host = request.headers.host ?? '';
  if (!path.startsWith('/') || !hostPattern.test(host)) return undefined;
  const isEncrypted = 'encrypted' in request.socket && request.socket.encrypted === true;
  const headers = new Headers();
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    headers.append(request.rawHeaders[index] ?? '', request.rawHeaders[index + 1] ?? '');
  }
  const method = request.method ?? 'GET';
  const hasBody = method !== 'GET' && method !== 'HEAD';
  const init: RequestInit & { duplex?: 'half' } = { method, headers, signal };
  if (hasBody) Object.assign(init, { body: bodyOf(request), duplex: 'half' });
  try {
    return new Request(`${isEncrypted ? 'https' : 'http'}://${host}${path}`, init);
  } catch {
    // A method or a path that no `Request` can have.
    return undefined;
  }
}

/** The body as it comes. Giving it up leaves the connection open: the answer still has to go out by it. */
function bodyOf(request: IncomingMessage): ReadableStream<Uint8Array> {
  const pieces = request.iterator({ destroyOnReturn: false });
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = await pieces.next();
        if (done === true) controller.close();
        else controller.enqueue(value as Uint8Array);
      },
      cancel: () => void request.pause(),
    },
    { highWaterMark: 0 },
  );
}

async function send(result: Response, request: IncomingMessage, response: ServerResponse): Promise<void> {
  for (const [name, value] of result.headers) if (name !== 'set-cookie') response.setHeader(name, value);
  const cookies = result.headers.getSetCookie();
  if (cookies.length > 0) response.setHeader('set-cookie', cookies);
  // What was not read is not read to make room for the next request.
  if (!request.complete) response.setHeader('connection', 'close');
  response.writeHead(result.status);
  if (result.body === null || request.method === 'HEAD') {
    await result.body?.cancel();
    response.end();
    return;
  }
  response.flushHeaders();
  await sendBody(result.body.getReader(), response);
}

async function sendBody(reader: ReadableStreamDefaultReader<Uint8Array>, response: ServerResponse): Promise<void> {
  const closed = new AbortController();
  const close = () => {
    closed.abort();
    // Nobody reads any more: whoever makes the body hears it at once, not with the next piece.
    reader.cancel().catch(() => undefined);
  };
  if (response.destroyed) return close();
  response.once('close', close);
  for (;;) {
    const { done, value } = await reader.read();
    if (closed.signal.aborted) return;
    if (done) break;
    if (response.write(value)) continue;
    try {
      await once(response, 'drain', { signal: closed.signal });
    } catch {
      // Closed in the meantime.
      return;
    }
  }
  response.off('close', close);
  response.end();
}

/** Where {@link serveHttp} listens. */
export interface ServeHttpOptions {
  /** `127.0.0.1` unless set: who lets others in says so. */
  readonly host?: string;
  /** 8420 unless set; 0 takes a free one. */
  readonly port?: number;
  /** How long the head of a request may take; 15 s unless set. */
  readonly headTimeoutMs?: number;
  /** How often connections are looked at for that; every 5 s unless set. */
  readonly checkEveryMs?: number;
}

/** A server that listens. */
export interface ListeningServer {
  readonly host: string;
  readonly port: number;
  /** Where it is found from this machine. */
  readonly url: string;
  close(): Promise<void>;
}

/** The port unless another is set. */
export const defaultPort = 8420;

/**
 * Serves a handler by itself. A connection on which nothing happens for five minutes is closed; heads have to come within 15 seconds, bodies
 * as the handler says. Throws `request.conflict` where the port is taken.
 */
export async function serveHttp(handler: WebHandler, options: ServeHttpOptions = {}): Promise<ListeningServer> {
  const { host = '127.0.0.1', port = defaultPort, headTimeoutMs = 15_000, checkEveryMs = 5000 } = options;
  const limits = { headersTimeout: headTimeoutMs, connectionsCheckingInterval: checkEveryMs, maxHeaderSize: 16_384 };
  const server = createServer({ ...limits, requestTimeout: 0 }, nodeListener(handler));
  server.timeout = 300_000;
  server.keepAliveTimeout = 10_000;
  server.maxConnections = 1000;
  await listen(server, host, port);
  const address = server.address();
  const taken = typeof address === 'object' && address !== null ? address.port : port;
  const shownHost = host.includes(':') ? `[${host}]` : host;
  return {
    host,
    port: taken,
    url: `http://${shownHost}:${taken}`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (cause) {
    throw new HoldfastError('request.conflict', {
      message: `${host}:${port} cannot be listened at: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'choose another with --web HOST:PORT',
      cause,
    });
  }
}
