import { delay } from '../../clock.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { Random } from '../../random.ts';
import type { SftpConnection } from './sftp-connection.ts';

/** How a session gets its connections, and how long it tries. */
export interface SessionOptions {
  readonly connect: () => Promise<SftpConnection>;
  readonly random: Random;
  /** The pause before the first new try; each further one is twice as long. */
  readonly retryDelayMs: number;
}

/** How a step is run. */
export interface StepOptions {
  readonly signal?: AbortSignal | undefined;
  /** How often it is begun at most. */
  readonly tries?: number;
}

/** With pauses of 0.5, 1, 2, 4 and 8 s a server may be away for a restart. */
const maximumTries = 6;

/**
 * One connection at a time, made when it is wanted, and again when it was lost: then what was under way is repeated. A first connection
 * that fails is not tried again: its settings may be wrong.
 */
export class SftpSession {
  readonly #options: SessionOptions;
  #connection: SftpConnection | undefined;
  #connecting: Promise<SftpConnection> | undefined;
  #wasConnected = false;
  /** Connections in a row that were lost before anything was done. */
  #losses = 0;
  readonly #closing = new AbortController();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /**
   * Runs a step on a connection. Where that is lost meanwhile the step is run again on a new one, with the number of the try, so it has
   * to bear that it was done already. When the signal is aborted the step is left alone and `operation.interrupted` thrown.
   */
  async run<Result>(
    step: (connection: SftpConnection, attempt: number) => Promise<Result>,
    options: StepOptions = {},
  ): Promise<Result> {
    const { signal, tries = maximumTries } = options;
    for (let attempt = 1; ; attempt += 1) {
      throwIfAborted(signal);
      const connection = await unlessAborted(this.#connected(), signal);
      try {
        const result = await unlessAborted(step(connection, attempt), signal);
        this.#losses = 0;
        return result;
      } catch (error) {
        if (connection.lost === undefined || error !== connection.lost || this.#closing.signal.aborted) throw error;
        this.#forget(connection);
        if (attempt >= tries || this.#losses >= maximumTries) throw error;
      }
    }
  }

  /** Ends the connection; later steps throw `storage.failed`. May be called again. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#connecting?.catch(() => undefined);
    await this.#connection?.end();
  }

  async #connected(): Promise<SftpConnection> {
    if (this.#closing.signal.aborted) throw closedError();
    const connection = this.#connection;
    if (connection !== undefined && connection.lost === undefined) return connection;
    if (connection !== undefined) this.#forget(connection);
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return await this.#connecting;
  }

  #forget(connection: SftpConnection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#losses += 1;
  }

  async #connect(): Promise<SftpConnection> {
    for (let attempt = 1; ; attempt += 1) {
      const failures = this.#losses + attempt - 1;
      if (failures > 0) await delay(this.#delayMs(failures), this.#closing.signal);
      if (this.#closing.signal.aborted) throw closedError();
      try {
        this.#connection = await this.#options.connect();
        this.#wasConnected = true;
        return this.#connection;
      } catch (error) {
        const mayPass = error instanceof HoldfastError && error.retryable && this.#wasConnected;
        if (!mayPass || attempt >= maximumTries - 1) throw error;
      }
    }
  }

  /** Somewhat random, so that several clients do not come back at once. */
  #delayMs(failures: number): number {
    const [byte = 0] = this.#options.random.bytes(1);
    return this.#options.retryDelayMs * 2 ** Math.min(failures - 1, maximumTries) * (0.75 + byte / 512);
  }
}

function closedError(): HoldfastError {
  return new HoldfastError('storage.failed', { message: 'the storage was closed' });
}

/** The promise's result, or `operation.interrupted` as soon as the signal is aborted. */
async function unlessAborted<Result>(promise: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return await promise;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(new HoldfastError('operation.interrupted', { cause: signal.reason }));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
