import type { MysqlConnection } from './mysql-connection.ts';
import { qualifiedName, quoteName } from './sql-text.ts';

/**
 * A default names a sequence with its database, and does not follow when both change it. These statements, run when the tables are in place,
 * make the defaults of what was filled in `side` use the sequences of the target.
 */
export async function sequenceRedirects(control: MysqlConnection, side: string, target: string): Promise<string[]> {
  const rows = await control.rows(
    `SELECT table_name AS tableName, column_name AS name, column_default AS expression
       FROM information_schema.columns WHERE table_schema = ? AND INSTR(column_default, ?) > 0`,
    [side, `val(${quoteName(side)}.`],
  );
  return rows.map((row) => {
    const expression = String(row['expression']).replaceAll(`val(${quoteName(side)}.`, `val(${quoteName(target)}.`);
    const column = quoteName(String(row['name']));
    return `ALTER TABLE ${qualifiedName(target, String(row['tableName']))} ALTER COLUMN ${column} SET DEFAULT (${expression})`;
  });
}
