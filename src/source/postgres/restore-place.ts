import type { PostgresConnection } from './postgres-connection.ts';

/** Where a restore writes before it is put in place. */
export interface RestorePlace {
  /** For rows and for what can be made side by side. */
  readonly connections: readonly PostgresConnection[];
  /** All is one transaction, which {@link commit} ends. */
  readonly isInTransaction: boolean;
  /** Its name, for the server's own tools. */
  readonly database: string;
  /** Throws where the server does not answer any more. */
  probe(): Promise<void>;
  /** Puts all in place. Gives where what was replaced is kept. */
  commit(): Promise<string | undefined>;
  /** Removes all that was written. May be repeated. */
  abort(): Promise<void>;
}
