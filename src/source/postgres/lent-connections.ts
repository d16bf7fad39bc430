import type { PostgresConnection } from './postgres-connection.ts';

interface Waiting {
  readonly resolve: (connection: PostgresConnection) => void;
  readonly reject: (error: unknown) => void;
}

/** Connections that tables are filled by: each table has one, and more while there are some that nobody waits for. */
export class LentConnections {
  readonly #free: PostgresConnection[];
  readonly #waiting: Waiting[] = [];
  #failure: { readonly error: unknown } | undefined;

  constructor(connections: readonly PostgresConnection[]) {
    this.#free = [...connections];
  }

  /** Waits in turn for a connection. */
  async take(): Promise<PostgresConnection> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const free = this.takeFree();
    if (free !== undefined) return free;
    return await new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** One that nobody uses just now. */
  takeFree(): PostgresConnection | undefined {
    return this.#free.shift();
  }

  giveBack(connection: PostgresConnection): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(connection);
    else next.resolve(connection);
  }

  /** A connection that was left in the middle of its work is of no more use, and neither are the others: the restore has failed. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
