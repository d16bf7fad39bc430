import { throwIfAborted } from '../../../errors.ts';
import { type MysqlAddress, parseMysqlUrl } from '../../mysql/mysql-address.ts';
import { MysqlConnection } from '../../mysql/mysql-connection.ts';
import { mysqlSourceError } from '../../mysql/mysql-error.ts';
import { type CatalogTable, readTables, readVersion, type ServerVersion } from '../../mysql/server-catalog.ts';
import { quoteName, quoteText } from '../../mysql/sql-text.ts';
import { chunkLines } from '../chunk-lines.ts';
import { type Discovery, type Model, storedColumns } from '../model.ts';
import type { ModelReader, ModelRows } from '../model-reader.ts';
import type { OpenReaderOptions } from '../open-reader.ts';
import { discoverMysql } from './discover-mysql.ts';
import { valueEncoder, valueExpression } from './mysql-value.ts';

type Values = readonly (string | null)[];

/**
 * A database of MySQL or MariaDB in one transaction with a consistent snapshot. Tables that transactions do not cover are locked against writing
 * until it has ended.
 */
export class MysqlModelReader implements ModelReader {
  readonly engine: 'mysql' | 'mariadb';
  readonly engineVersion: string;
  readonly parallelEntries = 1;
  readonly #connection: MysqlConnection;
  readonly #locks: MysqlConnection | undefined;
  readonly #address: MysqlAddress;
  readonly #tables: ReadonlyMap<string, CatalogTable>;

  static async open(options: OpenReaderOptions): Promise<MysqlModelReader> {
    const address = parseMysqlUrl(options.url);
    const opened: MysqlConnection[] = [];
    try {
      const open = async () => {
        const connection = await MysqlConnection.open(address, options);
        opened.push(connection);
        return connection;
      };
      const connection = await open();
      const server = await readVersion(connection);
      const tables = await readTables(connection, address.database);
      const outside = tables.filter(({ isTransactional, isSequence }) => !isTransactional && !isSequence);
      let locks: MysqlConnection | undefined;
      if (outside.length > 0) {
        locks = await open();
        await locks.run(`LOCK TABLES ${outside.map(({ name }) => `${quoteName(name)} READ`).join(', ')}`);
      }
      await connection.run('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
      await connection.run('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY');
      return new MysqlModelReader({ address, connection, locks, server, tables });
    } catch (error) {
      for (const connection of opened) await connection.close();
      throwIfAborted(options.signal);
      throw mysqlSourceError(error, address.label);
    }
  }

  private constructor(parts: {
    readonly address: MysqlAddress;
    readonly connection: MysqlConnection;
    readonly locks: MysqlConnection | undefined;
    readonly server: ServerVersion;
    readonly tables: readonly CatalogTable[];
  }) {
    this.#address = parts.address;
    this.#connection = parts.connection;
    this.#locks = parts.locks;
    this.engine = parts.server.engine;
    this.engineVersion = parts.server.version;
    this.#tables = new Map(parts.tables.map((table) => [table.name, table]));
  }

  async discover(): Promise<Discovery> {
    return await discoverMysql(this.#connection, this.#address.database, this.engine);
  }

  expectedBytes({ table }: Model): number {
    return this.#tables.get(table.name)?.expectedSizeBytes ?? 0;
  }

  expectedRows({ table }: Model): number {
    return this.#tables.get(table.name)?.expectedRows ?? 0;
  }

  rows(model: Model, options: { readonly where?: string }): ModelRows {
    let rowCount = 0;
    const lines = this.#lines(model, options.where, () => {
      rowCount += 1;
    });
    return {
      bytes: () => chunkLines(lines),
      get rowCount() {
        return rowCount;
      },
    };
  }

  async select(model: Model, columns: readonly string[], where: string): Promise<readonly Values[]> {
    const list = columns.map(quoteName).join(', ');
    const found: Values[] = [];
    const sql = `SELECT ${list} FROM ${quoteName(model.table.name)} WHERE ${where}`;
    for await (const rows of this.#connection.stream(sql)) {
      for (const row of rows) found.push(row.map((value) => value?.toString('utf8') ?? null));
    }
    return found;
  }

  isAmong(_model: Model, columns: readonly string[], values: readonly Values[]): string {
    const rows = values.map((row) => `(${row.map((value) => quoteText(value ?? '')).join(', ')})`);
    return `(${columns.map(quoteName).join(', ')}) IN (${rows.join(', ')})`;
  }

  explain(error: unknown, what?: string): unknown {
    const { label } = this.#address;
    return mysqlSourceError(error, what === undefined ? label : `${label}: ${what}`);
  }

  async close(): Promise<void> {
    await this.#connection.close();
    await this.#locks?.close();
  }

  async *#lines(model: Model, where: string | undefined, onRow: () => void): AsyncGenerator<string> {
    const columns = storedColumns(model);
    const encoders = columns.map(valueEncoder);
    const list = columns.length === 0 ? 'NULL' : columns.map(valueExpression).join(', ');
    const from = `${quoteName(model.table.name)}${where === undefined ? '' : ` WHERE (${where})`}`;
    for await (const rows of this.#connection.stream(`SELECT ${list} FROM ${from}`)) {
      for (const row of rows) {
        let line = '[';
        for (let index = 0; index < encoders.length; index += 1) {
          const value = row[index];
          const text = value === null || value === undefined ? 'null' : encoders[index]?.(value);
          line += index === 0 ? text : `,${text}`;
        }
        onRow();
        yield `${line}]`;
      }
    }
  }
}
