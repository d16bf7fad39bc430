import type { TableName } from '../model-description.ts';

/** A table, with its schema unless that is the default one: of PostgreSQL `public`, of SQLite `main`. */
export function tableName(name: string, schema: string | null | undefined): TableName {
  return schema === undefined || schema === null || ['', 'public', 'main'].includes(schema)
    ? { name }
    : { schema, name };
}
