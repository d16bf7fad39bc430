import type { Connection as StreamingConnection } from 'mysql2';
import mysql from 'mysql2/promise';
import { connectMariadb } from './connect-mariadb.ts';
import { differencesOf, type Picture, PictureMaker, RowSet } from './picture.ts';

/** What counts, beyond tables, views, code and rows. */
export interface CompareMariadbOptions {
  /** The character set of the database itself, and the grants on it: they do not belong to what is in it; false unless set. */
  readonly database?: boolean;
  /** Former rows of system-versioned tables, and when each row was valid; false unless set: dumps leave them out. */
  readonly history?: boolean;
}

type Row = Record<string, unknown>;

async function ask(connection: mysql.Connection, statement: string, values: unknown[] = []): Promise<Row[]> {
  return (await connection.query<mysql.RowDataPacket[]>(statement, values))[0];
}

/** Statements name the database before each table, which another database cannot have. */
function withoutDatabase(text: unknown, database: string): string {
  return String(text).replaceAll(`\`${database.replaceAll('`', '``')}\`.`, '');
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly isPeriod: boolean;
}

const binaryTypes =
  /^((tiny|medium|long)?(blob|text)|(var)?char|(var)?binary|bit|geometry|(multi)?(point|linestring|polygon)|geometrycollection|set)$/;

/** What tells two values of a column apart, without a character set or a rounding in between. */
function exactly(name: string, type: string): string {
  // Rounded to 6 digits as text, but not as a double.
  if (type === 'float') return `cast(${name} + 0e0 AS char)`;
  // The empty text may be a value, or what is there instead of one.
  if (type === 'enum') return `concat(${name} + 0, ' ', hex(${name}))`;
  if (!binaryTypes.test(type)) return `cast(${name} AS char)`;
  return `concat(octet_length(${name}), ' ', if(octet_length(${name}) > 4096, sha2(${name}, 256), hex(${name})))`;
}

/** Rows of one table, streamed. */
async function readRows(connection: mysql.Connection, query: string): Promise<RowSet> {
  const rows = new RowSet();
  const streaming = (connection as unknown as { connection: StreamingConnection }).connection;
  for await (const row of streaming.query({ sql: query, rowsAsArray: true }).stream() as AsyncIterable<unknown[]>) {
    rows.add(JSON.stringify(row));
  }
  return rows;
}

async function columnsOf(connection: mysql.Connection, table: string): Promise<Column[]> {
  const rows = await ask(
    connection,
    `SELECT column_name AS name, data_type AS type, coalesce(generation_expression, '') AS generated
     FROM information_schema.columns WHERE table_schema = database() AND table_name = ? ORDER BY ordinal_position`,
    [table],
  );
  return rows.map(({ name, type, generated }) => ({
    name: String(name),
    type: String(type),
    isPeriod: /^ROW (START|END)$/i.test(String(generated)),
  }));
}

async function addTable(
  connection: mysql.Connection,
  maker: PictureMaker,
  { table, kind, history }: { table: string; kind: string; history: boolean },
): Promise<void> {
  const name = mysql.escapeId(table, true);
  const isVersioned = kind === 'SYSTEM VERSIONED';
  const all = await columnsOf(connection, table);
  const columns = all.filter(({ isPeriod }) => history || !isPeriod);
  const values = columns.map((column) => exactly(mysql.escapeId(column.name, true), column.type));
  // The times of a row, where the table has no columns of its own for them.
  if (history && isVersioned && !all.some(({ isPeriod }) => isPeriod))
    values.push('cast(row_start AS char)', 'cast(row_end AS char)');
  const versions = history && isVersioned ? ' FOR SYSTEM_TIME ALL' : '';
  const rows = await readRows(connection, `SELECT ${values.join(', ')} FROM ${name}${versions}`);
  maker.add(`rows of ${name}`, String(rows));
}

async function addTables(
  connection: mysql.Connection,
  maker: PictureMaker,
  database: string,
  history: boolean,
): Promise<void> {
  const tables = await ask(
    connection,
    'SELECT table_name AS name, table_type AS kind FROM information_schema.tables WHERE table_schema = database()',
  );
  for (const row of tables) {
    const table = String(row['name']);
    const kind = String(row['kind']);
    const name = mysql.escapeId(table, true);
    const [created = {}] = await ask(connection, `SHOW CREATE ${kind === 'SEQUENCE' ? kind : 'TABLE'} ${name}`);
    // The name, then the statement; of a view also character set and collation of the client that made it.
    maker.add(
      `${kind} ${name}`,
      Object.values(created)
        .slice(1)
        .map((text) => withoutDatabase(text, database))
        .join('\n'),
    );
    if (kind === 'SEQUENCE') {
      const [state] = await ask(
        connection,
        `SELECT cast(next_not_cached_value AS char) AS next, cast(cycle_count AS char) AS cycles FROM ${name}`,
      );
      maker.add(`value of sequence ${name}`, JSON.stringify(state));
    } else if (kind !== 'VIEW') {
      await addTable(connection, maker, { table, kind, history });
    }
  }
}

/** Kinds of code, and where their names are. */
const codeKinds = [
  ['TRIGGER', 'SELECT trigger_name AS name FROM information_schema.triggers WHERE trigger_schema = database()'],
  ['EVENT', 'SELECT event_name AS name FROM information_schema.events WHERE event_schema = database()'],
  ...['PROCEDURE', 'FUNCTION', 'PACKAGE', 'PACKAGE BODY'].map((kind) => [
    kind,
    `SELECT routine_name AS name FROM information_schema.routines WHERE routine_schema = database() AND routine_type = '${kind}'`,
  ]),
] as const;

async function addCode(connection: mysql.Connection, maker: PictureMaker, database: string): Promise<void> {
  for (const [kind = '', query = ''] of codeKinds) {
    for (const { name } of await ask(connection, query)) {
      const escaped = mysql.escapeId(String(name), true);
      const [created = {}] = await ask(connection, `SHOW CREATE ${kind} ${escaped}`);
      const facts = Object.entries(created).filter(([key]) => key !== 'Created');
      maker.add(
        `${kind} ${escaped}`,
        facts.map(([key, value]) => `${key}: ${withoutDatabase(value, database)}`).join('\n'),
      );
    }
  }
  // Of several triggers of one event, which comes first; comments and more of routines is in the statement.
  const triggers = await ask(
    connection,
    `SELECT trigger_name AS name, action_order AS place FROM information_schema.triggers WHERE trigger_schema = database()`,
  );
  for (const { name, place } of triggers)
    maker.add(`order of trigger ${mysql.escapeId(String(name), true)}`, String(place));
}

async function addDatabase(connection: mysql.Connection, maker: PictureMaker): Promise<void> {
  const [facts] = await ask(
    connection,
    'SELECT @@character_set_database AS charset, @@collation_database AS collation',
  );
  maker.add('database', JSON.stringify(facts));
  const grants = [
    ['schema', 'NULL'],
    ['table', 'table_name'],
    ['column', "concat(table_name, '.', column_name)"],
  ] as const;
  for (const [kind, name] of grants) {
    const rows = await ask(
      connection,
      `SELECT grantee, ${name} AS object, privilege_type, is_grantable FROM information_schema.${kind}_privileges WHERE table_schema = database()`,
    );
    for (const { grantee, object, ...privilege } of rows) {
      maker.add(`grant to ${grantee}${object === null ? '' : ` on ${object}`}`, JSON.stringify(privilege));
    }
  }
  const routines = await ask(
    connection,
    'SELECT user, host, routine_name AS object, routine_type AS kind, proc_priv AS privileges FROM mysql.procs_priv WHERE db = database()',
  );
  for (const { user, host, object, ...privilege } of routines) {
    maker.add(`grant to '${user}'@'${host}' on ${object}`, JSON.stringify(privilege));
  }
}

/** All that a database is. Its user is `root`. */
export async function takeMariadbPicture(url: string, options: CompareMariadbOptions = {}): Promise<Picture> {
  const maker = new PictureMaker();
  const connection = await connectMariadb(url);
  try {
    await connection.query("SET sql_mode = '', sql_quote_show_create = 1");
    await connection.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT');
    const database = String((await ask(connection, 'SELECT database() AS name'))[0]?.['name']);
    await addTables(connection, maker, database, options.history === true);
    await addCode(connection, maker, database);
    if (options.database === true) await addDatabase(connection, maker);
  } finally {
    await connection.end();
  }
  return maker.picture();
}

/** What differs between two databases, in words; empty when nothing does. */
export async function compareMariadb(
  urlA: string,
  urlB: string,
  options: CompareMariadbOptions = {},
): Promise<string[]> {
  const [one, other] = await Promise.all([takeMariadbPicture(urlA, options), takeMariadbPicture(urlB, options)]);
  return differencesOf(one, other);
}
