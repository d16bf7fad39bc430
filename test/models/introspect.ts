/** What a database has, by queries of this test's own: descriptions are held against it. */
import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import type { Client } from 'pg';
import type { OrmModel } from '../../src/source/model/orm/orm-model.ts';

/** Columns by table: `invoice`, or `billing.invoice` outside the default schema. */
export type TableColumns = ReadonlyMap<string, readonly string[]>;

export function tablesOfSqlite(database: DatabaseSync): TableColumns {
  const rows = database
    .prepare(
      `SELECT m.name AS "table", c.name AS "column" FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS c
       WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
    )
    .all() as { table: string; column: string }[];
  return grouped(rows);
}

export async function tablesOfPostgres(client: Client): Promise<TableColumns> {
  const { rows } = await client.query<{ table: string; column: string }>(
    `SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname AS "table", a.attname AS "column"
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema)' AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY 1, a.attnum`,
  );
  return grouped(rows);
}

function grouped(rows: readonly { table: string; column: string }[]): TableColumns {
  const tables = new Map<string, string[]>();
  for (const { table, column } of rows) tables.set(table, [...(tables.get(table) ?? []), column]);
  return tables;
}

const labelOf = ({ schema, name }: { schema?: string; name: string }) =>
  schema === undefined ? name : `${schema}.${name}`;

/** Each described table, column and relation is in the database, and each table and column of the database is described, but for those that are named. */
export function assertDescribes(
  models: readonly OrmModel[],
  tables: TableColumns,
  undescribed: readonly string[] = [],
): void {
  const described = models.map(({ table }) => labelOf(table));
  assert.deepEqual([...described].sort(), [...tables.keys()].filter((name) => !undescribed.includes(name)).sort());
  for (const { table, fields, relations } of models) {
    const label = labelOf(table);
    const columns = tables.get(label) ?? [];
    assert.deepEqual(fields.map(({ column }) => column).sort(), [...columns].sort(), `columns of ${label}`);
    assert.equal(new Set(fields.map(({ name }) => name)).size, fields.length, `names of fields of ${label}`);
    for (const { name, columns: own, references } of relations) {
      assert.ok(own.length > 0 && own.length === references.columns.length, `${label}: ${name}`);
      assert.deepEqual(
        own.filter((column) => !columns.includes(column)),
        [],
        `${label}: ${name}`,
      );
      const target = tables.get(labelOf(references.table)) ?? [];
      assert.deepEqual(
        references.columns.filter((column) => !target.includes(column)),
        [],
        `${label}: ${name}`,
      );
    }
  }
}

/** Fields and relations of models, short enough to read in a test: `customerId customer_id`, `customer: customer_id -> customers.id`. */
export function summaryOf(models: readonly OrmModel[]): Record<string, readonly string[]> {
  return Object.fromEntries(
    models.map(({ name, table, fields, relations }) => [
      `${name} = ${labelOf(table)}`,
      [
        ...fields.map((field) => (field.name === field.column ? field.name : `${field.name} ${field.column}`)),
        ...relations.map(
          (one) =>
            `${one.name}: ${one.columns.join()} -> ${labelOf(one.references.table)}.${one.references.columns.join()}`,
        ),
      ],
    ]),
  );
}
