import { type AddressInfo, connect as connectTo, createServer, type Server, type Socket } from 'node:net';

/** What happens to one connection once so many bytes went through it in both directions together. */
export interface ConnectionFault {
  readonly afterBytes: number;
  /** `cut`: both sides are reset. `stall`: nothing goes through any more. `end`: the server hears an end, and the client of nothing. */
  readonly kind: 'cut' | 'stall' | 'end';
}

/** Options of {@link FaultProxy}. */
export interface FaultProxyOptions {
  readonly port: number;
  /** The fault of the next connection, by its number from 0; none where undefined. */
  readonly faultOf: (connection: number) => ConnectionFault | undefined;
  /** Sends FTP's data connections through the proxy as well: `EPSV` answers name ports of its own. In clear only. */
  readonly ftp?: boolean;
}

/** A TCP proxy on the loopback that breaks connections as told. */
export class FaultProxy {
  readonly #options: FaultProxyOptions;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #heard = new Map<string, number>();
  #connections = 0;
  #faults = 0;
  port = 0;

  private constructor(options: FaultProxyOptions) {
    this.#options = options;
  }

  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    proxy.port = await proxy.#listen(options.port, options.ftp === true);
    return proxy;
  }

  /** Connections that were made so far. */
  get connections(): number {
    return this.#connections;
  }

  /** Connections that were cut or stalled so far. */
  get faultCount(): number {
    return this.#faults;
  }

  /** How often clients gave an FTP command. */
  heard(command: string): number {
    return this.#heard.get(command) ?? 0;
  }

  stop(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #listen(target: number, isControl: boolean): Promise<number> {
    const server = createServer((client) => this.#join(client, target, isControl));
    this.#servers.push(server);
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    return (server.address() as AddressInfo).port;
  }

  #join(client: Socket, target: number, isControl: boolean): void {
    const server = connectTo({ port: target, host: '127.0.0.1' });
    const fault = this.#options.faultOf(this.#connections);
    this.#connections += 1;
    let passedBytes = 0;
    let isStalled = false;
    let isEnded = false;
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      let hasEnded = false;
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        // After an end there is still something on its way.
        if (!hasEnded) to.destroy();
      });
      from.on('end', () => {
        hasEnded = true;
        if (!isEnded || from === client) to.end();
      });
      from.on('data', (chunk: Buffer) => {
        passedBytes += chunk.length;
        if (isControl && from === client) this.#hear(chunk.toString('latin1').split(/\s/, 1)[0] ?? '');
        if (isEnded) return;
        if (fault !== undefined && !isStalled && passedBytes >= fault.afterBytes) {
          this.#faults += 1;
          if (fault.kind === 'cut') for (const socket of [client, server]) socket.resetAndDestroy();
          isStalled = fault.kind !== 'end';
          isEnded = !isStalled;
          if (isEnded) return void server.end();
        }
        if (isStalled) return void from.pause();
        const isAnswer = isControl && from === server;
        if (isAnswer && chunk.includes('|||')) return void this.#passAnswer(chunk, to);
        if (to.write(chunk)) return;
        from.pause();
        to.once('drain', () => from.resume());
      });
    }
  }

  #hear(command: string): void {
    this.#heard.set(command, this.heard(command) + 1);
  }

  async #passAnswer(chunk: Buffer, client: Socket): Promise<void> {
    const text = chunk.toString('latin1');
    const target = /\(\|\|\|(\d+)\|\)/.exec(text)?.[1];
    const port = target === undefined ? '' : await this.#listen(Number(target), false);
    client.write(text.replace(/\(\|\|\|\d+\|\)/, `(|||${port}|)`), 'latin1');
  }
}
