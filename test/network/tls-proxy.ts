import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Certificate } from '../services/self-signed-certificate.ts';
import type { HttpFake } from './http-fake.ts';

/** A proxy for clients that know the real hosts alone: whatever host they ask for, they get the fake, by TLS. */
export class TlsProxy {
  readonly #tls: Server;
  readonly #proxy: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(fake: HttpFake, { certificatePath, keyPath }: Certificate) {
    const identity = { cert: readFileSync(certificatePath), key: readFileSync(keyPath) };
    this.#tls = createHttpsServer(
      identity,
      (request, response) => void fake.handle(request, response),
    ) as unknown as Server;
    this.#proxy = createHttpServer();
    this.#proxy.on('connect', (_request, client: Socket) => {
      const server = connect((this.#tls.address() as AddressInfo).port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        client.pipe(server).pipe(client);
      });
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          client.destroy();
          server.destroy();
          this.#sockets.delete(socket);
        });
      }
    });
  }

  static async start(fake: HttpFake, certificate: Certificate): Promise<TlsProxy> {
    const proxy = new TlsProxy(fake, certificate);
    for (const server of [proxy.#tls, proxy.#proxy]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#proxy.address() as AddressInfo).port}`;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#tls.close();
    this.#proxy.close();
  }
}
