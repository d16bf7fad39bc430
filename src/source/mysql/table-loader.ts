import { HoldfastError } from '../../errors.ts';
import type { RestorableEntry } from '../target.ts';
import { DumpScanner } from './dump-scanner.ts';
import type { MysqlConnection } from './mysql-connection.ts';
import { mysqlTargetError } from './mysql-error.ts';
import { qualifiedName, quoteName } from './sql-text.ts';

/** A statement with rows may wait for the disk for long; a server that is gone is noticed by the connection. */
const statementLimitMs = 24 * 60 * 60 * 1000;

const foreignKey =
  /^( {2}CONSTRAINT `(?:[^`]|``)*` FOREIGN KEY \((?:`(?:[^`]|``)*`(?:, )?)+\) REFERENCES )`((?:[^`]|``)*)`( \()/gm;

/** How rows of the past are put into a table that keeps them. */
const history = /^\/\*M!101100 SET [\w@., =]*\bsystem_versioning_insert_history\s*=[\w@. ]*\*\/;$/;

/** A sequence that gives a column its default: the server puts its database before it. */
const sequenceUse = /\b(nextval|lastval)\(`((?:[^`]|``)*)`\.(`(?:[^`]|``)*`)\)/g;

/** How a table is loaded. */
export interface LoadOptions {
  readonly connection: MysqlConnection;
  /** The database that is filled. */
  readonly database: string;
  /** The name that the database had. */
  readonly archivedDatabase: string;
  /** Gives the database of a table or sequence that definitions refer to, where it is another one. */
  readonly databaseOf: (table: string) => string | undefined;
}

/** Readies a connection for loading: what the tables hold was checked when it was written first. */
export async function prepareLoading(connection: MysqlConnection, database: string): Promise<void> {
  await connection.run(`USE ${quoteName(database)}`);
  await connection.run(
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0, unique_checks = 0, autocommit = 0, lock_wait_timeout = 86400",
  );
}

/**
 * Makes a table and loads its rows, statement by statement, in one transaction, and counts them. Only statements that the file of a table has
 * are run, and only on that table. Throws `target.unsafe`, `target.invalid`, `target.incompatible`, `storage.full`.
 */
export async function loadTable(
  entry: RestorableEntry,
  bytes: AsyncIterable<Uint8Array>,
  options: LoadOptions,
): Promise<void> {
  const { connection, database } = options;
  const table = tableOf(entry);
  const load = new StatementRunner(table, options);
  for await (const chunk of bytes) await load.take(chunk);
  load.end(entry.path);
  try {
    await connection.run('COMMIT', statementLimitMs);
    const isHistory = entry.metadata['hasHistory'] === true ? ' FOR SYSTEM_TIME ALL' : '';
    const [row] = await connection.slowRows(
      `SELECT COUNT(*) AS rowCount FROM ${qualifiedName(database, table)}${isHistory}`,
    );
    // Reading, too, holds the table until the transaction ends.
    await connection.run('COMMIT');
    const found = Number(row?.['rowCount']);
    const expected = entry.metadata['rows'];
    if (found === expected) return;
    const message = `table ${table} has ${found} rows where ${String(expected)} were backed up`;
    throw new HoldfastError('target.invalid', { message, context: { path: entry.path } });
  } catch (error) {
    throw mysqlTargetError(error, { what: `table ${table}`, hideMessage: true });
  }
}

/** The table that an entry holds. */
export function tableOf(entry: RestorableEntry): string {
  const table = entry.metadata['table'];
  if (typeof table === 'string' && table !== '') return table;
  throw new HoldfastError('target.invalid', { message: `${entry.path} does not name its table` });
}

class StatementRunner {
  readonly #table: string;
  readonly #options: LoadOptions;
  readonly #scanner = new DumpScanner();
  #rows: Buffer[] = [];
  #isCreated = false;

  constructor(table: string, options: LoadOptions) {
    this.#table = table;
    this.#options = options;
  }

  async take(chunk: Uint8Array): Promise<void> {
    for (const piece of this.#scanner.scan(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))) {
      if (piece.kind === 'comment') continue;
      if (piece.kind === 'statement') {
        await this.#runStatement(piece.bytes.toString('utf8'));
        continue;
      }
      if (this.#rows.length === 0) this.#checkInsert(piece.bytes);
      // The chunk's memory is used again by the next one.
      this.#rows.push(piece.isLast ? piece.bytes : Buffer.from(piece.bytes));
      if (!piece.isLast) continue;
      const sql = this.#rows.length === 1 ? String(this.#rows[0]) : Buffer.concat(this.#rows).toString('utf8');
      this.#rows = [];
      await this.#run(sql, true);
    }
  }

  end(path: string): void {
    if (this.#isCreated && this.#scanner.isBetween) return;
    throw new HoldfastError('target.invalid', { message: `${path} does not hold a whole table`, context: { path } });
  }

  #checkInsert(head: Buffer): void {
    const expected = `INSERT INTO ${quoteName(this.#table)} `;
    if (!this.#isCreated || !head.toString('utf8').startsWith(expected)) throw this.#unsafe();
  }

  async #runStatement(sql: string): Promise<void> {
    const name = quoteName(this.#table);
    if (/^\/\*!401\d\d SET [^;]*;$/.test(sql) || /^\/\*!40014 SET [^;]*;$/.test(sql)) return;
    if (sql.startsWith(`CREATE TABLE ${name} `)) {
      this.#isCreated = true;
      await this.#run(this.#withDatabases(sql), false);
    } else if (
      sql === `/*!40000 ALTER TABLE ${name} DISABLE KEYS */;` ||
      sql === `/*!40000 ALTER TABLE ${name} ENABLE KEYS */;`
    ) {
      await this.#run(sql, false);
    } else if (history.test(sql)) {
      await this.#run(sql, false);
    } else {
      throw this.#unsafe();
    }
  }

  /** A foreign key to a table that is not restored is to find the one that stays; a sequence is used where it is restored. */
  #withDatabases(sql: string): string {
    const { database, databaseOf, archivedDatabase } = this.#options;
    const withSequences = sql.replaceAll(sequenceUse, (whole, call: string, quoted: string, sequence: string) => {
      if (quoted.replaceAll('``', '`') !== archivedDatabase) return whole;
      const place = databaseOf(sequence.slice(1, -1).replaceAll('``', '`')) ?? database;
      return `${call}(${quoteName(place)}.${sequence})`;
    });
    return withSequences.replaceAll(foreignKey, (whole, before: string, quoted: string, after: string) => {
      const place = databaseOf(quoted.replaceAll('``', '`'));
      return place === undefined ? whole : `${before}${quoteName(place)}.\`${quoted}\`${after}`;
    });
  }

  async #run(sql: string, hideMessage: boolean): Promise<void> {
    try {
      await this.#options.connection.run(sql, statementLimitMs);
    } catch (error) {
      throw mysqlTargetError(error, { what: `table ${this.#table}`, hideMessage });
    }
  }

  #unsafe(): HoldfastError {
    return new HoldfastError('target.unsafe', {
      message: `the file of the table ${this.#table} holds a statement that is not for this table`,
    });
  }
}
