import { claimTarget, connectControl } from '../../postgres/control-connection.ts';
import { LentConnections } from '../../postgres/lent-connections.ts';
import { loadRows } from '../../postgres/load-rows.ts';
import { type PostgresAddress, parsePostgresUrl } from '../../postgres/postgres-address.ts';
import { PostgresConnection } from '../../postgres/postgres-connection.ts';
import { postgresTargetError } from '../../postgres/postgres-error.ts';
import { quoteName, quoteText } from '../../postgres/sql-name.ts';
import { type Discovery, type Model, tableKey } from '../model.ts';
import { updatedColumns, writtenFields } from '../restore/convert-rows.ts';
import { matchRows, stageName } from '../restore/match-rows.ts';
import type { ModelWriter } from '../restore/model-writer.ts';
import type { OpenWriterOptions } from '../restore/open-writer.ts';
import type { LoadedRows, LoadPlan, ModelCounts, RestorePlan } from '../restore/restore-plan.ts';
import { copyBytes } from './copy-bytes.ts';
import { discoverPostgres, quoteModel } from './discover-postgres.ts';
import { foreignKeyStatement, keyStatements, tableStatements } from './postgres-ddl.ts';
import { makeStage, PostgresMatch } from './postgres-match.ts';
import { rowError } from './row-error.ts';
import { setAside } from './set-aside.ts';
import { valueSettings } from './value-settings.ts';

const besideTable = 'pg_temp.holdfast_rows';

/** A database of PostgreSQL that models are restored into, in one transaction. Needs to own the tables: their keys are checked anew at the end. */
export class PostgresModelWriter implements ModelWriter {
  readonly engine = 'postgres';
  readonly label: string;
  readonly #timeoutMs: number;
  readonly #connection: PostgresConnection;
  readonly #control: PostgresConnection;
  #plan: RestorePlan | undefined;
  #putBack: readonly string[] = [];

  static async open(options: OpenWriterOptions): Promise<PostgresModelWriter> {
    const address = parsePostgresUrl(options.url);
    const { timeoutMs } = options;
    let control: PostgresConnection | undefined;
    try {
      control = await connectControl(address, { timeoutMs, applicationName: 'holdfast restore' });
      await claimTarget(control, address);
      const connection = await PostgresConnection.open(address, { timeoutMs });
      await connection.run(valueSettings);
      return new PostgresModelWriter(address, timeoutMs, { control, connection });
    } catch (error) {
      await control?.close();
      throw postgresTargetError(error, address.label);
    }
  }

  private constructor(
    { label }: PostgresAddress,
    timeoutMs: number,
    connections: { readonly control: PostgresConnection; readonly connection: PostgresConnection },
  ) {
    this.label = label;
    this.#timeoutMs = timeoutMs;
    this.#connection = connections.connection;
    this.#control = connections.control;
  }

  async discover(): Promise<Discovery> {
    return await this.#asTarget(() => discoverPostgres(this.#connection));
  }

  async remarks(): Promise<readonly string[]> {
    return [];
  }

  async begin(plan: RestorePlan): Promise<number> {
    this.#plan = plan;
    const connection = this.#connection;
    return await this.#asTarget(async () => {
      await connection.run('BEGIN');
      for (const statement of tableStatements(plan.creates)) await connection.work(statement);
      const made = new Set(plan.creates.map(({ table }) => tableKey(table)));
      const loaded = plan.loads.map(({ target }) => target).filter(({ table }) => !made.has(tableKey(table)));
      this.#putBack = (await setAside(connection, { loaded, flushed: plan.flushes })).statements;
      let removed = 0;
      for (const model of plan.flushes) {
        const name = await this.#ownRows(model);
        const [row] = await this.#slowRows(`SELECT count(*)::text AS count FROM ${name}`);
        removed += Number(row?.['count']);
        await connection.work(`TRUNCATE ${name}`);
      }
      return removed;
    });
  }

  async load(load: LoadPlan, bytes: AsyncIterable<Uint8Array>): Promise<LoadedRows> {
    const fields = writtenFields(load);
    const columns = fields.map(({ target }) => quoteName(target.name)).join(', ');
    const table = quoteModel(load.target);
    const connection = this.#connection;
    try {
      const waiting = this.#plan?.match?.find((one) => one.load === load);
      const isDirect = load.onConflict === 'fail';
      if (waiting !== undefined) await makeStage(connection, waiting);
      else if (!isDirect) {
        await connection.work(
          `CREATE TEMPORARY TABLE holdfast_rows ON COMMIT DROP AS SELECT ${columns} FROM ${table} WITH NO DATA`,
        );
      }
      const names = fields.length === 0 ? '' : ` (${columns})`;
      const rows = await loadRows(copyBytes(load, bytes), {
        sql: `COPY ${waiting === undefined ? (isDirect ? table : besideTable) : `pg_temp.${stageName(waiting)}`}${names} FROM STDIN`,
        connections: new LentConnections([connection]),
        timeoutMs: this.#timeoutMs,
        probe: async () => {
          await this.#control.rows('SELECT 1');
        },
      });
      if (waiting !== undefined) return { waiting: rows };
      if (isDirect) return { model: load.source.name, inserted: rows, updated: 0, skipped: 0 };
      return await this.#merge(load, { table, columns, rows });
    } catch (error) {
      throw rowError(error, load.target.name, this.label);
    }
  }

  async finish(): Promise<readonly ModelCounts[]> {
    const plan = this.#plan;
    if (plan === undefined) return [];
    const counts = await this.#asTarget(() => this.#match(plan));
    const names = plan.sourceEngine === 'postgres';
    const run = async (model: string, sql: string) => {
      try {
        await this.#connection.work(sql);
      } catch (error) {
        throw rowError(error, model, this.label);
      }
    };
    for (const model of plan.creates) {
      for (const sql of keyStatements(model, names)) await run(model.name, sql);
    }
    for (const sql of this.#putBack) await run('', sql);
    for (const model of plan.creates) {
      for (const key of model.foreignKeys) await run(model.name, foreignKeyStatement(model, key, names));
    }
    return counts;
  }

  async commit(): Promise<void> {
    await this.#asTarget(async () => {
      for (const load of this.#plan?.loads ?? []) await this.#setSequences(load);
      await this.#connection.work('COMMIT');
    });
    await this.#close();
  }

  async rollback(): Promise<void> {
    await this.#connection.stop();
    await this.#control.close();
  }

  async #match({ match }: RestorePlan): Promise<readonly ModelCounts[]> {
    if (match === undefined) return [];
    const own = new Map<string, string>();
    for (const { load } of match) own.set(tableKey(load.target.table), await this.#ownRows(load.target));
    return await matchRows(new PostgresMatch(this.#connection, this.label, own), match);
  }

  async #merge(
    load: LoadPlan,
    { table, columns, rows }: { readonly table: string; readonly columns: string; readonly rows: number },
  ): Promise<ModelCounts> {
    const key = load.target.primaryKey?.columns ?? [];
    const others = updatedColumns(load);
    const changes = others.map((name) => `${quoteName(name)} = EXCLUDED.${quoteName(name)}`).join(', ');
    const isUpdate = load.onConflict === 'update' && others.length > 0;
    // Another unique key that is taken means that rows have other numbers now: what names them would name others.
    const own = key.length === 0 ? '' : `(${key.map(quoteName).join(', ')}) `;
    const conflict = `${own}DO ${isUpdate ? `UPDATE SET ${changes}` : 'NOTHING'}`;
    await this.#connection.work('SAVEPOINT merge');
    const [counts] = await this.#slowRows(`WITH written AS (INSERT INTO ${table} (${columns}) OVERRIDING SYSTEM VALUE
      SELECT ${columns} FROM ${besideTable} ON CONFLICT ${conflict} RETURNING (xmax = 0) AS is_new)
      SELECT count(*) FILTER (WHERE is_new)::text AS new, count(*)::text AS all FROM written`);
    await this.#connection.work(`DROP TABLE ${besideTable}`);
    const inserted = Number(counts?.['new']);
    const written = Number(counts?.['all']);
    return { model: load.source.name, inserted, updated: written - inserted, skipped: rows - written };
  }

  /** The rows of a table itself: not those of tables that inherit from it, which are others' unless they are its partitions. */
  async #ownRows(model: Model): Promise<string> {
    const name = quoteModel(model);
    const [row] = await this.#connection.rows('SELECT relkind FROM pg_class WHERE oid = $1::text::regclass', [name]);
    return row?.['relkind'] === 'p' ? name : `ONLY ${name}`;
  }

  /** Takes as long as it takes. */
  async #slowRows(sql: string) {
    const result = await this.#connection.client.query(sql);
    return result.rows as readonly Readonly<Record<string, unknown>>[];
  }

  /** Not below what a sequence says already: it is in no transaction. */
  async #setSequences({ source, target, fields }: LoadPlan): Promise<void> {
    for (const column of target.columns.filter(({ identity }) => identity !== undefined)) {
      const next = fields.find((field) => field.target?.name === column.name)?.source.identity?.next;
      const name = quoteName(column.name);
      const sequence = `pg_get_serial_sequence(${quoteText(quoteModel(target))}, ${quoteText(column.name)})`;
      const [found] = await this.#connection.rows(`SELECT ${sequence} AS name`);
      const sequenceName = found?.['name'];
      if (typeof sequenceName !== 'string') continue;
      const archived = next !== undefined && source.table.name !== '' ? `, ${next}::numeric` : '';
      await this.#slowRows(`SELECT setval(${quoteText(sequenceName)}, wanted::bigint, false)
        FROM (SELECT greatest((SELECT max(${name})::numeric + 1 FROM ${quoteModel(target)}),
          (SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END FROM ${sequenceName})${archived}) AS wanted) w
        JOIN pg_sequence s ON s.seqrelid = ${quoteText(sequenceName)}::regclass
        WHERE wanted BETWEEN s.seqmin AND s.seqmax`);
    }
  }

  async #asTarget<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw postgresTargetError(error, this.label);
    }
  }

  async #close(): Promise<void> {
    await this.#connection.close();
    await this.#control.close();
  }
}
