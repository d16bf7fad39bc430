import { HoldfastError } from '../../errors.ts';
import type { PostgresConnection, Row } from './postgres-connection.ts';
import { postgresTargetError, serverFailure } from './postgres-error.ts';
import { plainName, quoteName, quoteTable, quoteText, type TableName } from './sql-name.ts';
import { missingTable } from './target-plan.ts';

/** A foreign key that is taken off while rows are replaced, and put back, which checks it. */
interface ForeignKey {
  readonly table: string;
  readonly name: string;
  readonly definition: string;
  readonly comment: string | null;
}

interface Trigger {
  readonly table: string;
  readonly name: string;
  /** `O`, `R` or `A`, as the server keeps it. */
  readonly state: string;
}

const foreignKeyQuery = `WITH chosen AS (
    SELECT $1::oid[] || coalesce(array_agg(a.relid::oid), '{}') AS oids
    FROM unnest($1::oid[]) t CROSS JOIN LATERAL pg_partition_ancestors(t::regclass) a)
  SELECT c.conrelid::regclass::text AS table, c.conname AS name, pg_get_constraintdef(c.oid) AS definition,
    obj_description(c.oid, 'pg_constraint') AS comment
  FROM pg_constraint c, chosen
  WHERE c.contype = 'f' AND c.conparentid = 0 AND (c.conrelid = ANY (chosen.oids) OR c.confrelid = ANY (chosen.oids))
  ORDER BY 1, 2`;
const triggerQuery = `SELECT tgrelid::regclass::text AS table, tgname AS name, tgenabled::text AS state FROM pg_trigger
  WHERE tgrelid = ANY ($1::oid[]) AND NOT tgisinternal AND tgenabled <> 'D'`;
const sequenceQuery = `SELECT d.refobjid::regclass::text AS table, a.attname AS column, d.objid::regclass::text AS sequence
  FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    AND d.refobjid = ANY ($1::oid[])`;

/**
 * Replaces the rows of tables that are there, within a transaction: other programs see the old rows until it ends, or wait. Triggers do not fire.
 * Foreign keys, of the tables and on them, are put back when the rows stand, and then checked.
 */
export class ReplacedTables {
  readonly #connection: PostgresConnection;
  readonly #oids: readonly string[];
  readonly #foreignKeys: readonly ForeignKey[];
  readonly #triggers: readonly Trigger[];

  /** Empties the tables. Throws `target.invalid` for one that is not there, `target.busy` where another program holds a lock. */
  static async begin(connection: PostgresConnection, tables: readonly TableName[]): Promise<ReplacedTables> {
    const oids: string[] = [];
    for (const table of tables) oids.push(await lockedOid(connection, table));
    const foreignKeys = (await connection.rows(foreignKeyQuery, [oids])).map(foreignKeyOf);
    const triggers = (await connection.rows(triggerQuery, [oids])).map(triggerOf);
    for (const { table, name } of foreignKeys) {
      await connection.run(`ALTER TABLE ${table} DROP CONSTRAINT ${quoteName(name)}`);
    }
    for (const { table, name } of triggers)
      await connection.run(`ALTER TABLE ${table} DISABLE TRIGGER ${quoteName(name)}`);
    await connection.work(`TRUNCATE ${tables.map((table) => `ONLY ${quoteTable(table)}`).join(', ')}`);
    return new ReplacedTables({ connection, oids, foreignKeys, triggers });
  }

  private constructor(parts: {
    readonly connection: PostgresConnection;
    readonly oids: readonly string[];
    readonly foreignKeys: readonly ForeignKey[];
    readonly triggers: readonly Trigger[];
  }) {
    this.#connection = parts.connection;
    this.#oids = parts.oids;
    this.#foreignKeys = parts.foreignKeys;
    this.#triggers = parts.triggers;
  }

  /** Puts back what was taken off, and moves the tables' own sequences behind their largest numbers. Throws `target.invalid`. */
  async finish(): Promise<void> {
    const connection = this.#connection;
    for (const { table, name, definition, comment } of this.#foreignKeys) {
      const constraint = quoteName(name);
      try {
        await connection.work(`ALTER TABLE ${table} ADD CONSTRAINT ${constraint} ${definition}`);
      } catch (error) {
        if (serverFailure(error)?.code !== '23503') throw error;
        throw new HoldfastError('target.invalid', {
          message: `rows of ${table} refer to rows that are not there (foreign key ${name})`,
          hint: 'restore the tables that belong together: give --only several times',
          context: { table, constraint: name },
        });
      }
      const text = comment === null ? undefined : quoteText(comment);
      if (text !== undefined) await connection.run(`COMMENT ON CONSTRAINT ${constraint} ON ${table} IS ${text}`);
    }
    const how: Readonly<Record<string, string>> = { A: 'ENABLE ALWAYS', R: 'ENABLE REPLICA' };
    for (const { table, name, state } of this.#triggers) {
      await connection.run(`ALTER TABLE ${table} ${how[state] ?? 'ENABLE'} TRIGGER ${quoteName(name)}`);
    }
    for (const row of await connection.rows(sequenceQuery, [this.#oids])) {
      const sequence = String(row['sequence']);
      const column = quoteName(String(row['column']));
      await connection.work(`SELECT setval(${quoteText(sequence)}, greatest(m.largest, s.last_value))
        FROM (SELECT max(${column}) AS largest FROM ${String(row['table'])}) m, ${sequence} s WHERE m.largest IS NOT NULL`);
    }
  }
}

async function lockedOid(connection: PostgresConnection, table: TableName): Promise<string> {
  const name = plainName(table);
  const [row] = await connection.rows('SELECT to_regclass($1)::oid::text AS oid', [quoteTable(table)]);
  if (typeof row?.['oid'] !== 'string') throw missingTable(table);
  try {
    await connection.run(`LOCK TABLE ONLY ${quoteTable(table)} IN ACCESS EXCLUSIVE MODE`);
  } catch (error) {
    throw postgresTargetError(error, `the table ${name}`);
  }
  return row['oid'];
}

function foreignKeyOf(row: Row): ForeignKey {
  const comment = typeof row['comment'] === 'string' ? row['comment'] : null;
  return { table: String(row['table']), name: String(row['name']), definition: String(row['definition']), comment };
}

function triggerOf(row: Row): Trigger {
  return { table: String(row['table']), name: String(row['name']), state: String(row['state']) };
}
