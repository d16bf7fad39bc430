import type { SecureContext } from 'node:tls';
import { HoldfastError } from '../../errors.ts';
import { FtpConnection, type FtpServer } from './ftp-connection.ts';

/** More would only take the few that a server allows. */
const maximumIdle = 2;

/** Connections to one server; a few are kept for the next use, since a login costs several turns of question and answer. */
export class FtpConnections {
  readonly #server: FtpServer;
  /** Made once: reading the certificates of all authorities takes some 10 ms, and each transfer has a connection of its own. */
  #trust: Promise<SecureContext | undefined> | undefined;
  readonly #idle: FtpConnection[] = [];
  #isClosed = false;

  constructor(server: FtpServer) {
    this.#server = server;
  }

  /** One for the caller alone. The server may have ended it meanwhile: the first step then fails with `storage.unavailable`. */
  async take(): Promise<FtpConnection> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) if (!idle.isClosed) return idle;
    return await this.#open();
  }

  /** Gives one back that does nothing. */
  release(connection: FtpConnection): void {
    if (this.#isClosed || connection.isClosed || this.#idle.length >= maximumIdle) connection.close();
    else this.#idle.push(connection);
  }

  /** Does a step that may be repeated: a server ends a connection that is idle for minutes. */
  async use<Result>(step: (connection: FtpConnection) => Promise<Result>): Promise<Result> {
    const first = await this.take();
    try {
      return await step(first);
    } catch (error) {
      if (!first.isClosed || !(error instanceof HoldfastError) || error.code !== 'storage.unavailable') throw error;
    } finally {
      this.release(first);
    }
    const second = await this.#open();
    try {
      return await step(second);
    } finally {
      this.release(second);
    }
  }

  async #open(): Promise<FtpConnection> {
    this.#trust ??= trustOf(this.#server);
    return await FtpConnection.open(this.#server, await this.#trust);
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) connection.close();
  }
}

/** Whom a server has to be certified by; undefined where it is asked for no certificate. */
async function trustOf({ secure, ca }: FtpServer): Promise<SecureContext | undefined> {
  if (!secure) return undefined;
  const { createSecureContext, rootCertificates } = await import('node:tls');
  return createSecureContext(ca === undefined ? {} : { ca: [...rootCertificates, ca] });
}
