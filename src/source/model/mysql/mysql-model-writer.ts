import { HoldfastError } from '../../../errors.ts';
import { type MysqlAddress, parseMysqlUrl } from '../../mysql/mysql-address.ts';
import { MysqlConnection } from '../../mysql/mysql-connection.ts';
import { mysqlTargetError } from '../../mysql/mysql-error.ts';
import { type CatalogTable, readTables, readVersion } from '../../mysql/server-catalog.ts';
import { quoteName } from '../../mysql/sql-text.ts';
import { lockTarget } from '../../mysql/target-lock.ts';
import { type Discovery, type Model, storedColumns } from '../model.ts';
import { convertRows, updatedColumns, writtenFields } from '../restore/convert-rows.ts';
import { familyOf } from '../restore/map-type.ts';
import { matchRows, stageName } from '../restore/match-rows.ts';
import type { ModelWriter } from '../restore/model-writer.ts';
import type { OpenWriterOptions } from '../restore/open-writer.ts';
import type { LoadedRows, LoadPlan, ModelCounts, RestorePlan } from '../restore/restore-plan.ts';
import { discoverMysql } from './discover-mysql.ts';
import { InsertBatches, strictMode } from './insert-batches.ts';
import { tableStatement } from './mysql-ddl.ts';
import { MysqlMatch, stageStatement } from './mysql-match.ts';
import { mysqlRowError } from './mysql-row-error.ts';
import { findOrphan } from './orphans.ts';

const besideTable = 'holdfast_rows';

/**
 * A database of MySQL or MariaDB that models are restored into, in one transaction. Tables are made before it, since making one ends a
 * transaction there: those that were made are dropped again where it fails.
 */
export class MysqlModelWriter implements ModelWriter {
  readonly engine: 'mysql' | 'mariadb';
  readonly label: string;
  readonly #address: MysqlAddress;
  readonly #connection: MysqlConnection;
  readonly #tables: ReadonlyMap<string, CatalogTable>;
  #plan: RestorePlan | undefined;
  #there: readonly Model[] = [];
  #made: string[] = [];

  static async open(options: OpenWriterOptions): Promise<MysqlModelWriter> {
    const address = parseMysqlUrl(options.url);
    let connection: MysqlConnection | undefined;
    try {
      connection = await MysqlConnection.open(address, { timeoutMs: options.timeoutMs });
      await lockTarget(connection, address, options.timeoutMs);
      await connection.run(`SET SESSION foreign_key_checks = 0, sql_mode = '${strictMode}'`);
      const { engine } = await readVersion(connection);
      const tables = await readTables(connection, address.database);
      return new MysqlModelWriter({ address, connection, engine, tables });
    } catch (error) {
      await connection?.close();
      throw mysqlTargetError(error, { what: address.label });
    }
  }

  private constructor(parts: {
    readonly address: MysqlAddress;
    readonly connection: MysqlConnection;
    readonly engine: 'mysql' | 'mariadb';
    readonly tables: readonly CatalogTable[];
  }) {
    this.#address = parts.address;
    this.label = parts.address.label;
    this.#connection = parts.connection;
    this.engine = parts.engine;
    this.#tables = new Map(parts.tables.map((table) => [table.name, table]));
  }

  async discover(): Promise<Discovery> {
    return await this.#asTarget(async () => {
      const found = await discoverMysql(this.#connection, this.#address.database, this.engine);
      this.#there = found.models;
      return found;
    });
  }

  async remarks(plan: RestorePlan): Promise<readonly string[]> {
    return await this.#asTarget(async () => {
      const rows = await this.#connection.rows(
        'SELECT DISTINCT event_object_table AS name FROM information_schema.triggers WHERE event_object_schema = ?',
        [this.#address.database],
      );
      const loaded = new Set(plan.loads.map(({ target }) => target.table.name));
      return rows
        .map((row) => String(row['name']))
        .filter((name) => loaded.has(name))
        .map((name) => `${name} has triggers, which run for each row that is restored: this engine does not stop them`);
    });
  }

  async begin(plan: RestorePlan): Promise<number> {
    this.#plan = plan;
    const outside = plan.loads
      .map(({ target }) => this.#tables.get(target.table.name))
      .find((table) => table?.isTransactional === false);
    if (outside !== undefined) {
      throw new HoldfastError('target.incompatible', {
        message: `the table ${outside.name} is of ${outside.storageEngine}, which no transaction covers: it could be left half restored`,
        hint: `ALTER TABLE ${outside.name} ENGINE=InnoDB, or leave it out with --only`,
        context: { table: outside.name, storageEngine: outside.storageEngine },
      });
    }
    return await this.#asTarget(async () => {
      const isForeign = familyOf(plan.sourceEngine) !== 'mysql';
      for (const model of plan.creates) {
        await this.#connection.run(tableStatement(model, isForeign));
        this.#made.push(model.table.name);
      }
      await this.#connection.run('START TRANSACTION');
      let removed = 0;
      for (const { table } of plan.flushes) {
        removed += (await this.#connection.change(`DELETE FROM ${quoteName(table.name)}`)).changedRows;
      }
      return removed;
    });
  }

  async load(load: LoadPlan, bytes: AsyncIterable<Uint8Array>): Promise<LoadedRows> {
    const table = load.target.table.name;
    const waiting = this.#plan?.match?.find((one) => one.load === load);
    const isBeside = waiting === undefined && load.onConflict !== 'fail' && load.target.primaryKey !== undefined;
    const before = await this.#count(table);
    if (waiting !== undefined) await this.#asTarget(() => this.#connection.run(stageStatement(waiting)));
    if (isBeside) {
      await this.#asTarget(async () => {
        await this.#connection.run(`DROP TEMPORARY TABLE IF EXISTS ${besideTable}`);
        await this.#connection.run(`CREATE TEMPORARY TABLE ${besideTable} LIKE ${quoteName(table)}`);
      });
    }
    const batches = new InsertBatches(this.#connection, {
      load,
      label: this.label,
      table: waiting === undefined ? (isBeside ? besideTable : table) : stageName(waiting),
      packetBytes: await this.#packetBytes(),
    });
    let rows = 0;
    for await (const values of convertRows(load, bytes)) {
      rows += values.length;
      await batches.add(values);
    }
    await batches.finish();
    if (waiting !== undefined) return { waiting: rows };
    const updated = isBeside ? await this.#merge(load) : 0;
    const inserted = (await this.#count(table)) - before;
    return { model: load.source.name, inserted, updated, skipped: rows - inserted - updated };
  }

  async finish(): Promise<readonly ModelCounts[]> {
    const plan = this.#plan;
    if (plan === undefined) return [];
    const match = new MysqlMatch(this.#connection, this.label);
    const counts = await this.#asTarget(() => matchRows(match, plan.match ?? []));
    const loaded = plan.loads.map(({ target }) => target);
    const flushed = new Set(plan.flushes.map(({ table }) => table.name));
    const names = new Set(loaded.map(({ table }) => table.name));
    const others = this.#there
      .filter(({ table }) => !names.has(table.name))
      .map((model) => ({
        ...model,
        foreignKeys: model.foreignKeys.filter(({ references }) => flushed.has(references.table.name)),
      }));
    for (const model of [...loaded, ...others]) {
      for (const key of model.foreignKeys) {
        const orphan = await this.#asTarget(() => findOrphan(this.#connection, model, key));
        if (orphan === undefined) continue;
        throw new HoldfastError('target.invalid', {
          message: `${model.name}: ${key.columns.join(', ')} = ${orphan} names a row of ${key.references.table.name} that is not there`,
          hint: 'restore the table that it names too; nothing was changed',
          context: { table: model.name, key: key.name },
        });
      }
    }
    return counts;
  }

  async commit(): Promise<void> {
    await this.#asTarget(() => this.#connection.change('COMMIT'));
    this.#made = [];
    try {
      await this.#asTarget(() => this.#setNextNumbers());
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const message = `the rows are there, but not all numbers that come next are set: ${error.message}`;
      throw new HoldfastError(error.code, { message, context: { ...error.context, isCommitted: true }, cause: error });
    }
    await this.#connection.close();
  }

  /** Numbers that rows had which are gone are not given out again; this is no part of the transaction. */
  async #setNextNumbers(): Promise<void> {
    for (const { target, fields } of this.#plan?.loads ?? []) {
      const next = fields.find((field) => field.target?.identity !== undefined)?.source.identity?.next;
      if (next === undefined || !storedColumns(target).some(({ identity }) => identity !== undefined)) continue;
      await this.#connection.run(`ALTER TABLE ${quoteName(target.table.name)} AUTO_INCREMENT = ${next}`);
    }
  }

  async rollback(): Promise<void> {
    try {
      await this.#connection.run('ROLLBACK');
      for (const name of this.#made.splice(0)) await this.#connection.run(`DROP TABLE IF EXISTS ${quoteName(name)}`);
    } catch (error) {
      // What ended the connection was told already; the server rolls back by itself.
      if (this.#made.length > 0)
        throw mysqlTargetError(error, { what: `${this.label}: tables that were made are still there` });
    } finally {
      await this.#connection.close();
    }
  }

  /**
   * Changes the rows that are there by their primary key, or leaves them, and adds the others. Another unique key that is taken means that rows
   * have other numbers now: what names them would name others.
   */
  async #merge(load: LoadPlan): Promise<number> {
    const table = quoteName(load.target.table.name);
    const key = load.target.primaryKey?.columns ?? [];
    const names = writtenFields(load).map(({ target }) => target.name);
    const others = updatedColumns(load);
    const on = key.map((name) => `t.${quoteName(name)} = b.${quoteName(name)}`).join(' AND ');
    const changes = others.map((name) => `t.${quoteName(name)} = b.${quoteName(name)}`).join(', ');
    try {
      const [there] = await this.#connection.slowRows(
        `SELECT count(*) AS count FROM ${table} t JOIN ${besideTable} b ON ${on}`,
      );
      const isUpdate = load.onConflict === 'update' && changes !== '';
      if (isUpdate) await this.#connection.change(`UPDATE ${table} t JOIN ${besideTable} b ON ${on} SET ${changes}`);
      const list = names.map(quoteName).join(', ');
      const first = quoteName(key[0] ?? '');
      await this.#connection.change(`INSERT INTO ${table} (${list}) SELECT ${names.map((name) => `b.${quoteName(name)}`).join(', ')}
        FROM ${besideTable} b LEFT JOIN ${table} t ON ${on} WHERE t.${first} IS NULL`);
      await this.#connection.run(`DROP TEMPORARY TABLE ${besideTable}`);
      return isUpdate ? Number(there?.['count']) : 0;
    } catch (error) {
      throw mysqlRowError(error, { table: load.target.name, label: this.label });
    }
  }

  async #count(table: string): Promise<number> {
    return await this.#asTarget(async () => {
      const [row] = await this.#connection.slowRows(`SELECT count(*) AS count FROM ${quoteName(table)}`);
      return Number(row?.['count']);
    });
  }

  async #packetBytes(): Promise<number> {
    return await this.#asTarget(async () => {
      const [row] = await this.#connection.rows('SELECT @@max_allowed_packet AS bytes');
      return Number(row?.['bytes']);
    });
  }

  async #asTarget<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw mysqlTargetError(error, { what: this.label });
    }
  }
}
