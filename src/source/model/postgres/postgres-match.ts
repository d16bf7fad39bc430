import type { PostgresConnection } from '../../postgres/postgres-connection.ts';
import { quoteName } from '../../postgres/sql-name.ts';
import { type Model, tableKey } from '../model.ts';
import type { MatchTable } from '../restore/match-plan.ts';
import { matchColumn, stageColumns, stageName } from '../restore/match-rows.ts';
import type { JoinedUpdate, MatchSession } from '../restore/match-session.ts';
import { quoteModel } from './discover-postgres.ts';
import { rowError } from './row-error.ts';

/** Makes the table that rows wait in. Nobody adds rows to the real one meanwhile, whose numbers could be those given to new rows. */
export async function makeStage(connection: PostgresConnection, table: MatchTable): Promise<void> {
  const name = quoteModel(table.load.target);
  await connection.work(`LOCK TABLE ${name} IN SHARE ROW EXCLUSIVE MODE`);
  await connection.work(`CREATE TEMPORARY TABLE ${stageName(table)} ON COMMIT DROP AS
    SELECT NULL::integer AS ${matchColumn}, ${stageColumns(table, quoteName)} FROM ${name} t WITH NO DATA`);
}

/** Rows that are matched in PostgreSQL. */
export class PostgresMatch implements MatchSession {
  readonly #connection: PostgresConnection;
  readonly #label: string;
  readonly #ownRows: ReadonlyMap<string, string>;

  /** `ownRows`: by table, its rows without those of tables that inherit from it. */
  constructor(connection: PostgresConnection, label: string, ownRows: ReadonlyMap<string, string>) {
    this.#connection = connection;
    this.#label = label;
    this.#ownRows = ownRows;
  }

  quote(name: string): string {
    return quoteName(name);
  }

  rowsOf(model: Model): string {
    return this.#ownRows.get(tableKey(model.table)) ?? quoteModel(model);
  }

  additionTo(model: Model, columns: string): string {
    return `INSERT INTO ${quoteModel(model)} (${columns}) OVERRIDING SYSTEM VALUE`;
  }

  beside(name: string): string {
    return `pg_temp.${name}`;
  }

  updateStatement({ table, from, on, set }: JoinedUpdate): string {
    const changes = set.map(([column, value]) => `${column} = ${value}`).join(', ');
    return `UPDATE ${table} AS a SET ${changes} FROM ${from} AS b WHERE ${on.join(' AND ')}`;
  }

  async run(sql: string, table: string): Promise<void> {
    try {
      await this.#connection.work(sql);
    } catch (error) {
      throw rowError(error, table, this.#label);
    }
  }

  async ask(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    // Takes as long as it takes.
    const result = await this.#connection.client.query(sql);
    return result.rows as readonly Readonly<Record<string, unknown>>[];
  }

  async keep(name: string, select: string, key: readonly string[]): Promise<void> {
    await this.#connection.work(`CREATE TEMPORARY TABLE ${name} ON COMMIT DROP AS ${select}`);
    await this.#connection.work(`CREATE INDEX ON pg_temp.${name} (${key.join(', ')})`);
    await this.#connection.work(`ANALYZE pg_temp.${name}`);
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
