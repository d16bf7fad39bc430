/** A table, as the database names it. */
export interface TableName {
  /** Absent where the engine has no schemas, or for the default one. */
  readonly schema?: string;
  readonly name: string;
}

/** A field of a model and the column that holds it. */
export interface FieldDescription {
  readonly name: string;
  readonly column: string;
}

/** Columns of a model's table that name a row of another table, whether or not the database enforces it. */
export interface RelationDescription {
  readonly name: string;
  readonly columns: readonly string[];
  readonly references: {
    readonly table: TableName;
    readonly columns: readonly string[];
  };
}

/**
 * What an application's ORM says of one of its models: its names and its relations. Types, keys and which rows there are come from the
 * database itself, so that nothing that an ORM hides (soft-deleted rows, default filters) is missed.
 */
export interface ModelDescription {
  /** As the application calls it: `Invoice`. */
  readonly name: string;
  readonly table: TableName;
  readonly fields: readonly FieldDescription[];
  readonly relations: readonly RelationDescription[];
}
