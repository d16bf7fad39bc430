import type { DatabaseSync } from 'node:sqlite';
import type { Discovery, LeftOut, Model, ModelColumn, ModelForeignKey, ModelKey } from '../model.ts';
import { modelTypeOf } from './sqlite-type.ts';

type Row = Record<string, string | number | bigint | null | Uint8Array>;

const text = (value: Row[string] | undefined) => String(value ?? '');
const reasons: Readonly<Record<string, string>> = {
  view: 'a view',
  virtual: 'a virtual table: its rows are made from others',
  shadow: 'part of a virtual table',
};
const actions = new Set(['CASCADE', 'SET NULL', 'SET DEFAULT', 'RESTRICT']);

/** A name as SQL takes it. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The tables of the database, as of the transaction that is open. */
export function discoverSqlite(database: DatabaseSync): Discovery {
  const all = (sql: string, ...values: string[]) => database.prepare(sql).all(...values) as Row[];
  const listed = all(`SELECT name, type FROM pragma_table_list WHERE schema = 'main' ORDER BY name`).filter(
    ({ name }) => !/^sqlite_/i.test(text(name)),
  );
  const hasSequences = all(`SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'`).length > 0;
  // As text: a number of 64 bits is none of JavaScript's.
  const numbered = hasSequences ? all('SELECT name, CAST(seq AS TEXT) AS seq FROM sqlite_sequence') : [];
  const next = new Map(numbered.map((row) => [text(row['name']), String(BigInt(text(row['seq'])) + 1n)]));
  const models = listed
    .filter(({ type }) => type === 'table')
    .map((row) => modelOf(all, text(row['name']), next.get(text(row['name']))));
  const leftOut = listed
    .filter(({ type }) => type !== 'table')
    .map((row): LeftOut => ({ name: text(row['name']), reason: reasons[text(row['type'])] ?? 'no table' }));
  return { models: models.map((model) => withTargets(model, models)), leftOut };
}

type Ask = (sql: string, ...values: string[]) => Row[];

function modelOf(all: Ask, name: string, next: string | undefined): Model {
  const columns = all('SELECT * FROM pragma_table_xinfo(?) ORDER BY cid', name);
  const key = columns.filter(({ pk }) => Number(pk) > 0).sort((a, b) => Number(a['pk']) - Number(b['pk']));
  const [first] = key;
  // The number of the row itself.
  const isNumbered = key.length === 1 && text(first?.['type']).toUpperCase() === 'INTEGER';
  return {
    name,
    table: { name },
    columns: columns
      .filter(({ hidden }) => Number(hidden) !== 1)
      .map((row): ModelColumn => {
        const isGenerated = Number(row['hidden']) > 1;
        const isKey = Number(row['pk']) > 0;
        const defaultSql = row['dflt_value'];
        return {
          name: text(row['name']),
          type: modelTypeOf(text(row['type'])),
          nativeType: text(row['type']),
          isNullable: Number(row['notnull']) === 0 && !(isNumbered && isKey),
          ...(typeof defaultSql === 'string' ? { defaultSql } : {}),
          ...(isGenerated ? { generatedSql: '' } : {}),
          ...(isNumbered && isKey ? { identity: next === undefined ? {} : { next } } : {}),
        };
      }),
    ...(key.length === 0 ? {} : { primaryKey: { name: `${name}_pkey`, columns: key.map((row) => text(row['name'])) } }),
    uniqueKeys: uniqueKeysOf(all, name),
    foreignKeys: foreignKeysOf(all, name),
  };
}

function uniqueKeysOf(all: Ask, table: string): ModelKey[] {
  const indexes = all(
    `SELECT name FROM pragma_index_list(?) WHERE "unique" = 1 AND partial = 0 AND origin <> 'pk' ORDER BY name`,
    table,
  );
  return indexes.flatMap(({ name }) => {
    const columns = all('SELECT name FROM pragma_index_info(?) ORDER BY seqno', text(name));
    // An index over an expression has no name for it.
    if (columns.some((column) => column['name'] === null)) return [];
    return [{ name: text(name), columns: columns.map((column) => text(column['name'])) }];
  });
}

function foreignKeysOf(all: Ask, table: string): ModelForeignKey[] {
  const parts = new Map<string, Row[]>();
  for (const row of all('SELECT * FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq', table)) {
    parts.set(text(row['id']), [...(parts.get(text(row['id'])) ?? []), row]);
  }
  return [...parts.values()].map((rows, index): ModelForeignKey => {
    const [first] = rows;
    const onDelete = text(first?.['on_delete']);
    const onUpdate = text(first?.['on_update']);
    return {
      name: `${table}_fk${index + 1}`,
      columns: rows.map((row) => text(row['from'])),
      references: {
        table: { name: text(first?.['table']) },
        columns: rows.every((row) => row['to'] !== null) ? rows.map((row) => text(row['to'])) : [],
      },
      ...(actions.has(onDelete) ? { onDelete } : {}),
      ...(actions.has(onUpdate) ? { onUpdate } : {}),
    };
  });
}

/** Names of tables are written as they like, and a key that names no columns means the primary key. */
function withTargets(model: Model, models: readonly Model[]): Model {
  const foreignKeys = model.foreignKeys.map((key): ModelForeignKey => {
    const { table, columns } = key.references;
    const target = models.find(({ name }) => name.toLowerCase() === table.name.toLowerCase());
    if (target === undefined) return key;
    return {
      ...key,
      references: {
        table: target.table,
        columns: columns.length > 0 ? columns : (target.primaryKey?.columns ?? []),
      },
    };
  });
  return { ...model, foreignKeys };
}
