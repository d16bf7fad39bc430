import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Certificate } from '../services/self-signed-certificate.ts';

/** What is said in clear before TLS begins. */
export type Opening = 'at once' | 'postgres' | 'ftp' | 'smtp';

const greetings = { postgres: '', ftp: '220 ready\r\n', smtp: '220 ready ESMTP\r\n' } as const;
const goAhead = { postgres: 'S', ftp: '234 go on\r\n', smtp: '220 go on\r\n' } as const;
const sslRequestCode = 80_877_103;

/** A server in between: it begins TLS as each protocol does, with a certificate of its own making, and keeps what it is told. */
export class HostileServer {
  opening: Opening = 'at once';
  readonly #identity: { readonly cert: Buffer; readonly key: Buffer };
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #told: Buffer[] = [];

  private constructor({ certificatePath, keyPath }: Certificate) {
    this.#identity = { cert: readFileSync(certificatePath), key: readFileSync(keyPath) };
    this.#server = createServer((socket) => {
      this.#open.add(socket.on('error', () => undefined).on('close', () => this.#open.delete(socket)));
      if (this.opening === 'at once') this.#encrypt(socket);
      else this.#converse(socket, this.opening);
    });
  }

  static async start(certificate: Certificate): Promise<HostileServer> {
    const server = new HostileServer(certificate);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What it was told since the last call, in clear or behind a handshake. */
  take(): string {
    const told = Buffer.concat(this.#told).toString('latin1');
    this.#told = [];
    return told;
  }

  stop(): void {
    for (const socket of this.#open) socket.destroy();
    this.#server.close();
  }

  #encrypt(socket: Socket): void {
    const secure = new TLSSocket(socket, { isServer: true, ...this.#identity });
    secure.on('error', () => socket.destroy()).on('data', (bytes: Buffer) => this.#told.push(bytes));
  }

  #converse(socket: Socket, how: Exclude<Opening, 'at once'>): void {
    if (greetings[how] !== '') socket.write(greetings[how]);
    const onData = (bytes: Buffer) => {
      const text = bytes.toString('latin1');
      const isAsked = how === 'postgres' ? bytes.readInt32BE(4) === sslRequestCode : /^(AUTH TLS|STARTTLS)/i.test(text);
      if (!isAsked) {
        this.#told.push(bytes);
        socket.write(how === 'smtp' ? '250-here\r\n250 STARTTLS\r\n' : '500 no\r\n');
        return;
      }
      socket.off('data', onData);
      socket.write(goAhead[how]);
      this.#encrypt(socket);
    };
    socket.on('data', onData);
  }
}
