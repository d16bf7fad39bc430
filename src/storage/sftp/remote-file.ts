import type { Handle, SftpConnection } from './sftp-connection.ts';
import type { SftpSession, StepOptions } from './sftp-session.ts';

/** A file on the server that stays open while connections come and go: it is opened again on each. */
export class RemoteFile {
  readonly path: string;
  readonly #session: SftpSession;
  readonly #open: (connection: SftpConnection) => Promise<Handle>;
  #opened: { readonly connection: SftpConnection; readonly handle: Promise<Handle> } | undefined;

  /** `open` opens it, and checks that it is still the same. */
  constructor(session: SftpSession, path: string, open: (connection: SftpConnection) => Promise<Handle>) {
    this.#session = session;
    this.path = path;
    this.#open = open;
  }

  /** Runs a step with the open file; see {@link SftpSession.run}. */
  run<Result>(
    step: (connection: SftpConnection, handle: Handle) => Promise<Result>,
    options?: StepOptions,
  ): Promise<Result> {
    return this.#session.run(async (connection) => step(connection, await this.handle(connection)), options);
  }

  /** The file on this connection. */
  async handle(connection: SftpConnection): Promise<Handle> {
    if (connection.lost !== undefined) throw connection.lost;
    if (this.#opened?.connection !== connection) {
      const handle = this.#open(connection);
      handle.catch(() => undefined);
      this.#opened = { connection, handle };
    }
    return await this.#opened.handle;
  }

  /** Closes it where it is open; a lost connection has closed it already. */
  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    if (opened === undefined || opened.connection.lost !== undefined) return;
    const handle = await opened.handle.catch(() => undefined);
    if (handle === undefined) return;
    try {
      await opened.connection.close(handle, this.path);
    } catch (error) {
      if (opened.connection.lost === undefined) throw error;
    }
  }
}
