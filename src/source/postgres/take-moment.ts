import { HoldfastError } from '../../errors.ts';
import { lockTables } from './lock-tables.ts';
import type { PostgresConnection } from './postgres-connection.ts';
import { listTables, type SourceTable } from './table-list.ts';

/** So often tables may appear while those that were there are locked. */
const maximumRounds = 20;

/** Which tables are locked, and how long others may hold them. */
export interface MomentOptions {
  readonly isChosen: (table: SourceTable) => boolean;
  readonly timeoutMs: number;
}

/** Begins a transaction that sees a snapshot. */
export function beginMoment(snapshot: string): string {
  return `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '${snapshot}'`;
}

/**
 * Begins a transaction on `control` that sees one moment of the database, with all tables locked against changes of definitions; gives the
 * tables. They are locked on `locker` before the moment is taken: who empties a table or writes it anew (`TRUNCATE`, some of `ALTER TABLE`) leaves
 * nothing of it to those who see an earlier moment (PostgreSQL 18, section 13.6, "Caveats"), so that nobody may be at it then. What
 * `locker` holds is no longer needed afterwards. Throws `source.busy`, `source.changed`.
 */
export async function takeMoment(
  locker: PostgresConnection,
  control: PostgresConnection,
  { isChosen, timeoutMs }: MomentOptions,
): Promise<readonly SourceTable[]> {
  await locker.run('BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY');
  let locked: ReadonlySet<number> = new Set();
  let listed = (await listTables(locker)).filter(isChosen);
  for (let round = 1; round <= maximumRounds; round += 1) {
    const others = listed.filter(({ oid }) => !locked.has(oid));
    await lockTables(locker, others, timeoutMs);
    locked = await lockedBy(locker);
    const [row] = await locker.rows('SELECT pg_export_snapshot() AS snapshot');
    await control.run(beginMoment(String(row?.['snapshot'])));
    listed = (await listTables(control)).filter(isChosen);
    if (listed.every(({ oid }) => locked.has(oid))) {
      await lockTables(control, listed, timeoutMs);
      return listed;
    }
    await control.run('ROLLBACK');
  }
  throw new HoldfastError('source.changed', {
    message: 'tables were made or renamed all the time while the backup began',
    hint: 'run it again when the structure of the database is at rest',
  });
}

/** Not what was asked for: a name may have gone over to another table meanwhile. */
async function lockedBy(locker: PostgresConnection): Promise<ReadonlySet<number>> {
  const rows = await locker.rows(`SELECT relation::bigint AS oid FROM pg_locks
    WHERE locktype = 'relation' AND pid = pg_backend_pid() AND granted`);
  return new Set(rows.map((row) => Number(row['oid'])));
}
