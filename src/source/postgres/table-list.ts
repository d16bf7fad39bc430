import type { PostgresConnection, Row } from './postgres-connection.ts';
import type { TableName } from './sql-name.ts';

/** A table that has rows of its own: one that is split into partitions has none. */
export interface SourceTable extends TableName {
  readonly oid: number;
  /** Those that are stored: the server makes generated ones anew. */
  readonly columns: readonly string[];
  readonly expectedRows: number;
  /** With what is stored beside it for large values. */
  readonly sizeBytes: number;
  /** Pages of the table itself, which its rows are found by. */
  readonly pageCount: number;
  /** Of a table that belongs to an extension: which of its rows are the user's own. */
  readonly condition: string;
}

/**
 * What `pg_dump` takes the rows of: tables of all schemas but the server's own; of an extension, only the tables that it declares to hold
 * settings of the user.
 */
const query = `SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name,
    coalesce((SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), '[]') AS columns,
    greatest(c.reltuples, 0)::float8 AS rows, c.relpages AS pages,
    (c.relpages + coalesce(t.relpages, 0))::float8 * current_setting('block_size')::int AS size,
    coalesce(x.condition, '') AS condition
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
    LEFT JOIN LATERAL (SELECT e.extcondition[array_position(e.extconfig, c.oid)] AS condition FROM pg_extension e
      WHERE c.oid = ANY (e.extconfig) LIMIT 1) x ON true
  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND (x.condition IS NOT NULL OR NOT EXISTS (SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
  ORDER BY n.nspname, c.relname`;

/** The tables as the connection's snapshot shows them, by name. Their sizes are the server's estimates, which need no lock on them. */
export async function listTables(connection: PostgresConnection): Promise<SourceTable[]> {
  return (await connection.rows(query)).map(tableOf);
}

const sizeQuery = `SELECT oid::bigint AS oid, pg_table_size(oid)::float8 AS size,
    (pg_relation_size(oid) / current_setting('block_size')::int)::float8 AS pages FROM unnest($1::oid[]) oid`;

/** The same tables with their true sizes. Waits for those who hold the tables against everybody. */
export async function measureTables(
  connection: PostgresConnection,
  tables: readonly SourceTable[],
): Promise<SourceTable[]> {
  const rows = await connection.rows(sizeQuery, [tables.map(({ oid }) => oid)]);
  const sizes = new Map(rows.map((row) => [Number(row['oid']), row]));
  return tables.map((table) => {
    const { size, pages } = sizes.get(table.oid) ?? {};
    return { ...table, sizeBytes: Number(size ?? 0), pageCount: Number(pages ?? 0) };
  });
}

function tableOf(row: Row): SourceTable {
  return {
    oid: Number(row['oid']),
    schema: String(row['schema']),
    name: String(row['name']),
    columns: row['columns'] as string[],
    expectedRows: Number(row['rows']),
    sizeBytes: Number(row['size']),
    pageCount: Number(row['pages']),
    condition: String(row['condition']),
  };
}
