import type { Connection, Submittable } from 'pg';
import { timeoutSignal } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { releaseMemory } from '../release-memory.ts';
import { CopyRows } from './copy-rows.ts';
import { ReadingSocket } from './reading-socket.ts';

type DataListener = (bytes: Buffer) => void;

/** What was received and not taken yet is held up to this size; the kernel holds more. */
const bufferedBytes = 1024 * 1024;

/** What is done about a server that is silent. */
export interface SilenceWatch {
  readonly timeoutMs: number;
  /** Called each time nothing came for so long. Throws where there is no more to wait for. */
  onSilence(): Promise<void>;
}

/**
 * One `COPY … TO STDOUT`: its rows are taken from the bytes of the connection, without an object for each; all other messages go to the
 * library as usual. Memory: about 1 MiB.
 */
export class CopyOut implements Submittable {
  readonly #sql: string;
  readonly #rows: CopyRows;
  readonly #silence: SilenceWatch;
  #watch: AbortSignal | undefined;
  #isHeard = true;
  #stream: Connection['stream'] | undefined;
  #listeners: DataListener[] = [];
  #failure: unknown;
  #isEnded = false;
  /** From the command tag; undefined until the end. */
  #toldRows: number | undefined;
  #wake: () => void = () => undefined;

  constructor(sql: string, silence: SilenceWatch) {
    this.#sql = sql;
    this.#silence = silence;
    this.#rows = new CopyRows((message) => this.#pass(message));
  }

  /** Called by the library when the connection is free. */
  submit(connection: Connection): void {
    const { stream } = connection;
    this.#stream = stream;
    this.#listeners = stream.listeners('data') as DataListener[];
    stream.removeAllListeners('data');
    stream.on('data', this.#receive);
    if (stream instanceof ReadingSocket) stream.isBorrowed = true;
    connection.query(this.#sql);
  }

  /** Rows that were taken so far. */
  get rowCount(): number {
    return this.#rows.rowCount;
  }

  /** Whether the last byte that was taken ended a row. */
  get isBetweenRows(): boolean {
    return this.#rows.isBetweenRows;
  }

  /**
   * Fills `into` from its start with what comes, as much as has come and one byte at least; stops at the first end of a row after `softBytes`.
   * Gives 0 at the end. Throws what the server answered; `source.incomplete` where it tells of other rows than came.
   */
  async readInto(into: Uint8Array, softBytes: number): Promise<number> {
    for (;;) {
      const taken = this.#rows.take(into, softBytes);
      if (this.#rows.bufferedBytes < bufferedBytes / 2) this.#stream?.resume();
      if (taken > 0) return taken;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isEnded) return this.#end();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      this.#watchSilence();
      await promise;
      if (this.#watch?.aborted === true) await this.#measureSilence();
    }
  }

  /** Called by the library. */
  handleCommandComplete(message: { readonly text: string }): void {
    this.#toldRows = Number(/^COPY (\d+)$/.exec(message.text)?.[1]);
  }

  /** Called by the library, for an error of the server and for a connection that is lost. */
  handleError(error: unknown): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** Called by the library. */
  handleReadyForQuery(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Called by the library for the response that a COPY begins with, where it is one that takes rows. */
  handleCopyInResponse(connection: { sendCopyFail(message: string): void }): void {
    connection.sendCopyFail('not expected');
  }

  /** One timer for as many waits as fall into its time. */
  #watchSilence(): void {
    if (this.#watch?.aborted === false) return;
    this.#isHeard = false;
    this.#watch = timeoutSignal(this.#silence.timeoutMs);
    this.#watch.addEventListener('abort', () => this.#wake());
  }

  async #measureSilence(): Promise<void> {
    this.#watch = undefined;
    if (!this.#isHeard) await this.#silence.onSilence();
  }

  #end(): 0 {
    if (this.#toldRows === this.rowCount) return 0;
    throw new HoldfastError('source.incomplete', {
      message: `the server tells of ${this.#toldRows ?? 'no'} rows, and ${this.rowCount} came`,
    });
  }

  readonly #receive = (bytes: Buffer): void => {
    this.#isHeard = true;
    this.#rows.add(bytes);
    // Of TLS each chunk has memory of its own.
    if (!(this.#stream instanceof ReadingSocket)) releaseMemory(bytes);
    if (this.#rows.bufferedBytes >= bufferedBytes) this.#stream?.pause();
    this.#wake();
  };

  /** Gives a message that is no row to the library; the last one frees the connection for its next statement. */
  #pass(message: Buffer): void {
    const listeners = this.#listeners;
    if (message[0] === readyForQuery) {
      const stream = this.#stream;
      stream?.off('data', this.#receive);
      if (stream instanceof ReadingSocket) stream.isBorrowed = false;
      this.#rows.close();
      for (const listener of listeners) stream?.on('data', listener);
      stream?.resume();
    }
    for (const listener of listeners) listener.call(this.#stream, message);
  }
}

const readyForQuery = 0x5a;
