import type { DatabaseSync } from 'node:sqlite';
import { exactly } from '../../sqlite/exact-statement.ts';
import type { Model } from '../model.ts';
import type { MatchTable } from '../restore/match-plan.ts';
import { matchColumn, stageColumns, stageName } from '../restore/match-rows.ts';
import type { JoinedUpdate, MatchSession } from '../restore/match-session.ts';
import { quoteName } from './discover-sqlite.ts';
import { sqliteRowError } from './sqlite-row-error.ts';

/** Makes the table that rows wait in: its columns keep values as those of the real one do. */
export function stageStatement(table: MatchTable): string {
  return `CREATE TEMPORARY TABLE ${stageName(table)} AS
    SELECT NULL AS ${matchColumn}, ${stageColumns(table, quoteName)} FROM ${quoteName(table.load.target.table.name)} t LIMIT 0`;
}

/** Rows that are matched in SQLite. */
export class SqliteMatch implements MatchSession {
  readonly #database: DatabaseSync;
  readonly #path: string;

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
  }

  quote(name: string): string {
    return quoteName(name);
  }

  rowsOf(model: Model): string {
    return `main.${quoteName(model.table.name)}`;
  }

  additionTo(model: Model, columns: string): string {
    return `INSERT INTO ${this.rowsOf(model)} (${columns})`;
  }

  beside(name: string): string {
    return `temp.${name}`;
  }

  updateStatement({ table, from, on, set }: JoinedUpdate): string {
    const changes = set.map(([column, value]) => `${column} = ${value}`).join(', ');
    return `UPDATE ${table} AS a SET ${changes} FROM ${from} AS b WHERE ${on.join(' AND ')}`;
  }

  async run(sql: string, table: string): Promise<void> {
    try {
      this.#database.exec(sql);
    } catch (error) {
      throw sqliteRowError(error, { table, path: this.#path });
    }
  }

  async ask(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    try {
      return exactly(this.#database, sql).all();
    } catch (error) {
      throw sqliteRowError(error, { table: 'the database', path: this.#path });
    }
  }

  async keep(name: string, select: string, key: readonly string[]): Promise<void> {
    await this.run(`CREATE TEMPORARY TABLE ${name} AS ${select}`, 'the database');
    await this.run(`CREATE INDEX temp.${name}_key ON ${name} (${key.join(', ')})`, 'the database');
  }

  async renumber({ table, stage, column, where, first }: Parameters<MatchSession['renumber']>[0]): Promise<void> {
    await this.run(
      `UPDATE ${stage} AS a SET ${column} = b.number FROM (SELECT ${column} AS was,
        ${first - 1n} + row_number() OVER (ORDER BY ${column}) AS number FROM ${stage} WHERE ${where}) b
        WHERE a.${column} = b.was AND a.${where}`,
      table.load.target.name,
    );
  }
}
