import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { SeededRandom } from '../../src/testing/seeded-random.ts';

/** What happens to one connection. */
type Fault = 'cut upward' | 'cut downward' | 'stall' | 'refuse' | 'error 503' | 'error 500';

const faults: readonly Fault[] = ['cut upward', 'cut downward', 'stall', 'refuse', 'error 503', 'error 500'];
const answers: Readonly<Record<string, string>> = {
  'error 503': 'HTTP/1.1 503 Slow Down\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
  'error 500': 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
};

/** A proxy of the loopback that harms connections as a seed says: cuts in the middle, silence, refusals, errors of the server. */
export class FaultProxy {
  /** Connections that may still be harmed. */
  faultsLeft = 0;
  /** How many were, since it was started. */
  faultCount = 0;
  /** What part of the connections is harmed while there are faults left. */
  rate = 0.5;
  /** The answers to requests that have this are lost, as often as it says. */
  readonly loses = { pattern: / /, count: 0 };
  /** A harmed connection passes this at most. */
  cutWithinBytes = 400_000;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #random = new SeededRandom(1);

  private constructor(targetPort: number) {
    this.#server = createServer((client) => this.#serve(client, targetPort));
  }

  /** Starts one before a server of the loopback. */
  static async start(targetPort: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Begins anew: connections of before are cut. */
  reset(options: { seed: number; faults: number; rate: number; cutWithinBytes?: number }): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#random = new SeededRandom(options.seed);
    this.faultsLeft = options.faults;
    this.rate = options.rate;
    this.cutWithinBytes = options.cutWithinBytes ?? 400_000;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(client: Socket, targetPort: number): void {
    const fault = this.#nextFault();
    this.#keep(client);
    if (fault === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const answer = fault && answers[fault];
    if (answer !== undefined) {
      client.once('data', () => client.end(answer));
      return;
    }
    const server = this.#keep(connect(targetPort, '127.0.0.1'));
    const cutAt = this.#random.integer(this.#random.float() < 0.5 ? 2000 : 400_000) % this.cutWithinBytes;
    client.on('data', (bytes: Buffer) => {
      if (this.loses.count === 0 || !this.loses.pattern.test(bytes.toString('latin1'))) return;
      this.loses.count -= 1;
      server.removeAllListeners('data');
      server.once('data', () => client.resetAndDestroy());
    });
    this.#pass(client, server, fault === 'cut upward' || fault === 'stall' ? { cutAt, fault } : undefined);
    this.#pass(server, client, fault === 'cut downward' ? { cutAt: cutAt % 1500, fault } : undefined);
  }

  #nextFault(): Fault | undefined {
    if (this.faultsLeft <= 0 || this.#random.float() >= this.rate) return undefined;
    this.faultsLeft -= 1;
    this.faultCount += 1;
    return faults[this.#random.integer(faults.length)];
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    return socket;
  }

  #pass(from: Socket, to: Socket, harm: { readonly cutAt: number; readonly fault: Fault } | undefined): void {
    let passed = 0;
    from.on('data', (bytes: Buffer) => {
      const left = harm === undefined ? bytes.length : harm.cutAt - passed;
      passed += bytes.length;
      if (left > 0 && !to.destroyed && to.writable) to.write(bytes.subarray(0, left));
      if (left >= bytes.length) return;
      if (harm?.fault === 'stall') return;
      from.resetAndDestroy();
      to.resetAndDestroy();
    });
    from.on('close', () => to.destroy());
    from.on('end', () => to.end());
  }
}
