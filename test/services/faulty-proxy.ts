/**
 * Proxies on the loopback that a test puts between a client and a server, to do to their bytes what networks do. {@link startTcpProxy} knows bytes alone,
 * of any protocol; {@link startHttpProxy} knows requests and answers, and passes them on as they are, so that signatures stay true.
 */
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** Something that happens to the bytes of one direction, once so many have passed. */
export interface ByteFault {
  /**
   * `cut` ends the connection as if it were done, `reset` as a broken one; `stall` passes nothing more, and keeps it open; `slow` passes
   * a little at a time from there on; `flip` changes one bit.
   */
  readonly how: 'cut' | 'reset' | 'stall' | 'slow' | 'flip';
  readonly afterBytes: number;
  readonly direction: 'to server' | 'to client';
}

/** What a proxy does to a request of HTTP. */
export type HttpFault =
  | ByteFault
  /** Answers itself; the server never hears of it. */
  | {
      readonly how: 'answer';
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The server does what it is asked for, and its answer is lost. */
  | { readonly how: 'lose answer' }
  /** The answer tells another length than it has; by so many bytes more or less. */
  | { readonly how: 'wrong length'; readonly byBytes: number };

/** A request, for deciding what happens to it. */
export interface ProxiedRequest {
  /** From 0, in the order in which they came. */
  readonly index: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

/** A running proxy. */
export interface FaultyProxy extends AsyncDisposable {
  readonly port: number;
  /** Faults that happened. */
  readonly faultCount: number;
  /** Breaks all connections that are open. */
  reset(): void;
  close(): Promise<void>;
}

const slowBytes = 1024;
const slowPauseMs = 1;

/** How a {@link ByteStage} ends connections. */
interface Ends {
  cut(): void;
  reset(): void;
}

/** Passes bytes on until the fault happens. */
class ByteStage extends Transform {
  readonly #fault: ByteFault;
  readonly #ends: Ends;
  readonly #onFault: () => void;
  #passedBytes = 0;

  constructor(fault: ByteFault, ends: Ends, onFault: () => void) {
    super();
    this.#fault = fault;
    this.#ends = ends;
    this.#onFault = onFault;
  }

  override _transform(chunk: Buffer, _encoding: string, done: () => void): void {
    const before = Math.max(0, this.#fault.afterBytes - this.#passedBytes);
    this.#passedBytes += chunk.length;
    if (chunk.length <= before) {
      this.push(chunk);
      done();
      return;
    }
    this.push(chunk.subarray(0, before));
    if (this.#passedBytes - chunk.length <= this.#fault.afterBytes) this.#onFault();
    this.#happen(chunk.subarray(before), done);
  }

  #happen(rest: Buffer, done: () => void): void {
    const { how } = this.#fault;
    if (how === 'cut') this.#ends.cut();
    else if (how === 'reset') this.#ends.reset();
    else if (how === 'slow') this.#passSlowly(rest, done);
    else if (how === 'flip') {
      const flipped = Buffer.from(rest);
      if (this.#passedBytes - rest.length <= this.#fault.afterBytes) flipped.writeUInt8(flipped.readUInt8(0) ^ 1, 0);
      this.push(flipped);
      done();
    }
    // Stalled: whoever waits has to give up.
  }

  #passSlowly(rest: Buffer, done: () => void): void {
    if (this.destroyed) return;
    if (rest.length === 0) {
      done();
      return;
    }
    this.push(rest.subarray(0, slowBytes));
    setTimeout(() => this.#passSlowly(rest.subarray(slowBytes), done), slowPauseMs);
  }
}

class RunningProxy implements FaultyProxy {
  readonly #server: Server;
  readonly sockets = new Set<Socket>();
  faultCount = 0;

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket: Socket) => this.watch(socket));
  }

  readonly count = (): void => {
    this.faultCount += 1;
  };

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** A connection that is ended with the proxy at the latest. */
  watch(socket: Socket): void {
    if (this.sockets.has(socket)) return;
    this.sockets.add(socket);
    socket.setNoDelay(true);
    // What broke it shows at the other side.
    socket.on('error', () => undefined);
    socket.once('close', () => this.sockets.delete(socket));
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  reset(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function isByteFault(fault: HttpFault): fault is ByteFault {
  return 'direction' in fault;
}

/** A proxy for any protocol. `plan` is asked for each connection, numbered from 0. */
export async function startTcpProxy(
  targetPort: number,
  plan: (connection: number) => ByteFault | undefined,
): Promise<FaultyProxy> {
  let count = 0;
  const server = createServer((client) => {
    const fault = plan(count);
    count += 1;
    const upstream = connect(targetPort, '127.0.0.1');
    proxy.watch(upstream);
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.end());
    const ends = {
      cut: () => {
        client.end();
        upstream.end();
      },
      reset: () => {
        client.resetAndDestroy();
        upstream.resetAndDestroy();
      },
    };
    const stage = fault && new ByteStage(fault, ends, proxy.count);
    if (stage !== undefined && fault?.direction === 'to server') client.pipe(stage).pipe(upstream);
    else client.pipe(upstream);
    if (stage !== undefined && fault?.direction === 'to client') upstream.pipe(stage).pipe(client);
    else upstream.pipe(client);
  });
  const proxy = new RunningProxy(server);
  return await proxy.listen();
}

/** A proxy for HTTP. `plan` is asked for each request. */
export async function startHttpProxy(
  targetPort: number,
  plan: (request: ProxiedRequest) => HttpFault | undefined,
): Promise<FaultyProxy> {
  let count = 0;
  const server = createHttpServer((incoming, answer) => {
    const { method = '', url = '', headers } = incoming;
    const fault = plan({ index: count, method, path: url, headers });
    count += 1;
    if (fault?.how === 'answer') {
      proxy.count();
      // Servers read what they refuse, or the client sees a broken connection before it sees the answer.
      incoming.resume();
      incoming.once('end', () => answer.writeHead(fault.status, fault.headers).end(fault.body ?? ''));
      return;
    }
    forward({ incoming, answer, fault, targetPort, proxy });
  });
  server.keepAliveTimeout = 60_000;
  const proxy = new RunningProxy(server);
  return await proxy.listen();
}

interface Forwarded {
  readonly incoming: IncomingMessage;
  readonly answer: ServerResponse;
  readonly fault: Exclude<HttpFault, { readonly how: 'answer' }> | undefined;
  readonly targetPort: number;
  readonly proxy: RunningProxy;
}

function forward({ incoming, answer, fault, targetPort, proxy }: Forwarded): void {
  const client = incoming.socket;
  const { method, url, rawHeaders } = incoming;
  // Raw: names and order as they were sent. A connection of its own ends with the request.
  const headers = rawHeaders.filter((_, index) => !/^connection$/i.test(rawHeaders[index - (index % 2)] ?? ''));
  const options = { host: '127.0.0.1', port: targetPort, agent: false, headers, setHost: false } as const;
  const upstream = request({ ...options, ...(method ? { method } : {}), ...(url ? { path: url } : {}) });
  upstream.on('socket', (socket) => proxy.watch(socket));
  upstream.on('error', () => client.destroy());
  answer.once('close', () => upstream.destroy());
  const byteFault = fault !== undefined && isByteFault(fault) ? fault : undefined;
  const stageFor = (direction: ByteFault['direction']): ByteStage | undefined => {
    if (byteFault?.direction !== direction) return undefined;
    const reset = () => {
      upstream.destroy();
      client.resetAndDestroy();
    };
    const cut = () => {
      upstream.destroy();
      client.end();
    };
    return new ByteStage(byteFault, { cut, reset }, proxy.count);
  };
  const toServer = stageFor('to server');
  if (toServer) incoming.pipe(toServer).pipe(upstream);
  else incoming.pipe(upstream);
  upstream.once('response', (response) => {
    if (fault?.how === 'lose answer') {
      proxy.count();
      response.resume();
      response.once('end', () => client.resetAndDestroy());
      return;
    }
    const answered = { ...response.headers };
    delete answered.connection;
    if (fault?.how === 'wrong length' && answered['content-length'] !== undefined) {
      proxy.count();
      // Node itself would not send it.
      answer.strictContentLength = false;
      answered['content-length'] = String(Math.max(0, Number(answered['content-length']) + fault.byBytes));
    }
    answer.writeHead(response.statusCode ?? 502, answered);
    const toClient = stageFor('to client');
    const last = toClient ? response.pipe(toClient) : response;
    last.pipe(answer);
    // A length that promises more than comes would be waited for.
    if (fault?.how === 'wrong length') answer.once('finish', () => client.end());
  });
}
