import type { MysqlConnection } from '../../mysql/mysql-connection.ts';
import { quoteName } from '../../mysql/sql-text.ts';
import type { Model, ModelForeignKey } from '../model.ts';

/** The values of a foreign key that name no row, of any one row that has such; undefined where all name one. */
export async function findOrphan(
  connection: MysqlConnection,
  model: Model,
  key: ModelForeignKey,
): Promise<string | undefined> {
  const { columns, references } = key;
  if (key.isSoft === true || references.columns.length !== columns.length) return undefined;
  const on = columns.map((name, index) => `c.${quoteName(name)} = p.${quoteName(references.columns[index] ?? '')}`);
  const isSet = columns.map((name) => `c.${quoteName(name)} IS NOT NULL`);
  const list = columns.map((name, index) => `CAST(c.${quoteName(name)} AS CHAR) AS v${index}`).join(', ');
  const first = quoteName(references.columns[0] ?? '');
  const [row] = await connection.slowRows(`SELECT ${list} FROM ${quoteName(model.table.name)} c
    LEFT JOIN ${quoteName(references.table.name)} p ON ${on.join(' AND ')}
    WHERE ${isSet.join(' AND ')} AND p.${first} IS NULL LIMIT 1`);
  return row && Object.values(row).map(String).join(', ');
}
