import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What the proxy does to a connection once it has passed this many bytes to the server. */
export interface ProxyFault {
  readonly atByte: number;
  /** `cut` ends both sides, `reset` by RST; `stall` passes nothing more, in either direction, and stays open. */
  readonly kind: 'cut' | 'reset' | 'stall';
}

/** Stands before a server of the loopback. */
export interface TcpProxy {
  readonly port: number;
  /** How many connections there were. */
  readonly connections: number;
  /** Bytes passed to the server, of all connections. */
  readonly sentBytes: number;
  /** Faults of the next connections, one each; those after them are faultless. */
  plan(...faults: readonly ProxyFault[]): void;
  close(): Promise<void>;
}

/** Starts a proxy before a port. */
export async function startProxy(serverPort: number): Promise<TcpProxy> {
  const planned: ProxyFault[] = [];
  const open = new Set<Socket>();
  const counts = { connections: 0, sentBytes: 0 };
  const server = createServer((client) => {
    counts.connections += 1;
    const fault = planned.shift();
    const upstream = connect(serverPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      open.add(socket);
      // Errors are what the proxy is for.
      socket.on('error', () => undefined);
      socket.on('close', () => open.delete(socket));
    }
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on('close', end);
    upstream.on('close', end);
    let passed = 0;
    let isStalled = false;
    client.on('data', (chunk: Buffer) => {
      if (isStalled) return;
      const left = fault === undefined ? chunk.length : fault.atByte - passed;
      const part = chunk.subarray(0, Math.max(0, left));
      passed += part.length;
      counts.sentBytes += part.length;
      if (!upstream.write(part)) {
        client.pause();
        upstream.once('drain', () => client.resume());
      }
      if (fault === undefined || passed < fault.atByte) return;
      if (fault.kind === 'stall') isStalled = true;
      else if (fault.kind === 'cut') end();
      else {
        client.resetAndDestroy();
        upstream.resetAndDestroy();
      }
    });
    upstream.on('data', (chunk) => {
      if (isStalled || client.write(chunk)) return;
      upstream.pause();
      client.once('drain', () => upstream.resume());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return counts.connections;
    },
    get sentBytes() {
      return counts.sentBytes;
    },
    plan: (...faults) => {
      planned.length = 0;
      planned.push(...faults);
    },
    async close() {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
}
