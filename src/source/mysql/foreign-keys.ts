import { HoldfastError } from '../../errors.ts';
import type { MysqlConnection } from './mysql-connection.ts';

/**
 * A foreign key follows the table that it refers to when that is moved away. So a table goes only together with those that refer to it, but for
 * those of databases that go anyway: `isLeaving` tells. Throws `target.incompatible`.
 */
export async function refuseOutsideKeys(
  control: MysqlConnection,
  database: string,
  outgoing: readonly string[],
  isLeaving: (database: string) => boolean = () => false,
): Promise<void> {
  if (outgoing.length === 0) return;
  const rows = await control.rows(
    `SELECT DISTINCT table_schema AS owner, table_name AS name, referenced_table_name AS referenced
       FROM information_schema.key_column_usage WHERE referenced_table_schema = ?`,
    [database],
  );
  const moves = new Set(outgoing);
  for (const row of rows) {
    const owner = String(row['owner']);
    const name = String(row['name']);
    const referenced = String(row['referenced']);
    if (!moves.has(referenced) || (owner === database && moves.has(name)) || isLeaving(owner)) continue;
    throw new HoldfastError('target.incompatible', {
      message: `the table ${owner}.${name} refers to ${referenced} by a foreign key, and is not restored with it`,
      hint: 'restore both, or all of the database, or drop the foreign key',
      context: { table: `${owner}.${name}`, referenced },
    });
  }
}
