import type { MysqlConnection } from '../../mysql/mysql-connection.ts';
import { quoteName } from '../../mysql/sql-text.ts';
import type { Model } from '../model.ts';
import type { MatchTable } from '../restore/match-plan.ts';
import { matchColumn, stageColumns, stageName } from '../restore/match-rows.ts';
import type { JoinedUpdate, MatchSession } from '../restore/match-session.ts';
import { mysqlRowError } from './mysql-row-error.ts';

/** Makes the table that rows wait in. A column that takes no NULL would need a value at once. */
export function stageStatement(table: MatchTable): string {
  return `CREATE TEMPORARY TABLE ${stageName(table)} ENGINE=InnoDB
    SELECT CAST(NULL AS SIGNED) AS ${matchColumn}, ${stageColumns(table, quoteName, (column) => `IF(FALSE, ${column}, NULL)`)}
    FROM ${quoteName(table.load.target.table.name)} t LIMIT 0`;
}

/** Rows that are matched in MySQL or MariaDB. No statement reads a temporary table twice: MySQL does not do that. */
export class MysqlMatch implements MatchSession {
  readonly #connection: MysqlConnection;
  readonly #label: string;

  constructor(connection: MysqlConnection, label: string) {
    this.#connection = connection;
    this.#label = label;
  }

  quote(name: string): string {
    return quoteName(name);
  }

  rowsOf(model: Model): string {
    return quoteName(model.table.name);
  }

  additionTo(model: Model, columns: string): string {
    return `INSERT INTO ${this.rowsOf(model)} (${columns})`;
  }

  beside(name: string): string {
    return name;
  }

  updateStatement({ table, from, on, set }: JoinedUpdate): string {
    const changes = set.map(([column, value]) => `a.${column} = ${value}`).join(', ');
    return `UPDATE ${table} a JOIN ${from} b ON ${on.join(' AND ')} SET ${changes}`;
  }

  async run(sql: string, table: string): Promise<void> {
    try {
      await this.#connection.change(sql);
    } catch (error) {
      throw mysqlRowError(error, { table, label: this.#label });
    }
  }

  async ask(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return await this.#connection.slowRows(sql);
  }

  async keep(name: string, select: string, key: readonly string[]): Promise<void> {
    await this.#connection.change(
      `CREATE TEMPORARY TABLE ${name} (KEY holdfast_key (${key.join(', ')})) ENGINE=InnoDB ${select}`,
    );
  }

  async renumber({ table, stage, column, where, first }: Parameters<MatchSession['renumber']>[0]): Promise<void> {
    await this.#connection.change(`SET @holdfast_number = ${first - 1n}`);
    await this.run(
      `UPDATE ${stage} SET ${column} = (@holdfast_number := @holdfast_number + 1) WHERE ${where} ORDER BY ${column}`,
      table.load.target.name,
    );
  }
}
