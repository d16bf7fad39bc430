import { once } from 'node:events';
import type { Client, Submittable } from 'pg';
import { longestTimerMs, timeoutSignal } from '../../clock.ts';
import { throwIfAborted } from '../../errors.ts';
import { type BackendKey, cancelStatement } from './cancel-statement.ts';
import { readPasswordFile } from './password-file.ts';
import type { PostgresAddress } from './postgres-address.ts';
import { ReadingSocket } from './reading-socket.ts';
import { tlsOptions } from './tls-options.ts';

/** A row by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>;

/** How a connection is made. */
export interface ConnectOptions {
  /** For connecting, for locks, and for each statement that sets no limit of its own. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** That of the address unless set. */
  readonly database?: string;
  /** What the server's lists of connections show. */
  readonly applicationName?: string;
}

/** The server first ends what waits for a lock, and its answer says so. */
const graceMs = 5_000;

/** Values as they are written to be read again exactly, rights that fail loudly, and no limits but our own. */
const settings = (
  lockTimeoutMs: number,
) => `SET client_encoding = 'UTF8'; SET datestyle = ISO; SET intervalstyle = postgres;
  SET extra_float_digits = 3; SET standard_conforming_strings = on; SET row_security = off; SET statement_timeout = 0;
  SET idle_in_transaction_session_timeout = 0; SET lock_timeout = ${lockTimeoutMs}; SET search_path = pg_catalog; SET xmloption = content;
  SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout')`;

/** One connection to the server, for one statement at a time. Errors come as the library throws them. */
export class PostgresConnection {
  readonly client: Client;
  readonly #address: PostgresAddress;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  #isClosed = false;

  static async open(address: PostgresAddress, options: ConnectOptions): Promise<PostgresConnection> {
    throwIfAborted(options.signal);
    const ssl = await tlsOptions(address);
    let client: Client;
    try {
      client = await connect(address, options, ssl);
    } catch (error) {
      const isPlainOnly = error instanceof Error && error.message.includes('does not support SSL');
      if (address.sslMode !== 'prefer' || !isPlainOnly) throw error;
      client = await connect(address, options, undefined);
    }
    const connection = new PostgresConnection(client, address, options);
    await connection.run(settings(Math.min(options.timeoutMs, longestTimerMs)));
    return connection;
  }

  private constructor(client: Client, address: PostgresAddress, options: ConnectOptions) {
    this.client = client;
    this.#address = address;
    this.#timeoutMs = options.timeoutMs;
    this.#signal = options.signal;
    this.#onAbort = () => void this.stop();
    // Without a listener a connection that breaks between two statements would end the process.
    client.on('error', () => undefined);
    options.signal?.addEventListener('abort', this.#onAbort);
  }

  /** The rows of a query; `$1` in it stands for the first value. */
  async rows(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const query = () => (values.length === 0 ? this.client.query(sql) : this.client.query(sql, [...values]));
    return (await this.#within(this.#timeoutMs + graceMs, query)).rows as readonly Row[];
  }

  /** Runs statements for what they do. `timeoutMs` is for those that may take long. */
  async run(sql: string, timeoutMs: number = this.#timeoutMs): Promise<void> {
    await this.#within(timeoutMs + graceMs, () => this.client.query(sql));
  }

  /** Runs statements that take as long as they take: as the server is asked to do work, not to answer. */
  async work(sql: string): Promise<void> {
    await this.#unlessStopped(this.client.query(sql));
  }

  /** Begins a statement that takes bytes or gives them. */
  submit(statement: Submittable): void {
    throwIfAborted(this.#signal);
    this.client.query(statement);
  }

  /** Ends what the server does for it, and the connection, at once. */
  async stop(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    const cancelled = cancelStatement(this.#address, this.backendKey);
    this.#destroy();
    await cancelled;
  }

  /** Ends it; what was not committed is rolled back, and its locks are freed. May be repeated. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    try {
      await Promise.race([this.client.end(), once(timeoutSignal(1_000), 'abort')]);
    } catch {
      // It was broken already.
    } finally {
      this.#destroy();
    }
  }

  /** What the server knows this connection by. */
  get backendKey(): BackendKey {
    const { processID, secretKey } = this.client as unknown as { processID: number; secretKey: number };
    return { processId: processID, secretKey };
  }

  #destroy(): void {
    const { connection } = this.client as unknown as { connection: { stream: { destroy(): void } } };
    connection.stream.destroy();
  }

  async #unlessStopped<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      throwIfAborted(this.#signal);
      throw error;
    }
  }

  /** A connection whose answer was not waited for is of no more use. */
  async #within<Result>(timeoutMs: number, work: () => Promise<Result>): Promise<Result> {
    throwIfAborted(this.#signal);
    const limit = timeoutSignal(timeoutMs);
    const { promise: late, reject } = Promise.withResolvers<never>();
    const onLimit = () => {
      void this.stop();
      reject(Object.assign(new Error(`the server did not answer within ${timeoutMs / 1000} s`), { code: 'ETIMEDOUT' }));
    };
    limit.addEventListener('abort', onLimit);
    try {
      return await this.#unlessStopped(Promise.race([work(), late]));
    } finally {
      limit.removeEventListener('abort', onLimit);
    }
  }
}

async function connect(
  address: PostgresAddress,
  options: ConnectOptions,
  ssl: Awaited<ReturnType<typeof tlsOptions>>,
): Promise<Client> {
  const { Client } = await import('pg');
  const database = options.database ?? address.database;
  const secret = address.password ?? (await readPasswordFile(address, database));
  const client = new Client({
    host: address.host,
    port: address.port,
    user: address.user,
    database,
    // An empty one keeps the library from looking for others by itself.
    password: secret?.reveal() ?? '',
    ssl: ssl ?? false,
    ...(ssl === undefined ? { stream: () => new ReadingSocket() } : {}),
    application_name: options.applicationName ?? 'holdfast',
    connectionTimeoutMillis: Math.min(options.timeoutMs, longestTimerMs),
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  client.on('error', () => undefined);
  const { signal } = options;
  const onAbort = () => void client.end().catch(() => undefined);
  signal?.addEventListener('abort', onAbort);
  try {
    await client.connect();
    return client;
  } catch (error) {
    throwIfAborted(signal);
    await client.end().catch(() => undefined);
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
