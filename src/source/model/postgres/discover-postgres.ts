import type { PostgresConnection, Row } from '../../postgres/postgres-connection.ts';
import { plainName, quoteTable } from '../../postgres/sql-name.ts';
import type { Discovery, LeftOut, Model, ModelColumn, ModelForeignKey, ModelKey } from '../model.ts';
import { type CatalogType, modelTypeOf } from './postgres-type.ts';

/** What belongs to the server, to an extension, or to a session alone is no table of the application. */
const isOfUser = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`;

const tablesQuery = `SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND ${isOfUser} ORDER BY 2, 3`;

const leftOutQuery = `SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('v', 'm', 'f') AND ${isOfUser} ORDER BY 1, 2`;

const columnsQuery = `SELECT a.attrelid::bigint AS oid, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS native,
    a.attnotnull AS required, a.attidentity AS identity, a.attgenerated AS generated, pg_get_expr(d.adbin, d.adrelid) AS expression,
    b.typname AS type, bn.nspname AS type_schema, b.typtype AS type_kind, b.typcategory = 'A' AS is_array,
    CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS modifier,
    (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = b.oid) AS labels,
    pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname) AS sequence
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
    JOIN pg_namespace bn ON bn.oid = b.typnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum`;

const columnsOf = (numbers: string, relation: string) => `(SELECT json_agg(a.attname ORDER BY k.place)
  FROM unnest(${numbers}) WITH ORDINALITY k (number, place) JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = k.number)`;

const constraintsQuery = `SELECT o.conrelid::bigint AS oid, o.conname AS name, o.contype AS type, o.confdeltype AS on_delete,
    o.confupdtype AS on_update, o.convalidated AS is_checked, ${columnsOf('o.conkey', 'o.conrelid')} AS columns,
    ${columnsOf('o.confkey', 'o.confrelid')} AS target_columns, fn.nspname AS target_schema, f.relname AS target_name
  FROM pg_constraint o LEFT JOIN pg_class f ON f.oid = o.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
  WHERE o.conrelid = ANY ($1::oid[]) AND o.contype IN ('p', 'u', 'f') ORDER BY o.conrelid, o.contype, o.conname`;

/** Unique indexes that no constraint made, over whole columns and all rows. */
const indexesQuery = `SELECT i.indrelid::bigint AS oid, x.relname AS name, ${columnsOf('i.indkey', 'i.indrelid')} AS columns
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
  WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND NOT i.indisprimary AND i.indpred IS NULL AND i.indexprs IS NULL
    AND i.indnkeyatts = i.indnatts AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = i.indexrelid)
  ORDER BY 1, 2`;

const actions: Readonly<Record<string, string>> = { c: 'CASCADE', n: 'SET NULL', d: 'SET DEFAULT', r: 'RESTRICT' };
const leftOutReasons: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
};

/** What the connection's snapshot holds, by introspection. Partitions are part of the table that they are partitions of. */
export async function discoverPostgres(connection: PostgresConnection): Promise<Discovery> {
  const tables = await connection.rows(tablesQuery);
  const oids = [tables.map((row) => String(row['oid']))];
  const columns = byTable(await connection.rows(columnsQuery, oids));
  const constraints = byTable(await connection.rows(constraintsQuery, oids));
  const indexes = byTable(await connection.rows(indexesQuery, oids));
  const models: Model[] = [];
  for (const row of tables) {
    const oid = String(row['oid']);
    const table = { schema: String(row['schema']), name: String(row['name']) };
    const name = table.schema === 'public' ? plainName(table).replace(/^public\./, '') : plainName(table);
    const found = constraints.get(oid) ?? [];
    const [primary] = found.filter(({ type }) => type === 'p').map(keyOf);
    const made: ModelColumn[] = [];
    for (const column of columns.get(oid) ?? []) made.push(await columnOf(connection, column));
    models.push({
      name,
      table,
      columns: made,
      ...(primary === undefined ? {} : { primaryKey: primary }),
      uniqueKeys: [...found.filter(({ type }) => type === 'u'), ...(indexes.get(oid) ?? [])].map(keyOf),
      foreignKeys: found.filter(({ type }) => type === 'f').map(foreignKeyOf),
    });
  }
  const leftOut = (await connection.rows(leftOutQuery)).map((row): LeftOut => {
    const table = { schema: String(row['schema']), name: String(row['name']) };
    return { name: plainName(table), reason: leftOutReasons[String(row['kind'])] ?? 'no table' };
  });
  return { models, leftOut };
}

function byTable(rows: readonly Row[]): Map<string, Row[]> {
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const oid = String(row['oid']);
    const known = found.get(oid);
    if (known === undefined) found.set(oid, [row]);
    else known.push(row);
  }
  return found;
}

function keyOf(row: Row): ModelKey {
  return { name: String(row['name']), columns: row['columns'] as string[] };
}

function foreignKeyOf(row: Row): ModelForeignKey {
  const onDelete = actions[String(row['on_delete'])];
  const onUpdate = actions[String(row['on_update'])];
  return {
    ...keyOf(row),
    references: {
      table: { schema: String(row['target_schema']), name: String(row['target_name']) },
      columns: row['target_columns'] as string[],
    },
    ...(onDelete === undefined ? {} : { onDelete }),
    ...(onUpdate === undefined ? {} : { onUpdate }),
    // Of one that is not validated, the rows that there are may name others that are not.
    ...(row['is_checked'] === false ? { isSoft: true } : {}),
  };
}

async function columnOf(connection: PostgresConnection, row: Row): Promise<ModelColumn> {
  const catalogType: CatalogType = {
    name: String(row['type']),
    schema: String(row['type_schema']),
    kind: String(row['type_kind']),
    isArray: row['is_array'] === true,
    modifier: Number(row['modifier']),
    labels: row['labels'] as string[] | null,
  };
  const expression = row['expression'] === null ? undefined : String(row['expression']);
  const isGenerated = row['generated'] !== '';
  const sequence = row['sequence'];
  const isNumbered = row['identity'] !== '' || /^nextval\(/.test(expression ?? '');
  const isDefault = expression !== undefined && !isGenerated && !isNumbered;
  return {
    name: String(row['name']),
    type: modelTypeOf(catalogType),
    nativeType: String(row['native']),
    isNullable: row['required'] !== true,
    ...(isDefault ? { defaultSql: expression } : {}),
    ...(isGenerated ? { generatedSql: expression ?? '' } : {}),
    ...(isNumbered ? { identity: typeof sequence === 'string' ? await nextOf(connection, sequence) : {} } : {}),
  };
}

/** `sequence` is quoted by the server. */
async function nextOf(connection: PostgresConnection, sequence: string): Promise<{ readonly next?: string }> {
  const sql = `SELECT (last_value + CASE WHEN is_called THEN 1 ELSE 0 END)::text AS next FROM ${sequence}`;
  const [row] = await connection.rows(sql);
  return { next: String(row?.['next']) };
}

/** The table of a model, as SQL takes it. */
export function quoteModel({ table }: Model): string {
  return quoteTable({ schema: table.schema ?? 'public', name: table.name });
}
