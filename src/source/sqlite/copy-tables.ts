import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { exactly } from './exact-statement.ts';
import { quoted } from './inspect-database.ts';

/** Which tables go where. */
export interface TableCopy {
  /** A database file that nobody writes. */
  readonly from: string;
  /** A database, in use or not, or a file that is not there yet. */
  readonly into: string;
  readonly tables: readonly string[];
  /** Lets tables that are there be replaced. */
  readonly overwrite: boolean;
  /** Longest wait for a lock. */
  readonly lockWaitMs: number;
}

/** Why tables cannot be copied; `code` is one of the table of errors. */
export class TableCopyError extends Error {
  readonly code: 'target.exists' | 'target.invalid' | 'usage.invalid';

  constructor(code: TableCopyError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

interface Violations {
  readonly [table: string]: number;
}

/**
 * Copies tables with their rows, indexes and triggers into a database, in one transaction: each takes the place of the one that is there.
 * `beforeChange` is called when nobody else can write any more and nothing is changed yet. Throws what SQLite throws, and
 * `TableCopyError`; the database is then as it was. It blocks: call it in a thread of its own.
 */
export async function copyTables(copy: TableCopy, beforeChange: () => Promise<void>): Promise<void> {
  using database = new DatabaseSync(pathToFileURL(copy.into), {
    timeout: copy.lockWaitMs,
    enableDoubleQuotedStringLiterals: true,
    // With foreign keys on, dropping a table would delete the rows that refer to it.
    enableForeignKeyConstraints: false,
  });
  const isNew = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'] === 0;
  if (isNew) takeEncoding(database, copy.from);
  // As what nobody writes: else the transaction would span both files, with a journal more.
  database.prepare('ATTACH ? AS archived').run(`${pathToFileURL(copy.from).href}?immutable=1`);
  database.exec('BEGIN IMMEDIATE');
  try {
    const before = violations(database);
    for (const table of copy.tables) checkTable(database, table, copy.overwrite);
    await beforeChange();
    for (const table of copy.tables) copyTable(database, table);
    refuseNewViolations(before, violations(database));
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** Only databases of one encoding can be attached. */
function takeEncoding(database: DatabaseSync, from: string): void {
  using archived = new DatabaseSync(from, { readOnly: true });
  const encoding = archived.prepare('PRAGMA encoding').get()?.['encoding'];
  if (['UTF-8', 'UTF-16le', 'UTF-16be'].includes(String(encoding))) database.exec(`PRAGMA encoding = '${encoding}'`);
}

function checkTable(database: DatabaseSync, table: string, overwrite: boolean): void {
  const typeIn = (schema: string) =>
    database.prepare('SELECT type FROM pragma_table_list WHERE schema = ? AND name = ?').get(schema, table)?.['type'];
  if (typeIn('archived') !== 'table') {
    const message = `${table} belongs to a virtual table, which is restored with its whole database only`;
    throw new TableCopyError('usage.invalid', message);
  }
  const found = typeIn('main');
  if (found === undefined) return;
  if (found !== 'table') throw new TableCopyError('target.exists', `${table} is there and is not a table: ${found}`);
  if (!overwrite) throw new TableCopyError('target.exists', `the table ${table} exists`);
}

function copyTable(database: DatabaseSync, table: string): void {
  const name = quoted(table);
  const statements = (type: string) =>
    database
      .prepare(
        'SELECT sql FROM archived.sqlite_schema WHERE tbl_name = ? AND type = ? AND sql IS NOT NULL ORDER BY rowid',
      )
      .all(table, type)
      .map((row) => String(row['sql']));
  // A prepared statement is one statement, whatever the text holds.
  const run = (sql: string) => exactly(database, sql).run();
  run(`DROP TABLE IF EXISTS main.${name}`);
  for (const sql of statements('table')) run(sql);
  const columns = columnsOf(database, table).join(', ');
  run(`INSERT INTO main.${name} (${columns}) SELECT ${columns} FROM archived.${name}`);
  copySequence(database, table);
  for (const type of ['index', 'trigger']) for (const sql of statements(type)) run(sql);
  const count = (schema: string) => database.prepare(`SELECT count(*) AS rows FROM ${schema}.${name}`).get()?.['rows'];
  const [found, expected] = [count('main'), count('archived')];
  if (found === expected) return;
  throw new TableCopyError('target.invalid', `table ${table} has ${found} rows where ${expected} were backed up`);
}

/** The columns that hold values of their own; first the row's number, where the table has one that no column shows. */
function columnsOf(database: DatabaseSync, table: string): string[] {
  const all = database.prepare(`SELECT name, hidden, pk, type FROM pragma_table_xinfo(?, 'archived')`).all(table);
  const names = all.map(({ name }) => String(name).toLowerCase());
  const isWithoutRowid = database
    .prepare(`SELECT wr FROM pragma_table_list WHERE schema = 'archived' AND name = ?`)
    .get(table)?.['wr'];
  const rowid = isWithoutRowid === 1 ? undefined : ['rowid', '_rowid_', 'oid'].find((alias) => !names.includes(alias));
  const stored = all.filter(({ hidden }) => hidden === 0).map(({ name }) => quoted(String(name)));
  return rowid === undefined ? stored : [rowid, ...stored];
}

/** The next number of an AUTOINCREMENT column, which counts rows that were deleted too. */
function copySequence(database: DatabaseSync, table: string): void {
  const isThere = (schema: string) =>
    database.prepare(`SELECT 1 FROM ${schema}.sqlite_schema WHERE name = 'sqlite_sequence'`).get() !== undefined;
  if (!isThere('archived') || !isThere('main')) return;
  const run = (sql: string) => exactly(database, sql).run(table);
  run('DELETE FROM main.sqlite_sequence WHERE name = ?');
  run('INSERT INTO main.sqlite_sequence SELECT * FROM archived.sqlite_sequence WHERE name = ?');
}

/** Rows that refer to what is not there, by table. */
function violations(database: DatabaseSync): Violations {
  const counts: Record<string, number> = {};
  for (const { table } of exactly(database, 'PRAGMA main.foreign_key_check').iterate()) {
    counts[String(table)] = (counts[String(table)] ?? 0) + 1;
  }
  return counts;
}

function refuseNewViolations(before: Violations, after: Violations): void {
  const worse = Object.keys(after).filter((table) => (after[table] ?? 0) > (before[table] ?? 0));
  if (worse.length === 0) return;
  const message = `rows of ${worse.join(', ')} would refer to rows that are not there: restore the tables they refer to as well`;
  throw new TableCopyError('target.invalid', message);
}
