import picomatch from 'picomatch';
import { HoldfastError } from '../../errors.ts';
import type { MysqlConnection } from './mysql-connection.ts';

/** Which of the two the server is, and how new. */
export interface ServerVersion {
  readonly engine: 'mysql' | 'mariadb';
  /** As `10.11.19`. */
  readonly version: string;
}

/** What holds rows, or a sequence, which the server keeps among its tables. */
export interface CatalogTable {
  readonly name: string;
  readonly isSequence: boolean;
  /** `InnoDB`; empty where the server does not tell. */
  readonly storageEngine: string;
  /** Whether the snapshot of a transaction covers it. */
  readonly isTransactional: boolean;
  /** Whether it keeps its rows of the past. */
  readonly isVersioned: boolean;
  readonly expectedRows: number;
  readonly expectedSizeBytes: number;
}

/** What a new database needs to be like an old one. */
export interface DatabaseDefaults {
  readonly characterSet: string;
  readonly collation: string;
}

/** Numbers of a version, for comparing. */
export function versionNumbers(version: string): readonly [number, number] {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return [Number(major), Number(minor)];
}

/** Whether the first is of an older series: `10.6` before `10.11`. */
export function isOlderSeries(version: string, than: string): boolean {
  const [major, minor] = versionNumbers(version);
  const [thanMajor, thanMinor] = versionNumbers(than);
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}

export async function readVersion(connection: MysqlConnection): Promise<ServerVersion> {
  const [row] = await connection.rows('SELECT VERSION() AS version');
  const text = String(row?.['version'] ?? '');
  // Old replicas need a 5.5.5- before MariaDB's own version.
  const version = /(\d+\.\d+\.\d+)/.exec(text.replace(/^5\.5\.5-/, ''))?.[1] ?? text;
  return { engine: /mariadb/i.test(text) ? 'mariadb' : 'mysql', version };
}

/** Undefined where there is no such database. */
export async function readDefaults(
  connection: MysqlConnection,
  database: string,
): Promise<DatabaseDefaults | undefined> {
  const [row] = await connection.rows(
    `SELECT default_character_set_name AS characterSet, default_collation_name AS collation
       FROM information_schema.schemata WHERE schema_name = ?`,
    [database],
  );
  return row && { characterSet: String(row['characterSet']), collation: String(row['collation']) };
}

/** The tables and sequences of a database: what its snapshot does not cover first, then by name. */
export async function readTables(connection: MysqlConnection, database: string): Promise<readonly CatalogTable[]> {
  const rows = await connection.rows(
    `SELECT t.table_name AS name, t.table_type AS type, t.engine AS engine, e.transactions AS transactions,
            t.table_rows AS expectedRows, t.data_length AS sizeBytes
       FROM information_schema.tables t LEFT JOIN information_schema.engines e ON e.engine = t.engine
      WHERE t.table_schema = ? AND t.table_type NOT IN ('VIEW', 'SYSTEM VIEW')`,
    [database],
  );
  const tables = rows.map((row) => ({
    name: String(row['name']),
    isSequence: row['type'] === 'SEQUENCE',
    isVersioned: row['type'] === 'SYSTEM VERSIONED',
    storageEngine: String(row['engine'] ?? ''),
    isTransactional: row['transactions'] === 'YES',
    expectedRows: Number(row['expectedRows'] ?? 0),
    expectedSizeBytes: Number(row['sizeBytes'] ?? 0),
  }));
  const rank = (table: CatalogTable) => Number(table.isTransactional || table.isSequence);
  return tables.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

/** Names of the columns of each table. */
export async function readColumns(
  connection: MysqlConnection,
  database: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await connection.rows(
    `SELECT table_name AS tableName, column_name AS name FROM information_schema.columns
      WHERE table_schema = ? ORDER BY table_name, ordinal_position`,
    [database],
  );
  const columns = new Map<string, string[]>();
  for (const row of rows) {
    const table = String(row['tableName']);
    const names = columns.get(table) ?? [];
    names.push(String(row['name']));
    columns.set(table, names);
  }
  return columns;
}

/** Which tables are wanted: globs on `table` or `database.table`; what is excluded is taken from what is included. */
export function tableFilter(
  database: string,
  options: { readonly includeTables?: readonly string[]; readonly excludeTables?: readonly string[] },
): (table: string) => boolean {
  const matcher = (globs: readonly string[]) => {
    // A name may hold a slash, which a star matches too.
    const matchers = globs.map((glob) => picomatch(glob, { dot: true, bash: true }));
    return (table: string) => matchers.some((matches) => matches(table) || matches(`${database}.${table}`));
  };
  for (const glob of [...(options.includeTables ?? []), ...(options.excludeTables ?? [])]) {
    if (glob === '') throw new HoldfastError('usage.invalid', { message: 'a glob for tables is empty' });
  }
  const isIncluded = options.includeTables === undefined ? () => true : matcher(options.includeTables);
  const isExcluded = matcher(options.excludeTables ?? []);
  return (table) => isIncluded(table) && !isExcluded(table);
}
