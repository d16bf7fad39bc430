import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { isForeignSchema } from './sqlite-error.ts';

/** A table and the number of its rows. */
export interface TableRows {
  readonly name: string;
  readonly rows: number;
}

/** What stands in a database file that nobody writes. */
export interface DatabaseContents {
  /** Version of the SQLite library that looked. */
  readonly engineVersion: string;
  /** In order of names. */
  readonly tables: readonly TableRows[];
  /** Rows of all tables. */
  readonly rows: number;
  /** Virtual tables whose module is not there, so that nobody can count them. */
  readonly uncounted: readonly string[];
  /** The first lines of a failed integrity check; empty when all is well. */
  readonly faults: readonly string[];
}

/** Lines of a failed check that are told. */
const faultLimit = 5;

/** A name in a statement. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function textColumn(database: DatabaseSync, statement: string): string[] {
  return database
    .prepare(statement)
    .all()
    .map((row) => String(Object.values(row)[0]));
}

/**
 * Checks the whole; where the schema needs a collation or a function of its application, table by table, passing over those
 * that cannot be checked without it.
 */
function checkIntegrity(database: DatabaseSync, tables: readonly string[]): string[] {
  const faultsOf = (argument: string) =>
    textColumn(database, `PRAGMA integrity_check(${argument})`).filter((line) => line !== 'ok');
  try {
    return faultsOf(String(faultLimit));
  } catch (error) {
    if (!isForeignSchema(error)) throw error;
  }
  const faults: string[] = [];
  for (const table of tables) {
    try {
      faults.push(...faultsOf(quoted(table)));
    } catch (error) {
      if (!isForeignSchema(error)) throw error;
    }
  }
  return faults.slice(0, faultLimit);
}

function countRows(database: DatabaseSync): { readonly tables: TableRows[]; readonly uncounted: string[] } {
  const list = `SELECT name, type FROM pragma_table_list
    WHERE schema = 'main' AND type IN ('table', 'shadow', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`;
  const tables: TableRows[] = [];
  const uncounted: string[] = [];
  for (const { name, type } of database.prepare(list).all()) {
    try {
      const count = database.prepare(`SELECT count(*) AS rows FROM ${quoted(String(name))}`).get();
      tables.push({ name: String(name), rows: Number(count?.['rows']) });
    } catch (error) {
      // The module of a virtual table may live in its application only; its shadow tables are counted.
      if (type !== 'virtual' || !isForeignSchema(error)) throw error;
      uncounted.push(String(name));
    }
  }
  return { tables, uncounted };
}

/**
 * Checks a database file and counts its rows. The file must not be in use: it is opened as one that does not change, so
 * nothing is made beside it. Throws what SQLite throws. It blocks: call {@link inspectDatabase} instead.
 */
export function inspectDatabaseSync(path: string): DatabaseContents {
  const url = new URL(`${pathToFileURL(path).href}?immutable=1`);
  const database = new DatabaseSync(url, { readOnly: true, enableDoubleQuotedStringLiterals: true });
  try {
    const engineVersion = textColumn(database, 'SELECT sqlite_version()')[0] ?? '';
    const names = textColumn(database, `SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`);
    const faults = checkIntegrity(database, names);
    const { tables, uncounted } = faults.length === 0 ? countRows(database) : { tables: [], uncounted: [] };
    return { engineVersion, tables, rows: tables.reduce((sum, table) => sum + table.rows, 0), uncounted, faults };
  } finally {
    database.close();
  }
}
