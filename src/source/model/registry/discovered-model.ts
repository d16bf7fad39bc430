import type { FieldDescription, ModelDescription, TableName } from '../model-description.ts';

/** A field of a discovered model, with what its column is known to take. */
export interface DiscoveredField extends FieldDescription {
  /** False for NOT NULL. */
  readonly nullable?: boolean;
  /** The database fills the column when nothing is given: a default, an identity, a generated column. */
  readonly hasDefault?: boolean;
  readonly primaryKey?: boolean;
}

/** A model before the registry has its say: a table of the database, with the names that an ORM gave it. */
export interface DiscoveredModel extends ModelDescription {
  readonly fields: readonly DiscoveredField[];
}

/** `billing.invoice`, or `invoice` where there is no schema. */
export function tableLabel({ schema, name }: TableName): string {
  return schema === undefined ? name : `${schema}.${name}`;
}
