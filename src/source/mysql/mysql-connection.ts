import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Connection as CoreConnection } from 'mysql2';
import type { Connection, ConnectionOptions, SslOptions } from 'mysql2/promise';
import { longestTimerMs, timeoutSignal } from '../../clock.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { MysqlAddress } from './mysql-address.ts';
import { serverFailure, withoutStatement } from './mysql-error.ts';

/** A row as the server writes it. */
export type StreamedRow = readonly (Buffer | null)[];

/** So many rows are given at a time at most. */
const batchRows = 512;

/** The longest that servers of every system allow. A connection that holds a lock is idle for the whole of a dump or restore. */
const idleLimitSeconds = 2_147_483;

/** A row by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>;

/** How a connection is made. */
export interface ConnectOptions {
  /** For connecting and for each statement that sets no limit of its own. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** The one that is used first; that of the address unless set, none for `null`. */
  readonly database?: string | null;
}

/**
 * One connection to the server. Text is utf8mb4, time is UTC, and no mode of SQL changes how texts are read. Errors come as the library
 * throws them, without the statement.
 */
export class MysqlConnection {
  /** Whether what is sent is encrypted. */
  readonly isEncrypted: boolean;
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  #isClosed = false;

  static async open(address: MysqlAddress, options: ConnectOptions): Promise<MysqlConnection> {
    throwIfAborted(options.signal);
    const base = baseOptions(address, options);
    const { createConnection } = await import('mysql2/promise');
    const ssl = address.socketPath === undefined ? await sslOptions(address) : undefined;
    let connection: Connection;
    let isEncrypted = ssl !== undefined;
    try {
      connection = await createConnection(ssl === undefined ? base : { ...base, ssl });
    } catch (error) {
      const isPlainOnly = address.sslMode === 'PREFERRED' && serverFailure(error)?.name === 'HANDSHAKE_NO_SSL_SUPPORT';
      if (!isPlainOnly) throw withoutStatement(error);
      connection = await createConnection(base);
      isEncrypted = false;
    }
    // Without a listener a connection that breaks between two statements would end the process.
    connection.on('error', () => undefined);
    const opened = new MysqlConnection(connection, options, isEncrypted);
    const lockSeconds = Math.max(1, Math.ceil(options.timeoutMs / 1000));
    await opened.run(
      `SET SESSION sql_mode = '', time_zone = '+00:00', lock_wait_timeout = ${lockSeconds}, innodb_lock_wait_timeout = ${lockSeconds}, wait_timeout = ${idleLimitSeconds}`,
    );
    return opened;
  }

  private constructor(connection: Connection, options: ConnectOptions, isEncrypted: boolean) {
    this.#connection = connection;
    this.#timeoutMs = options.timeoutMs;
    this.#signal = options.signal;
    this.isEncrypted = isEncrypted;
  }

  /** The number that the server gave this connection. */
  get threadId(): number {
    return this.#connection.threadId;
  }

  /** The rows of a query; `?` in it stands for the values in turn. */
  async rows(sql: string, values: readonly (string | number | null)[] = []): Promise<readonly Row[]> {
    const [rows] = await this.#within(this.#timeoutMs + 5_000, () => this.#connection.query(sql, [...values]));
    return rows as readonly Row[];
  }

  /** Runs one statement for what it does. `timeoutMs` is for those that may take long. */
  async run(sql: string, timeoutMs: number = this.#timeoutMs): Promise<void> {
    // What waits for a lock is ended by the server first, whose answer says so.
    await this.#within(timeoutMs + 5_000, () => this.#connection.query(sql));
  }

  /**
   * The rows of a query as they come, some at a time: values in the order of its columns, as the bytes that the server writes. It may be silent
   * for `timeoutMs` at most. A reader that goes before the end ends the connection.
   */
  async *stream(sql: string): AsyncGenerator<readonly StreamedRow[]> {
    const { connection } = this.#connection as unknown as { connection: CoreConnection };
    const rows = connection.query({ sql, rowsAsArray: true, typeCast: false }).stream({ highWaterMark: 256 });
    const state: { batch: StreamedRow[]; isEnded: boolean; failure: unknown; wake: () => void } = {
      batch: [],
      isEnded: false,
      failure: undefined,
      wake: () => undefined,
    };
    rows.on('data', (row: StreamedRow) => {
      state.batch.push(row);
      if (state.batch.length >= batchRows) rows.pause();
      state.wake();
    });
    rows.on('error', (error) => {
      state.failure = error;
      state.wake();
    });
    rows.on('end', () => {
      state.isEnded = true;
      state.wake();
    });
    try {
      for (;;) {
        if (state.batch.length > 0) {
          const { batch } = state;
          state.batch = [];
          rows.resume();
          yield batch;
          continue;
        }
        if (state.failure !== undefined) throw withoutStatement(state.failure);
        if (state.isEnded) return;
        const { promise, resolve } = Promise.withResolvers<void>();
        state.wake = resolve;
        await this.#within(this.#timeoutMs + 5_000, () => promise);
      }
    } finally {
      if (!state.isEnded) {
        this.#isClosed = true;
        this.#connection.destroy();
      }
    }
  }

  /** The rows of a query that takes as long as it takes. */
  async slowRows(sql: string): Promise<readonly Row[]> {
    const [rows] = await this.#unlessStopped(this.#connection.query(sql));
    return rows as readonly Row[];
  }

  /** Runs one statement; gives the rows that it changed, and how many warnings there were. */
  async change(sql: string): Promise<{ readonly changedRows: number; readonly warningCount: number }> {
    const [result] = await this.#unlessStopped(this.#connection.query(sql));
    const { affectedRows = 0, warningStatus = 0 } = result as { affectedRows?: number; warningStatus?: number };
    return { changedRows: affectedRows, warningCount: warningStatus };
  }

  /** Ends it; what was not committed is rolled back, and its locks are freed. May be repeated. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await Promise.race([this.#connection.end(), once(timeoutSignal(1_000), 'abort')]);
    } catch {
      // It was broken already.
    } finally {
      this.#connection.destroy();
    }
  }

  /** For what takes as long as it takes: as the server is asked to do work, not to answer. */
  async #unlessStopped<Result>(work: Promise<Result>): Promise<Result> {
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const onAbort = () => {
      this.#isClosed = true;
      this.#connection.destroy();
      reject(new HoldfastError('operation.interrupted', { cause: this.#signal?.reason }));
    };
    throwIfAborted(this.#signal);
    this.#signal?.addEventListener('abort', onAbort);
    try {
      return await Promise.race([work, stopped]);
    } catch (error) {
      throw withoutStatement(error);
    } finally {
      this.#signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Runs a statement; a connection whose answer was not waited for is of no more use. */
  async #within<Result>(timeoutMs: number, work: () => Promise<Result>): Promise<Result> {
    throwIfAborted(this.#signal);
    const limit = timeoutSignal(timeoutMs);
    const given = this.#signal === undefined ? [limit] : [limit, this.#signal];
    const stop = AbortSignal.any(given);
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const onStop = () => {
      this.#isClosed = true;
      this.#connection.destroy();
      const message = `the server did not answer within ${timeoutMs / 1000} s`;
      const timeout = Object.assign(new Error(message), { code: 'ETIMEDOUT', errno: 0 });
      reject(limit.aborted ? timeout : new HoldfastError('operation.interrupted', { cause: this.#signal?.reason }));
    };
    stop.addEventListener('abort', onStop);
    try {
      return await Promise.race([work(), stopped]);
    } catch (error) {
      throw withoutStatement(error);
    } finally {
      stop.removeEventListener('abort', onStop);
    }
  }
}

function baseOptions(address: MysqlAddress, options: ConnectOptions): ConnectionOptions {
  const { socketPath, host, port, user, password } = address;
  const database = options.database === undefined ? address.database : options.database;
  const nothing = () => () => Buffer.alloc(0);
  return {
    ...(socketPath === undefined ? { host, port } : { socketPath }),
    user,
    ...(password === undefined ? {} : { password: password.reveal() }),
    ...(database === null ? {} : { database }),
    charset: 'utf8mb4',
    timezone: 'Z',
    dateStrings: true,
    supportBigNumbers: true,
    connectTimeout: Math.min(options.timeoutMs, longestTimerMs),
    enableKeepAlive: true,
    // The server asks the system who is at the other end of the socket.
    authPlugins: { unix_socket: nothing, auth_socket: nothing },
  };
}

async function sslOptions(address: MysqlAddress): Promise<SslOptions | undefined> {
  const { sslMode, sslCaPath, sslCertPath, sslKeyPath } = address;
  if (sslMode === 'DISABLED') return undefined;
  const read = async (path: string) => {
    try {
      return await readFile(path);
    } catch (cause) {
      throw new HoldfastError('usage.invalid', { message: `${path}, which the URL names, cannot be read`, cause });
    }
  };
  return {
    rejectUnauthorized: sslMode.startsWith('VERIFY'),
    verifyIdentity: sslMode === 'VERIFY_IDENTITY',
    ...(sslCaPath === undefined ? {} : { ca: await read(sslCaPath) }),
    ...(sslCertPath === undefined ? {} : { cert: await read(sslCertPath) }),
    ...(sslKeyPath === undefined ? {} : { key: await read(sslKeyPath) }),
  };
}
