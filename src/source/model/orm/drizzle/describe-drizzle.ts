import type { Column, One, Relation, Relations, Table } from 'drizzle-orm';
import type { FieldDescription, RelationDescription } from '../../model-description.ts';
import type { OrmModel } from '../orm-model.ts';
import { tableName } from '../table-name.ts';

/** The parts of Drizzle that are used. */
export interface DrizzleLibrary {
  readonly core: typeof import('drizzle-orm');
  readonly casing: typeof import('drizzle-orm/casing');
  readonly postgres: typeof import('drizzle-orm/pg-core');
  readonly mysql: typeof import('drizzle-orm/mysql-core');
  readonly sqlite: typeof import('drizzle-orm/sqlite-core');
}

/** A foreign key, as the dialects have it. */
interface ForeignKey {
  getName(): string;
  reference(): { columns: Column[]; foreignTable: Table; foreignColumns: Column[] };
}

/** What a column is called in the database: by its own name, or by its key in the table and the casing. */
type NameOfColumn = (column: Column) => string;

function foreignKeysOf(table: Table, { core, postgres, mysql, sqlite }: DrizzleLibrary): readonly ForeignKey[] {
  if (core.is(table, postgres.PgTable)) return postgres.getTableConfig(table).foreignKeys;
  if (core.is(table, mysql.MySqlTable)) return mysql.getTableConfig(table).foreignKeys;
  if (core.is(table, sqlite.SQLiteTable)) return sqlite.getTableConfig(table).foreignKeys;
  return [];
}

function schemaOf(table: Table, { core, postgres, mysql }: DrizzleLibrary): string | undefined {
  if (core.is(table, postgres.PgTable)) return postgres.getTableConfig(table).schema;
  if (core.is(table, mysql.MySqlTable)) return mysql.getTableConfig(table).schema;
  return undefined;
}

/** `authorId` refers to `author`; several columns stand side by side. */
function relationName(columns: readonly Column[], fields: readonly FieldDescription[], nameOf: NameOfColumn): string {
  const names = columns.map(
    (column) => fields.find((field) => field.column === nameOf(column))?.name ?? nameOf(column),
  );
  return names.map((name) => name.replace(/(_id|Id)$/, '') || name).join('_');
}

/** One who refers, by columns of its own. */
function isReferring(relation: Relation, library: DrizzleLibrary): relation is One & { config: { fields: Column[] } } {
  return library.core.is(relation, library.core.One) && (relation.config?.fields.length ?? 0) > 0;
}

/** What `relations()` says of each table. */
function declaredRelations(values: readonly unknown[], library: DrizzleLibrary): Map<Table, One[]> {
  const { core } = library;
  const found = new Map<Table, One[]>();
  for (const value of values) {
    if (!core.is(value, core.Relations)) continue;
    const { table, config }: Relations = value;
    const declared = Object.values(config(core.createTableRelationsHelpers(table)));
    found.set(table, [...(found.get(table) ?? []), ...declared.filter((relation) => isReferring(relation, library))]);
  }
  return found;
}

/**
 * The tables that Drizzle declares, with the names of their keys; relations are its foreign keys, and what `relations()` declares besides.
 *
 * @param values What the modules of the schema export, by name. Views and anything else are passed over.
 * @param casing As given to `drizzle()`: names of columns that were declared without one.
 */
export function describeDrizzle(
  values: Readonly<Record<string, unknown>>,
  library: DrizzleLibrary,
  casing?: 'snake_case' | 'camelCase',
): OrmModel[] {
  const { core } = library;
  const cache = new library.casing.CasingCache(casing);
  const nameOf: NameOfColumn = (column) => cache.getColumnCasing(column);
  const nameTable = (table: Table) => tableName(core.getTableName(table), schemaOf(table, library));
  const declared = declaredRelations(Object.values(values), library);
  const describe = (name: string, table: Table): OrmModel => {
    const fields = Object.entries(core.getTableColumns(table)).map(([key, column]) => ({
      name: key,
      column: nameOf(column),
    }));
    const relations = new Map<string, RelationDescription>();
    const add = (name: string, columns: readonly Column[], foreign: Table, foreignColumns: readonly Column[]) => {
      const names = columns.map(nameOf);
      const references = { table: nameTable(foreign), columns: foreignColumns.map(nameOf) };
      const shape = JSON.stringify([names, references]);
      if (!relations.has(shape)) relations.set(shape, { name, columns: names, references });
    };
    for (const { fieldName, config, referencedTable } of declared.get(table) ?? []) {
      if (config !== undefined) add(fieldName, config.fields, referencedTable, config.references);
    }
    for (const key of foreignKeysOf(table, library)) {
      const { columns, foreignTable, foreignColumns } = key.reference();
      add(relationName(columns, fields, nameOf), columns, foreignTable, foreignColumns);
    }
    return { name, table: nameTable(table), fields, relations: [...relations.values()], sources: [table] };
  };
  const models = new Map<Table, OrmModel>();
  for (const [name, value] of Object.entries(values)) {
    if (core.is(value, core.Table) && !models.has(value)) models.set(value, describe(name, value));
  }
  return [...models.values()];
}
