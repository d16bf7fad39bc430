import type { RelationDescription, TableName } from '../model-description.ts';
import type { DiscoveredModel } from './discovered-model.ts';

/** A table as introspection tells it, with the names that an ORM gave its columns. */
export interface DatabaseModel {
  readonly name: string;
  readonly table: TableName;
  readonly columns: readonly {
    readonly name: string;
    /** As the application calls it, where that differs. */
    readonly field?: string;
    readonly isNullable: boolean;
    readonly defaultSql?: string;
    readonly identity?: object;
    readonly generatedSql?: string;
  }[];
  readonly primaryKey?: { readonly columns: readonly string[] };
  readonly foreignKeys: readonly RelationDescription[];
}

/** A table of the database, as the registry wants it. */
export function fromDatabase({ name, table, columns, primaryKey, foreignKeys }: DatabaseModel): DiscoveredModel {
  return {
    name,
    table,
    fields: columns.map((column) => ({
      name: column.field ?? column.name,
      column: column.name,
      nullable: column.isNullable,
      hasDefault: [column.defaultSql, column.identity, column.generatedSql].some((one) => one !== undefined),
      primaryKey: primaryKey?.columns.includes(column.name) === true,
    })),
    relations: foreignKeys.map(({ name, columns, references }) => ({ name, columns, references })),
  };
}
