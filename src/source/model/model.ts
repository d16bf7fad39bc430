import type { TableName } from './model-description.ts';
import type { ModelType } from './model-type.ts';

/** The engines that models are read from and restored into. */
export type ModelEngine = 'postgres' | 'mysql' | 'mariadb' | 'sqlite';

/** What is done with a column: its value is kept; a file that it names goes along as well; or it is left out. */
export type FieldKind = 'value' | 'file' | 'filePath' | 'exclude';

/** A column of a model's table. */
export interface ModelColumn {
  readonly name: string;
  /** As the application calls it, where an ORM told. */
  readonly field?: string;
  /** `value` unless set. */
  readonly kind?: FieldKind;
  /** Of one that is left out: what a restore puts there, as a value stands in a line. */
  readonly excluded?: { readonly value: string };
  readonly type: ModelType;
  /** As the engine writes it: `character varying(40)`. */
  readonly nativeType: string;
  readonly isNullable: boolean;
  /** The expression of the engine. */
  readonly defaultSql?: string;
  /** Numbered by the database. `next` is the number that comes next, as text; absent where it is not known. */
  readonly identity?: { readonly next?: string };
  /** The expression that makes it: such a column has no values in the archive. */
  readonly generatedSql?: string;
}

/** Columns that together are unique. */
export interface ModelKey {
  readonly name: string;
  readonly columns: readonly string[];
}

/** Columns that name a row of a table. */
export interface ModelForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly references: { readonly table: TableName; readonly columns: readonly string[] };
  /** As SQL writes it: `CASCADE`; absent for `NO ACTION`. */
  readonly onDelete?: string;
  readonly onUpdate?: string;
  /** Told by an ORM, or not validated: the database does not enforce it. */
  readonly isSoft?: boolean;
}

/** A table of an application. */
export interface Model {
  /** Unique in its database: as the application calls it, else the table, with its schema where that is not the default one. */
  readonly name: string;
  readonly table: TableName;
  readonly columns: readonly ModelColumn[];
  readonly primaryKey?: ModelKey;
  readonly uniqueKeys: readonly ModelKey[];
  readonly foreignKeys: readonly ModelForeignKey[];
  /** The columns of the unique key by which a row is known in another database too; the primary key unless set. */
  readonly naturalKey?: readonly string[];
}

/** Something in the database that is no model, or was left out, and why. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}

/** What an engine's introspection found. */
export interface Discovery {
  readonly models: readonly Model[];
  readonly leftOut: readonly LeftOut[];
}

/** One name for a table of any engine. */
export function tableKey({ schema, name }: TableName): string {
  return JSON.stringify([schema ?? '', name]);
}

/** The columns whose values stand in the archive, in their order. */
export function storedColumns(model: Model): readonly ModelColumn[] {
  return model.columns.filter((column) => column.generatedSql === undefined && column.kind !== 'exclude');
}
