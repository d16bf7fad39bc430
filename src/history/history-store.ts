import type { Expression, Kysely } from 'kysely';
import type { HistoryTables } from './history-schema.ts';

/** A database with the tables of a history, and what sets it apart from one of another kind. */
export interface HistoryStore {
  readonly database: Kysely<HistoryTables>;
  /** Where the tables are, unless in the default one. */
  readonly schema?: string;
  /** The moment by which leases are taken and end: the caller's on one machine, the server's where machines share it. */
  leaseNowMs(nowMs: number): Expression<number>;
  /** Runs statements, again where that may help. Throws `history.unavailable`, which names the place without its password. */
  attempt<Value>(work: () => Promise<Value>): Promise<Value>;
}
