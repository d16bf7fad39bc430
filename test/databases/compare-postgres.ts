import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { connectPostgres } from './connect-postgres.ts';
import { differencesOf, type Picture, PictureMaker, RowSet } from './picture.ts';
import { readPostgresSchema } from './postgres-schema.ts';

/** What counts, beyond schema, rows, values of sequences and large objects. */
export interface ComparePostgresOptions {
  /** The database's own encoding, owner, settings, grants and comment, which do not belong to what is in it; false unless set. */
  readonly database?: boolean;
  /** Roles of the server with their memberships; false unless set. */
  readonly roles?: boolean;
}

type Row = Record<string, unknown>;

async function ask(client: pg.Client, statement: string): Promise<Row[]> {
  return (await client.query<Row>(statement)).rows;
}

/** What `COPY … TO STDOUT` writes, row by row. */
async function addRows(client: pg.Client, query: string, rows: RowSet): Promise<void> {
  const stream = client.query(copyTo(`COPY (${query}) TO STDOUT`));
  let rest = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const bytes = Buffer.concat([rest, chunk]);
    let start = 0;
    // A line break within a value is escaped.
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      rows.add(bytes.subarray(start, end));
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
  if (rest.length > 0) throw new Error('COPY ended within a row');
}

/** Rows of tables and of materialized views: of a partitioned or inherited table only its own. */
async function addTables(client: pg.Client, maker: PictureMaker): Promise<void> {
  const tables = await ask(
    client,
    `SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relkind AS kind, c.relispopulated AS filled
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`,
  );
  for (const { name, kind, filled } of tables) {
    const rows = new RowSet();
    if (filled === true) await addRows(client, `SELECT * FROM ONLY ${name}`, rows);
    maker.add(`rows of ${name}`, filled === true ? `${kind} ${rows}` : 'not filled');
  }
}

async function addSequences(client: pg.Client, maker: PictureMaker): Promise<void> {
  const sequences = await ask(
    client,
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND c.relpersistence <> 't'`,
  );
  for (const { name } of sequences) {
    const [state] = await ask(client, `SELECT last_value::text, is_called FROM ${name}`);
    maker.add(`value of sequence ${name}`, JSON.stringify(state));
  }
}

async function addLargeObjects(client: pg.Client, maker: PictureMaker): Promise<void> {
  const objects = await ask(
    client,
    `SELECT m.oid, pg_get_userbyid(m.lomowner) AS owner, obj_description(m.oid, 'pg_largeobject') AS comment,
       ARRAY(SELECT unnest(m.lomacl)::text ORDER BY 1) AS access, encode(sha256(lo_get(m.oid)), 'hex') AS hash, length(lo_get(m.oid)) AS size
     FROM pg_largeobject_metadata m`,
  );
  for (const { oid, ...facts } of objects) maker.add(`large object ${oid}`, JSON.stringify(facts));
}

async function addDatabase(client: pg.Client, maker: PictureMaker): Promise<void> {
  const [facts] = await ask(
    client,
    `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype, datlocprovider, daticulocale, datconnlimit,
       pg_get_userbyid(datdba) AS owner, shobj_description(oid, 'pg_database') AS comment,
       ARRAY(SELECT unnest(datacl)::text ORDER BY 1) AS access
     FROM pg_database WHERE datname = current_database()`,
  );
  maker.add('database', JSON.stringify(facts));
  const settings = await ask(
    client,
    `SELECT coalesce(r.rolname, '') AS role, unnest(s.setconfig) AS setting
     FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
     WHERE d.datname = current_database()`,
  );
  for (const { role, setting } of settings) maker.add(`settings of the database for ${role}`, String(setting));
}

async function addRoles(client: pg.Client, maker: PictureMaker): Promise<void> {
  const roles = await ask(
    client,
    `SELECT rolname AS name, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
       rolconnlimit, rolvaliduntil::text, rolpassword, s.setconfig, shobj_description(a.oid, 'pg_authid') AS comment,
       ARRAY(SELECT m.roleid::regrole::text || m.admin_option FROM pg_auth_members m WHERE m.member = a.oid ORDER BY 1) AS member_of
     FROM pg_authid a LEFT JOIN pg_db_role_setting s ON s.setrole = a.oid AND s.setdatabase = 0 WHERE rolname !~ '^pg_'`,
  );
  for (const { name, ...facts } of roles) maker.add(`role ${name}`, JSON.stringify(facts));
}

/** Output of values is the same whatever the settings of server, database or role. */
const settings = `SET search_path = ''; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres';
  SET extra_float_digits = 1; SET bytea_output = 'hex'; SET xmlbinary = 'base64'; SET lc_monetary = 'C'; SET row_security = off`;

/** All that a database is. Its user is a superuser. */
export async function takePostgresPicture(url: string, options: ComparePostgresOptions = {}): Promise<Picture> {
  const maker = new PictureMaker();
  for (const { name, text } of await readPostgresSchema(url)) maker.add(name, text);
  const client = await connectPostgres(url);
  try {
    await client.query(settings);
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await addTables(client, maker);
    await addSequences(client, maker);
    await addLargeObjects(client, maker);
    if (options.database === true) await addDatabase(client, maker);
    if (options.roles === true) await addRoles(client, maker);
  } finally {
    await client.end();
  }
  return maker.picture();
}

/** What differs between two databases, in words; empty when nothing does. */
export async function comparePostgres(
  urlA: string,
  urlB: string,
  options: ComparePostgresOptions = {},
): Promise<string[]> {
  const [one, other] = await Promise.all([takePostgresPicture(urlA, options), takePostgresPicture(urlB, options)]);
  return differencesOf(one, other);
}
