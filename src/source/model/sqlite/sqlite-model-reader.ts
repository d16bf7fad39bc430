import { isUtf8 } from 'node:buffer';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { longestTimerMs } from '../../../clock.ts';
import { HoldfastError, throwIfAborted } from '../../../errors.ts';
import { readHeader } from '../../sqlite/read-header.ts';
import { sqliteSourceError } from '../../sqlite/sqlite-error.ts';
import { sqlitePathFromUrl } from '../../sqlite/sqlite-path.ts';
import { sourceError } from '../../system-error.ts';
import { chunkLines } from '../chunk-lines.ts';
import { type Discovery, type Model, storedColumns } from '../model.ts';
import type { ModelReader, ModelRows } from '../model-reader.ts';
import type { OpenReaderOptions } from '../open-reader.ts';
import { discoverSqlite, quoteName } from './discover-sqlite.ts';
import { encodeValue, type SqliteValue } from './sqlite-value.ts';

type Values = readonly (string | null)[];

/** A SQLite database in one read transaction; other programs go on writing where the database is in WAL mode, and wait where it is not. */
export class SqliteModelReader implements ModelReader {
  readonly engine = 'sqlite';
  readonly engineVersion: string;
  readonly parallelEntries = 1;
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #isUtf8: boolean;
  #isClosed = false;
  #bytesEach = 0;

  static async open(options: OpenReaderOptions): Promise<SqliteModelReader> {
    const path = resolve(sqlitePathFromUrl(options.url.reveal()));
    try {
      await stat(path);
    } catch (error) {
      throw sourceError(error, path);
    }
    try {
      readHeader(path);
      const database = new DatabaseSync(path, { readOnly: true, timeout: Math.min(options.timeoutMs, longestTimerMs) });
      return new SqliteModelReader(database, path);
    } catch (error) {
      throw sqliteSourceError(error, path);
    }
  }

  private constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
    database.exec('BEGIN');
    // The transaction takes its moment at its first reading.
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    const version = database.prepare('SELECT sqlite_version() AS version').get();
    this.engineVersion = String(version?.['version']);
    this.#isUtf8 = database.prepare('PRAGMA encoding').get()?.['encoding'] === 'UTF-8';
  }

  async discover(): Promise<Discovery> {
    const found = discoverSqlite(this.#database);
    const size = this.#database
      .prepare('SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size')
      .get();
    this.#bytesEach = Math.ceil(Number(size?.['bytes']) / Math.max(1, found.models.length));
    return found;
  }

  /** Which pages are those of a table is not told without reading them: each has an even part. */
  expectedBytes(): number {
    return this.#bytesEach;
  }

  expectedRows(): undefined {
    return undefined;
  }

  rows(model: Model, options: { readonly where?: string }): ModelRows {
    let rowCount = 0;
    const lines = this.#lines(model, options.where, () => {
      rowCount += 1;
    });
    return {
      bytes: (signal) => this.#explained(chunkLines(lines), model, signal),
      get rowCount() {
        return rowCount;
      },
    };
  }

  async select(model: Model, columns: readonly string[], where: string): Promise<readonly Values[]> {
    const list = columns.map((column) => `CAST(${quoteName(column)} AS TEXT)`).join(', ');
    const statement = this.#database.prepare(`SELECT ${list} FROM ${quoteName(model.table.name)} WHERE ${where}`);
    statement.setReturnArrays(true);
    return statement.all() as unknown as Values[];
  }

  isAmong(_model: Model, columns: readonly string[], values: readonly Values[]): string {
    // A text that is compared with a column takes the column's affinity.
    const literal = (value: string | null | undefined) => `'${(value ?? '').replaceAll("'", "''")}'`;
    const conditions = values.map(
      (row) => `(${columns.map((column, index) => `${quoteName(column)} = ${literal(row[index])}`).join(' AND ')})`,
    );
    return `(${conditions.join(' OR ')})`;
  }

  explain(error: unknown, what?: string): unknown {
    if (error instanceof HoldfastError) return error;
    return sqliteSourceError(error, what === undefined ? this.#path : `${this.#path}: ${what}`);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#database.close();
  }

  async *#explained(chunks: AsyncIterable<Buffer>, model: Model, signal: AbortSignal | undefined) {
    try {
      for await (const chunk of chunks) {
        throwIfAborted(signal);
        yield chunk;
      }
    } catch (error) {
      throw this.explain(error, model.name);
    }
  }

  *#lines(model: Model, where: string | undefined, onRow: () => void): Generator<string> {
    const columns = storedColumns(model);
    const kinds = columns.map(({ type }) => type.kind);
    const list = columns.length === 0 ? 'NULL' : columns.map(({ name }) => quoteName(name)).join(', ');
    const from = `${quoteName(model.table.name)}${where === undefined ? '' : ` WHERE (${where})`}`;
    const statement = this.#database.prepare(`SELECT ${list} FROM ${from}`);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    const doubtful = new Set<number>();
    for (const row of statement.iterate() as unknown as Iterable<SqliteValue[]>) {
      let line = '[';
      for (const [index, kind] of kinds.entries()) {
        const value = row[index] ?? null;
        if (typeof value === 'string' && value.includes('\ufffd')) doubtful.add(index);
        line += `${index > 0 ? ',' : ''}${encodeValue(kind, value)}`;
      }
      onRow();
      yield `${line}]`;
    }
    for (const index of doubtful) this.#checkText(model, columns[index]?.name ?? '', from);
  }

  /** What is not Unicode is read with U+FFFD in its place: where that came up, the bytes themselves are looked at. */
  #checkText(model: Model, column: string, from: string): void {
    const quoted = quoteName(column);
    const statement = this.#database.prepare(
      `SELECT CAST(${quoted} AS BLOB) AS bytes FROM (SELECT ${quoted} FROM ${from}) WHERE typeof(${quoted}) = 'text'`,
    );
    let row = 0;
    for (const { bytes } of statement.iterate() as Iterable<Record<string, unknown>>) {
      row += 1;
      const isText =
        bytes instanceof Uint8Array &&
        (this.#isUtf8 ? isUtf8(bytes) : Buffer.from(bytes).toString('utf16le').isWellFormed());
      if (isText) continue;
      throw new HoldfastError('source.unreadable', {
        message: `${model.name}.${column}: text number ${row} is not Unicode (a lone surrogate, or bytes that are no UTF-8)`,
        hint: 'mend the value, or back the database up without --models, which keeps bytes as they are',
        context: { model: model.name, column, row },
      });
    }
  }
}
