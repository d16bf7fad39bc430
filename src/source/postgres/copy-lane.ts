import type { CopyOut } from './copy-out.ts';
import type { PostgresConnection } from './postgres-connection.ts';

/** A connection that reads one part of a table after the other, and begins the next before it is asked for. */
export class CopyLane {
  readonly #connection: PostgresConnection;
  #waiting: CopyOut[] = [];
  #current: CopyOut | undefined;

  constructor(connection: PostgresConnection) {
    this.#connection = connection;
  }

  /** Reads it when those before it have ended. */
  add(copy: CopyOut): void {
    this.#waiting.push(copy);
    this.#begin();
  }

  /** Called when all rows of the current one were taken. */
  finish(): void {
    this.#current = undefined;
    this.#begin();
  }

  async stop(): Promise<void> {
    this.#waiting = [];
    await this.#connection.stop();
  }

  async close(): Promise<void> {
    this.#waiting = [];
    // What is still being sent to a reader that has gone is not waited for.
    await (this.#current === undefined ? this.#connection.close() : this.#connection.stop());
  }

  #begin(): void {
    if (this.#current !== undefined) return;
    this.#current = this.#waiting.shift();
    if (this.#current !== undefined) this.#connection.submit(this.#current);
  }
}
