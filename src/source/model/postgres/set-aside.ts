import type { PostgresConnection } from '../../postgres/postgres-connection.ts';
import { quoteName, quoteTable, quoteText } from '../../postgres/sql-name.ts';
import type { Model } from '../model.ts';

/** Statements that put back what was set aside, and the tables whose rows they check. */
export interface SetAside {
  readonly statements: readonly string[];
}

/** Foreign keys, and checks that rows of before may fail. */
const constraintsQuery = `SELECT n.nspname AS schema, c.relname AS name, o.conname AS key, pg_get_constraintdef(o.oid) AS definition,
    obj_description(o.oid, 'pg_constraint') AS comment
  FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE o.conparentid = 0 AND (
    (o.contype = 'f' AND (o.conrelid = ANY ($1::text[]::regclass[]) OR o.confrelid = ANY ($2::text[]::regclass[])))
    OR (o.contype = 'c' AND NOT o.convalidated AND o.conrelid = ANY ($1::text[]::regclass[])))
  ORDER BY 1, 2, 3`;

const triggersQuery = `SELECT n.nspname AS schema, c.relname AS name, t.tgname AS trigger, t.tgenabled AS state
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgparentid = 0 AND t.tgrelid = ANY ($1::text[]::regclass[]) ORDER BY 1, 2, 3`;

const states: Readonly<Record<string, string>> = { O: 'ENABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' };

/**
 * Takes foreign keys away until all rows are there, so that no order and no circle matters, and nothing that is deleted takes rows of other
 * tables along; and stops triggers, so that rows land as they were. All within the transaction.
 */
export async function setAside(
  connection: PostgresConnection,
  tables: { readonly loaded: readonly Model[]; readonly flushed: readonly Model[] },
): Promise<SetAside> {
  const names = (models: readonly Model[]) =>
    models.map(({ table }) => quoteTable({ schema: table.schema ?? 'public', name: table.name }));
  const statements: string[] = [];
  const tableOf = (row: Readonly<Record<string, unknown>>) =>
    quoteTable({ schema: String(row['schema']), name: String(row['name']) });
  for (const row of await connection.rows(constraintsQuery, [names(tables.loaded), names(tables.flushed)])) {
    const key = quoteName(String(row['key']));
    await connection.work(`ALTER TABLE ${tableOf(row)} DROP CONSTRAINT ${key}`);
    statements.push(`ALTER TABLE ${tableOf(row)} ADD CONSTRAINT ${key} ${String(row['definition'])}`);
    const { comment } = row;
    if (typeof comment === 'string') {
      statements.push(`COMMENT ON CONSTRAINT ${key} ON ${tableOf(row)} IS ${quoteText(comment)}`);
    }
  }
  for (const row of await connection.rows(triggersQuery, [names(tables.loaded)])) {
    const trigger = quoteName(String(row['trigger']));
    await connection.work(`ALTER TABLE ${tableOf(row)} DISABLE TRIGGER ${trigger}`);
    statements.push(`ALTER TABLE ${tableOf(row)} ${states[String(row['state'])] ?? 'ENABLE'} TRIGGER ${trigger}`);
  }
  return { statements };
}
