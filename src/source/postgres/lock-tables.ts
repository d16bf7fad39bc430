import { HoldfastError } from '../../errors.ts';
import type { PostgresConnection } from './postgres-connection.ts';
import { isLost, serverFailure } from './postgres-error.ts';
import { plainName, quoteTable, type TableName } from './sql-name.ts';

/** So many locks are asked for at once, where none has to be waited for. */
const batchSize = 200;

/**
 * Keeps tables from being dropped or changed while they are read; reading and writing rows goes on. Throws `source.busy` (another program holds
 * a lock for longer than the time limit), `source.changed` (the table is gone).
 */
export async function lockTables(
  control: PostgresConnection,
  tables: readonly TableName[],
  timeoutMs: number,
): Promise<void> {
  for (let first = 0; first < tables.length; first += batchSize) {
    const batch = tables.slice(first, first + batchSize);
    await control.run('SAVEPOINT locks');
    try {
      await control.run(`LOCK TABLE ${batch.map(only).join(', ')} IN ACCESS SHARE MODE NOWAIT`);
    } catch (error) {
      const failure = serverFailure(error);
      if (failure === undefined || isLost(failure)) throw error;
      await control.run('ROLLBACK TO SAVEPOINT locks');
      for (const table of batch) await lockTable(control, table, timeoutMs);
    }
    await control.run('RELEASE SAVEPOINT locks');
  }
}

const only = (table: TableName) => `ONLY ${quoteTable(table)}`;

async function lockTable(control: PostgresConnection, table: TableName, timeoutMs: number): Promise<void> {
  const name = plainName(table);
  try {
    await control.run(`LOCK TABLE ${only(table)} IN ACCESS SHARE MODE`);
  } catch (cause) {
    const code = serverFailure(cause)?.code;
    const context = { table: name, timeoutMs };
    if (code === '55P03') {
      const message = `another program holds a lock on the table ${name}, which was waited for ${timeoutMs / 1000} s`;
      throw new HoldfastError('source.busy', { message, context, cause });
    }
    if (code === '42P01' || code === '3F000') {
      const message = `the table ${name} was dropped or renamed while the backup began`;
      throw new HoldfastError('source.changed', { message, context, cause });
    }
    throw cause;
  }
}
