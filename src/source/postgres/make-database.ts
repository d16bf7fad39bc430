import type { JsonValue } from '../source.ts';
import { type DatabaseProperties, propertiesOf } from './database-properties.ts';
import type { PostgresConnection, Row } from './postgres-connection.ts';
import { serverFailure } from './postgres-error.ts';
import { quoteName, quoteText } from './sql-name.ts';

/** Like the one whose place it takes, where there is one; else like the archived one. */
export interface MakeOptions {
  readonly name: string;
  readonly likeDatabase: string;
  readonly archived: DatabaseProperties | undefined;
}

const query = `SELECT to_jsonb(d) - 'datacl' AS row, pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding,
    t.spcname AS tablespace, d.datacl IS NOT NULL AS has_acl
  FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = $1`;

/** Makes an empty database. Its settings and rights come with {@link dressDatabase}. */
export async function makeDatabase(control: PostgresConnection, options: MakeOptions): Promise<void> {
  const { name, likeDatabase, archived } = options;
  const create = `CREATE DATABASE ${quoteName(name)} TEMPLATE template0`;
  const [row] = await control.rows(query, [likeDatabase]);
  if (row !== undefined) {
    const place = `OWNER ${quoteName(String(row['owner']))} TABLESPACE ${quoteName(String(row['tablespace']))}`;
    await control.work(`${create} ENCODING ${quoteText(String(row['encoding']))} ${localeOf(row)} ${place}`);
    return;
  }
  if (archived === undefined || archived.encoding === '') {
    await control.work(create);
    return;
  }
  const encoding = `ENCODING ${quoteText(archived.encoding)}`;
  const locale = `LC_COLLATE ${quoteText(archived.collate)} LC_CTYPE ${quoteText(archived.ctype)}`;
  try {
    await control.work(`${create} ${encoding} ${locale}`);
  } catch (error) {
    // A machine of another kind names its locales differently.
    if (!['42809', '22023'].includes(serverFailure(error)?.code ?? '')) throw error;
    await control.work(`${create} ${encoding}`);
  }
}

/** Versions tell of providers of locales in columns of different names. */
function localeOf(row: Row): string {
  const columns = row['row'] as Readonly<Record<string, JsonValue>>;
  const text = (name: string) => quoteText(String(columns[name]));
  const libc = `LC_COLLATE ${text('datcollate')} LC_CTYPE ${text('datctype')}`;
  const provider = columns['datlocprovider'];
  const locale = columns['datlocale'] ?? columns['daticulocale'];
  const rules = typeof columns['daticurules'] === 'string' ? ` ICU_RULES ${text('daticurules')}` : '';
  if (typeof locale !== 'string') return libc;
  if (provider === 'i') return `${libc} LOCALE_PROVIDER icu ICU_LOCALE ${quoteText(locale)}${rules}`;
  return provider === 'b' ? `${libc} LOCALE_PROVIDER builtin BUILTIN_LOCALE ${quoteText(locale)}` : libc;
}

const settingsQuery = `SELECT pg_get_userbyid(nullif(s.setrole, 0)) AS role, s.setrole <> 0 AS is_of_role, to_json(s.setconfig) AS settings
  FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = $1`;
const rightsQuery = `SELECT a.privilege_type AS privilege, a.is_grantable AS grantable,
    CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END AS grantee
  FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) a WHERE d.datname = $1 AND d.datacl IS NOT NULL`;
const limitQuery =
  'SELECT datconnlimit AS connection_limit, datacl IS NOT NULL AS has_acl FROM pg_database WHERE datname = $1';

/** Gives a database the settings, rights and limits of the one whose place it takes, or the settings of the archived one. */
export async function dressDatabase(control: PostgresConnection, options: MakeOptions): Promise<void> {
  const { name, likeDatabase, archived } = options;
  const target = quoteName(name);
  const [like] = await control.rows(limitQuery, [likeDatabase]);
  if (like === undefined) {
    for (const setting of archived?.settings ?? [])
      await control.run(`ALTER DATABASE ${target} SET ${assignment(setting)}`);
    return;
  }
  for (const row of await control.rows(settingsQuery, [likeDatabase])) {
    const { settings } = propertiesOf(row as Record<string, JsonValue>);
    const ofRole = row['is_of_role'] === true ? `ALTER ROLE ${quoteName(String(row['role']))} IN` : 'ALTER';
    for (const setting of settings) await control.run(`${ofRole} DATABASE ${target} SET ${assignment(setting)}`);
  }
  await control.run(`ALTER DATABASE ${target} CONNECTION LIMIT ${Number(like['connection_limit'])}`);
  if (like['has_acl'] !== true) return;
  await control.run(`REVOKE ALL ON DATABASE ${target} FROM PUBLIC`);
  for (const { privilege, grantable, grantee } of await control.rows(rightsQuery, [likeDatabase])) {
    const to = grantee === null ? 'PUBLIC' : quoteName(String(grantee));
    const option = grantable === true && grantee !== null ? ' WITH GRANT OPTION' : '';
    await control.run(`GRANT ${String(privilege)} ON DATABASE ${target} TO ${to}${option}`);
  }
}

/** Settings whose value is a list of names, each of which is quoted by itself. */
const listSettings =
  /^(search_path|temp_tablespaces|session_preload_libraries|local_preload_libraries|shared_preload_libraries|unix_socket_directories)$/i;

/** `name=value`, as the server keeps it, in the form that sets it. */
function assignment(setting: string): string {
  const at = setting.indexOf('=');
  const name = setting.slice(0, at);
  const value = setting.slice(at + 1);
  const quoted = name.split('.').map(quoteName).join('.');
  // Such a value is kept in the form in which it is written.
  return `${quoted} TO ${listSettings.test(name) && value !== '' ? value : quoteText(value)}`;
}
