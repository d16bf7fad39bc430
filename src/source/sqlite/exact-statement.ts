import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** A statement whose numbers are exact. Others throw where a number has 64 bits; to run one, also where the row that was inserted last has such a number. */
export function exactly(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql);
  statement.setReadBigInts(true);
  return statement;
}
