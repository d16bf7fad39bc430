import type { Connection, Submittable } from 'pg';
import { releaseMemory } from '../release-memory.ts';

const messageBytes = 1024 * 1024;
const headerBytes = 5;
const copyData = 0x64;
/** One is filled while the other is sent. */
const messageCount = 2;

/** One `COPY … FROM STDIN`, fed with large messages. Memory: 2 MiB, taken when the first bytes come. */
export class CopyIn implements Submittable {
  readonly #sql: string;
  readonly #begun = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #connection: Connection | undefined;
  #free: Buffer[] = Array.from({ length: messageCount }, () => Buffer.alloc(0));
  #onFree: () => void = () => undefined;
  #failure: unknown;
  #isReady = false;
  #toldRows = 0;

  constructor(sql: string) {
    this.#sql = sql;
    for (const { promise } of [this.#begun, this.#ended]) promise.catch(() => undefined);
  }

  /** Called by the library when the connection is free. */
  submit(connection: Connection): void {
    this.#connection = connection;
    connection.query(this.#sql);
  }

  /** Whether {@link write} would not have to wait. */
  get isFree(): boolean {
    return this.#free.length > 0;
  }

  /** Hands over bytes, which are copied: their memory may be used again. Throws what the server answered. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#begun.promise;
    for (let at = 0; at < bytes.length; at += messageBytes) await this.#send(bytes.subarray(at, at + messageBytes));
  }

  /** Waits until bytes can be handed over. */
  async free(): Promise<void> {
    while (!this.isFree) {
      if (this.#failure !== undefined) throw this.#failure;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onFree = resolve;
      await promise;
    }
  }

  /** Ends it; gives the number of rows that the server took. Throws what the server answered. */
  async finish(): Promise<number> {
    await this.#begun.promise;
    (this.#connection as unknown as { endCopyFrom(): void }).endCopyFrom();
    await this.#ended.promise;
    // There is one of these for each part of a table: their memory does not wait to be collected.
    for (const message of this.#free.splice(0)) releaseMemory(message);
    return this.#toldRows;
  }

  /** Called by the library. */
  handleCopyInResponse(): void {
    this.#isReady = true;
    this.#begun.resolve();
  }

  /** Called by the library. */
  handleCommandComplete(message: { readonly text: string }): void {
    this.#toldRows = Number(/^COPY (\d+)$/.exec(message.text)?.[1] ?? Number.NaN);
  }

  /** Called by the library, for an error of the server and for a connection that is lost. */
  handleError(error: unknown): void {
    this.#failure ??= error;
    this.#begun.reject(error);
    this.#ended.reject(error);
    this.#onFree();
  }

  /** Called by the library. */
  handleReadyForQuery(): void {
    if (!this.#isReady) this.handleError(new Error('the connection was closed before it took rows'));
    this.#ended.resolve();
  }

  async #send(bytes: Uint8Array): Promise<void> {
    await this.free();
    if (this.#failure !== undefined) throw this.#failure;
    const kept = this.#free.pop() ?? Buffer.alloc(0);
    const needed = headerBytes + bytes.length;
    const message = kept.length >= needed ? kept : Buffer.allocUnsafeSlow(Math.max(needed, kept.length * 2));
    message[0] = copyData;
    message.writeInt32BE(bytes.length + 4, 1);
    message.set(bytes, headerBytes);
    this.#connection?.stream.write(message.subarray(0, needed), () => {
      // A failure is told by the connection.
      this.#free.push(message);
      this.#onFree();
    });
  }
}
