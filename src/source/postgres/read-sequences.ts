import type { PostgresConnection } from './postgres-connection.ts';
import { quoteTable, quoteText } from './sql-name.ts';

/** So many sequences are read by one statement. */
const batchSize = 200;

const query = `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY 1, 2`;

/**
 * Statements that set all sequences. Sequences are in no snapshot: a value that is read now is that of the snapshot or a later one, so no number
 * that a row of the snapshot has is given out again.
 */
export async function readSequences(
  control: PostgresConnection,
): Promise<{ readonly text: string; readonly count: number }> {
  const sequences = (await control.rows(query)).map((row) =>
    quoteTable({ schema: String(row['schema']), name: String(row['name']) }),
  );
  const lines: string[] = [];
  for (let first = 0; first < sequences.length; first += batchSize) {
    const batch = sequences.slice(first, first + batchSize);
    const parts = batch.map(
      (name, index) => `SELECT ${index} AS index, last_value::text AS value, is_called FROM ${name}`,
    );
    const rows = await control.rows(`${parts.join(' UNION ALL ')} ORDER BY 1`);
    for (const [index, row] of rows.entries()) {
      const name = quoteText(batch[index] ?? '').trim();
      lines.push(`SELECT pg_catalog.setval(${name}, ${String(row['value'])}, ${String(row['is_called'])});\n`);
    }
  }
  return { text: lines.join(''), count: sequences.length };
}
