import type { JsonValue } from '../source.ts';
import type { PostgresConnection } from './postgres-connection.ts';

/** What a database is made with, and what statements of its schema do not tell. */
export interface DatabaseProperties {
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** `ALTER DATABASE … SET` for everybody: `name=value`. */
  readonly settings: readonly string[];
}

const query = `SELECT pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,
    coalesce((SELECT to_json(s.setconfig) FROM pg_db_role_setting s WHERE s.setdatabase = d.oid AND s.setrole = 0), '[]') AS settings
  FROM pg_database d WHERE d.datname = $1`;

/** Undefined where there is no such database. */
export async function readProperties(
  connection: PostgresConnection,
  database: string,
): Promise<DatabaseProperties | undefined> {
  const [row] = await connection.rows(query, [database]);
  return row === undefined ? undefined : propertiesOf(row as Record<string, JsonValue>);
}

/** Reads them from JSON; what is not there is left to the server. */
export function propertiesOf(value: Readonly<Record<string, JsonValue>>): DatabaseProperties {
  const text = (name: string) => (typeof value[name] === 'string' ? value[name] : '');
  const settings = Array.isArray(value['settings']) ? value['settings'] : [];
  return {
    encoding: text('encoding'),
    collate: text('collate'),
    ctype: text('ctype'),
    settings: settings.filter((item): item is string => typeof item === 'string'),
  };
}
