import { isIP } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { Client, FileInfo } from 'basic-ftp';
import { HoldfastError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';
import { type FtpStep, ftpErrorFrom, isFtpReply } from './ftp-errors.ts';

/** Where to connect to, and as whom. */
export interface FtpServer {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: Secret;
  /** Explicit TLS, for commands and for data. */
  readonly secure: boolean;
  /** Certificates that are trusted besides those of the system: PEM. */
  readonly ca: string | undefined;
  /** How long the server may be silent while it is its turn. */
  readonly timeoutMs: number;
}

/** Whether the error says that a file or a folder is not there. */
export function isNotFound(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'storage.not_found';
}

/** For people. */
export function placeOf(server: FtpServer): string {
  const host = isIP(server.host) === 6 ? `[${server.host}]` : server.host;
  return `${server.secure ? 'ftps' : 'ftp'}://${host}:${server.port}`;
}

/**
 * One control connection, logged in, binary and passive. It does one thing at a time. Errors come out as `HoldfastError`; after one that
 * is no answer of the server it is closed.
 */
export class FtpConnection {
  readonly #client: Client;
  readonly #place: string;
  /** The folder after login: relative roots begin here. */
  readonly home: string;

  private constructor(client: Client, place: string, home: string) {
    this.#client = client;
    this.#place = place;
    this.home = home;
  }

  /** `trust` says whom a server with TLS has to be certified by. */
  static async open(server: FtpServer, trust: SecureContext | undefined): Promise<FtpConnection> {
    const { Client } = await import('basic-ftp');
    const client = new Client(server.timeoutMs, { allowSeparateTransferHost: false });
    const place = placeOf(server);
    try {
      const home = await logIn(client, server, place, trust);
      keepControlAfterDataErrors(client);
      return new FtpConnection(client, place, home);
    } catch (error) {
      client.close();
      throw error;
    }
  }

  get isClosed(): boolean {
    return this.#client.closed;
  }

  /** Ends what is under way with an error. */
  close(): void {
    this.#client.close();
  }

  async sizeBytes(path: string): Promise<number> {
    return await this.#step({ doing: 'SIZE', path, otherwise: 'storage.not_found' }, () => this.#client.size(path));
  }

  async modifiedMs(path: string): Promise<number> {
    const step = { doing: 'MDTM', path, otherwise: 'storage.not_found' } as const;
    return (await this.#step(step, () => this.#client.lastMod(path))).getTime();
  }

  /** What is in a folder; undefined where it is not there. */
  async list(folder: string): Promise<readonly FileInfo[] | undefined> {
    // Servers take a folder's name in LIST for options or a pattern.
    if (!(await this.changeFolder(folder))) return undefined;
    return await this.#step({ doing: 'LIST', path: folder }, () => this.#client.list());
  }

  /** Whether the folder is there. */
  async changeFolder(folder: string): Promise<boolean> {
    try {
      await this.#step({ doing: 'CWD', path: folder, otherwise: 'storage.not_found' }, () =>
        this.#client.send(`CWD ${folder}`),
      );
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async makeFolder(folder: string): Promise<void> {
    const step = { doing: 'MKD', path: folder, otherwise: 'storage.unauthorized' } as const;
    await this.#step(step, () => this.#client.send(`MKD ${folder}`));
  }

  /** Puts a file in the place of what is there. */
  async rename(from: string, to: string): Promise<void> {
    await this.#step({ doing: 'RNFR', path: from, otherwise: 'storage.not_found' }, () =>
      this.#client.send(`RNFR ${from}`),
    );
    const step = { doing: 'RNTO', path: to, otherwise: 'storage.unauthorized' } as const;
    await this.#step(step, () => this.#client.send(`RNTO ${to}`));
  }

  async remove(path: string): Promise<void> {
    await this.#step({ doing: 'DELE', path, otherwise: 'storage.unauthorized' }, () => this.#client.remove(path));
  }

  /** Sends a stream to its end; `append` adds it to what is there. */
  async upload(source: Readable, path: string, append: boolean): Promise<void> {
    const step = { doing: append ? 'APPE' : 'STOR', path, otherwise: 'storage.unauthorized' } as const;
    await this.#transfer(step, () =>
      append ? this.#client.appendFrom(source, path) : this.#client.uploadFrom(source, path),
    );
  }

  /** Fails where the folder is not empty. */
  async removeFolder(path: string): Promise<void> {
    await this.#step({ doing: 'RMD', path }, () => this.#client.send(`RMD ${path}`));
  }

  /** Receives a file from an offset to its end. */
  async download(into: Writable, path: string, offset: number): Promise<void> {
    const step = { doing: 'RETR', path, otherwise: 'storage.unauthorized' } as const;
    await this.#transfer(step, () => this.#client.downloadTo(into, path, offset));
  }

  /** A server that stops a transfer cuts the data, and says why on the control connection: that reason is worth waiting for. */
  async #transfer(step: Omit<FtpStep, 'place'>, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isFtpReply(error) || this.#client.closed) throw this.#errorOf(error, step);
      const reply: unknown = await this.#client.ftp.request('').catch((reason: unknown) => reason);
      this.#client.close();
      throw this.#errorOf(isFtpReply(reply) ? reply : error, step);
    }
  }

  async #step<Result>(step: Omit<FtpStep, 'place'>, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (!isFtpReply(error)) this.#client.close();
      throw this.#errorOf(error, step);
    }
  }

  #errorOf(error: unknown, step: Omit<FtpStep, 'place'>): HoldfastError {
    return ftpErrorFrom(error, { place: this.#place, ...step });
  }
}

async function logIn(
  client: Client,
  server: FtpServer,
  place: string,
  trust: SecureContext | undefined,
): Promise<string> {
  const { host, port, username, password } = server;
  const during = async <Result>(step: Omit<FtpStep, 'place'>, work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      throw ftpErrorFrom(error, { place, ...step });
    }
  };
  await during({ doing: 'connect', otherwise: 'storage.unavailable' }, () => client.connect(host, port));
  if (trust !== undefined) {
    // What the certificate has to be for, and what the server chooses one by.
    const name = isIP(host) === 0 ? { host, servername: host } : { host };
    await during({ doing: 'AUTH TLS' }, () => client.useTLS({ ...name, secureContext: trust }));
  }
  await during({ doing: `log in as ${username}`, otherwise: 'storage.credentials' }, () =>
    client.login(username, password.reveal()),
  );
  await during({ doing: 'set up the connection' }, () => client.useDefaultSettings());
  return await during({ doing: 'PWD' }, () => client.pwd());
}

/**
 * basic-ftp closes the control connection when that of the data breaks, and the server's reason is lost ("552 disk full"). Once a
 * transfer runs, its stream reports the error itself.
 */
function keepControlAfterDataErrors(client: Client): void {
  // The first call of it chooses the strategy for all others, and puts that in its own place.
  let strategy = client.prepareTransfer;
  const prepare: Client['prepareTransfer'] = async (context) => {
    const response = await strategy(context);
    if (client.prepareTransfer !== prepare) strategy = client.prepareTransfer;
    client.prepareTransfer = prepare;
    const { dataSocket } = context;
    for (const event of ['error', 'close'] as const) {
      const own = dataSocket?.rawListeners(event).at(-1);
      if (own !== undefined) dataSocket?.off(event, own as () => void);
    }
    dataSocket?.on('error', (error) => {
      const isTransferring = dataSocket.listenerCount('error') > 1;
      if (!isTransferring) context.closeWithError(error);
    });
    return response;
  };
  client.prepareTransfer = prepare;
}
