import type { MysqlConnection, Row } from '../../mysql/mysql-connection.ts';
import { quoteText } from '../../mysql/sql-text.ts';
import type { Discovery, LeftOut, Model, ModelColumn, ModelForeignKey, ModelKey } from '../model.ts';
import { modelTypeOf } from './mysql-type.ts';

const tablesQuery = `SELECT table_name AS name, table_type AS type, auto_increment AS next
  FROM information_schema.tables WHERE table_schema = ? ORDER BY CAST(table_name AS BINARY)`;

const columnsQuery = `SELECT table_name AS tableName, column_name AS name, data_type AS type, column_type AS fullType,
    is_nullable AS nullable, column_default AS expression, extra, generation_expression AS generated,
    character_maximum_length AS length, numeric_precision AS digits, numeric_scale AS scale, datetime_precision AS secondDigits
  FROM information_schema.columns WHERE table_schema = ? ORDER BY CAST(table_name AS BINARY), ordinal_position`;

const keysQuery = `SELECT table_name AS tableName, index_name AS name, column_name AS columnName, sub_part AS part
  FROM information_schema.statistics WHERE table_schema = ? AND non_unique = 0 ORDER BY CAST(table_name AS BINARY), CAST(index_name AS BINARY), seq_in_index`;

const foreignKeysQuery = `SELECT k.table_name AS tableName, k.constraint_name AS name, k.column_name AS columnName,
    k.referenced_table_schema AS targetSchema, k.referenced_table_name AS targetName, k.referenced_column_name AS targetColumn,
    r.delete_rule AS onDelete, r.update_rule AS onUpdate
  FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r
    ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name
  WHERE k.table_schema = ? AND k.referenced_table_name IS NOT NULL ORDER BY CAST(k.table_name AS BINARY), CAST(k.constraint_name AS BINARY), k.ordinal_position`;

const jsonQuery = `SELECT table_name AS tableName, check_clause AS clause FROM information_schema.check_constraints
  WHERE constraint_schema = ? AND check_clause LIKE 'json_valid(%'`;

const leftOutReasons: Readonly<Record<string, string>> = {
  VIEW: 'a view',
  'SYSTEM VIEW': 'a view',
  SEQUENCE: 'a sequence',
};
const actions = new Set(['CASCADE', 'SET NULL', 'SET DEFAULT', 'RESTRICT']);

/** What the database holds, by introspection. */
export async function discoverMysql(
  connection: MysqlConnection,
  database: string,
  engine: 'mysql' | 'mariadb',
): Promise<Discovery> {
  const ask = async (sql: string) => await connection.rows(sql, [database]);
  const tables = await ask(tablesQuery);
  const columns = byTable(await ask(columnsQuery));
  const keys = byTable(await ask(keysQuery));
  const foreignKeys = byTable(await ask(foreignKeysQuery));
  const checks = engine === 'mariadb' ? await ask(jsonQuery) : [];
  const json = new Set(checks.map((row) => `${row['tableName']} ${/`(.*)`/.exec(String(row['clause']))?.[1]}`));
  const isTable = (row: Row) => leftOutReasons[String(row['type'])] === undefined;
  const models = tables.filter(isTable).map((row): Model => {
    const name = String(row['name']);
    const found = keysOf(keys.get(name) ?? []);
    const primary = found.find((key) => key.name === 'PRIMARY');
    return {
      name,
      table: { name },
      columns: (columns.get(name) ?? []).map((column) => columnOf(column, { engine, next: row['next'], json })),
      ...(primary === undefined ? {} : { primaryKey: primary }),
      uniqueKeys: found.filter((key) => key !== primary),
      foreignKeys: foreignKeysOf(foreignKeys.get(name) ?? []),
    };
  });
  const leftOut = tables
    .filter((row) => !isTable(row))
    .map((row): LeftOut => ({ name: String(row['name']), reason: leftOutReasons[String(row['type'])] ?? '' }));
  return { models, leftOut };
}

function byTable(rows: readonly Row[]): Map<string, Row[]> {
  return Map.groupBy(rows, (row) => String(row['tableName']));
}

/** Unique keys over whole columns. */
function keysOf(rows: readonly Row[]): ModelKey[] {
  const groups = Map.groupBy(rows, (row) => String(row['name']));
  return [...groups]
    .filter(([, parts]) => parts.every((part) => part['part'] === null && part['columnName'] !== null))
    .map(([name, parts]) => ({ name, columns: parts.map((part) => String(part['columnName'])) }));
}

function foreignKeysOf(rows: readonly Row[]): ModelForeignKey[] {
  const groups = Map.groupBy(rows, (row) => String(row['name']));
  return [...groups].map(([name, parts]) => {
    const [first] = parts;
    const onDelete = String(first?.['onDelete']);
    const onUpdate = String(first?.['onUpdate']);
    return {
      name,
      columns: parts.map((part) => String(part['columnName'])),
      references: {
        table: { name: String(first?.['targetName']) },
        columns: parts.map((part) => String(part['targetColumn'])),
      },
      ...(actions.has(onDelete) ? { onDelete } : {}),
      ...(actions.has(onUpdate) ? { onUpdate } : {}),
    };
  });
}

const numberOf = (value: unknown): number | undefined =>
  value === null || value === undefined ? undefined : Number(value);

function columnOf(
  row: Row,
  table: { readonly engine: string; readonly next: unknown; readonly json: ReadonlySet<string> },
): ModelColumn {
  const extra = String(row['extra'] ?? '');
  const full = String(row['fullType']);
  const type = modelTypeOf({
    name: String(row['type']).toLowerCase(),
    full,
    length: numberOf(row['length']),
    precision: numberOf(row['digits']),
    scale: numberOf(row['scale']),
    secondDigits: numberOf(row['secondDigits']) ?? 0,
    isJson: table.json.has(`${row['tableName']} ${row['name']}`),
  });
  const isGenerated = /\bGENERATED\b/i.test(extra) && !/DEFAULT_GENERATED/i.test(extra);
  const isNumbered = /auto_increment/i.test(extra);
  const defaultSql = isGenerated ? undefined : defaultOf(row['expression'], extra, table.engine);
  return {
    name: String(row['name']),
    type,
    nativeType: full,
    isNullable: row['nullable'] === 'YES',
    ...(defaultSql === undefined ? {} : { defaultSql }),
    ...(isGenerated ? { generatedSql: String(row['generated'] ?? '').replace(/^ROW (START|END)$/i, '') } : {}),
    ...(isNumbered
      ? { identity: table.next === null || table.next === undefined ? {} : { next: String(table.next) } }
      : {}),
  };
}

/** MariaDB writes expressions, MySQL plain texts. */
function defaultOf(value: unknown, extra: string, engine: string): string | undefined {
  if (value === null || value === undefined) return undefined;
  const text = String(value);
  if (engine === 'mariadb') return text === 'NULL' ? undefined : text;
  if (/DEFAULT_GENERATED/i.test(extra)) return /^CURRENT_TIMESTAMP/i.test(text) ? text : `(${text})`;
  return /^-?\d+(\.\d+)?$|^b'[01]+'$/.test(text) ? text : quoteText(text);
}
