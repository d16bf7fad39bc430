import type { MysqlConnection, Row } from './mysql-connection.ts';
import type { ObjectKind, SchemaObject } from './schema-object.ts';
import { readColumns } from './server-catalog.ts';
import { quoteName } from './sql-text.ts';

/** What could not be read for want of a privilege. */
export interface HiddenObject {
  readonly kind: ObjectKind;
  readonly name: string;
}

/** What a database holds beside tables. */
export interface SchemaObjects {
  /** In the order in which they are made. */
  readonly objects: readonly SchemaObject[];
  readonly hidden: readonly HiddenObject[];
}

/**
 * Reads the definitions of all that a database holds beside tables, over a connection that uses that database: the server then leaves its
 * name out of them, so that they fit a database of another name.
 */
export async function readObjects(connection: MysqlConnection, database: string): Promise<SchemaObjects> {
  const objects: SchemaObject[] = [];
  const hidden: HiddenObject[] = [];
  const found = [
    ...(await readSequences(connection, database)),
    ...(await readRoutines(connection, database)),
    ...(await readViews(connection, database)),
    ...(await readTriggers(connection, database)),
    ...(await readEvents(connection, database)),
  ];
  for (const object of found) {
    if (object.statement === '') hidden.push({ kind: object.kind, name: object.name });
    else objects.push(object);
  }
  return { objects, hidden };
}

const text = (row: Row | undefined, key: string) => {
  const value = row?.[key];
  return value === null || value === undefined ? '' : String(value);
};

function sessionOf(row: Row | undefined): Pick<SchemaObject, 'sqlMode' | 'characterSet' | 'collation'> {
  return {
    sqlMode: text(row, 'sql_mode'),
    characterSet: text(row, 'character_set_client') || 'utf8mb4',
    collation: text(row, 'collation_connection'),
  };
}

async function readSequences(connection: MysqlConnection, database: string): Promise<SchemaObject[]> {
  const rows = await connection.rows(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'SEQUENCE' ORDER BY 1",
    [database],
  );
  const objects: SchemaObject[] = [];
  for (const row of rows) {
    const name = text(row, 'name');
    const [created] = await connection.rows(`SHOW CREATE SEQUENCE ${quoteName(name)}`);
    const [state] = await connection.rows(`SELECT next_not_cached_value AS value FROM ${quoteName(name)}`);
    const statement = text(created, 'Create Table');
    objects.push({ kind: 'sequence', name, statement, ...sessionOf(undefined), nextValue: text(state, 'value') });
  }
  return objects;
}

async function readRoutines(connection: MysqlConnection, database: string): Promise<SchemaObject[]> {
  const rows = await connection.rows(
    'SELECT routine_name AS name, routine_type AS type FROM information_schema.routines WHERE routine_schema = ? ORDER BY 2, 1',
    [database],
  );
  const order = ['PACKAGE', 'PACKAGE BODY', 'FUNCTION', 'PROCEDURE'];
  const objects: SchemaObject[] = [];
  for (const type of order) {
    for (const row of rows.filter((candidate) => text(candidate, 'type').toUpperCase() === type)) {
      const name = text(row, 'name');
      const [created] = await connection.rows(`SHOW CREATE ${type} ${quoteName(name)}`);
      const column = Object.keys(created ?? {}).find((key) => /^create /i.test(key)) ?? '';
      const kind = type.toLowerCase() as ObjectKind;
      objects.push({ kind, name, statement: text(created, column), ...sessionOf(created) });
    }
  }
  return objects;
}

async function readViews(connection: MysqlConnection, database: string): Promise<SchemaObject[]> {
  const rows = await connection.rows(
    'SELECT table_name AS name FROM information_schema.views WHERE table_schema = ? ORDER BY 1',
    [database],
  );
  const columns = rows.length === 0 ? undefined : await readColumns(connection, database);
  const objects: SchemaObject[] = [];
  for (const row of rows) {
    const name = text(row, 'name');
    const [created] = await connection.rows(`SHOW CREATE VIEW ${quoteName(name)}`);
    const statement = text(created, 'Create View');
    objects.push({ kind: 'view', name, statement, ...sessionOf(created), columns: columns?.get(name) ?? [] });
  }
  return objects;
}

/** The text that made a trigger, unless it names a database or another trigger: it would then fit no other place. */
async function readTriggers(connection: MysqlConnection, database: string): Promise<SchemaObject[]> {
  const rows = await connection.rows(
    `SELECT trigger_name AS name, action_timing AS timing, event_manipulation AS event, event_object_table AS tableName,
            action_statement AS body, definer AS definer, sql_mode AS sql_mode, character_set_client AS character_set_client,
            collation_connection AS collation_connection
       FROM information_schema.triggers WHERE trigger_schema = ?
      ORDER BY event_object_table, event_manipulation, action_timing, action_order`,
    [database],
  );
  const objects: SchemaObject[] = [];
  for (const row of rows) {
    const name = text(row, 'name');
    const [created] = await connection.rows(`SHOW CREATE TRIGGER ${quoteName(name)}`);
    const original = text(created, 'SQL Original Statement');
    const statement = movableTrigger.test(original) ? original : assembledTrigger(row);
    objects.push({ kind: 'trigger', name, table: text(row, 'tableName'), statement, ...sessionOf(row) });
  }
  return objects;
}

const word = /(?:`(?:[^`]|``)*`|[\w$\u0080-\uffff]+)/.source;
const movableTrigger = new RegExp(
  `\\bTRIGGER\\s+${word}\\s+(?:BEFORE|AFTER)\\s+\\w+\\s+ON\\s+${word}\\s+FOR\\s+EACH\\s+ROW\\s(?!\\s*(?:FOLLOWS|PRECEDES)\\b)`,
  'i',
);

function assembledTrigger(row: Row): string {
  const event = `${text(row, 'timing')} ${text(row, 'event')} ON ${quoteName(text(row, 'tableName'))}`;
  const head = `CREATE DEFINER=${quoteAccount(text(row, 'definer'))} TRIGGER ${quoteName(text(row, 'name'))}`;
  return `${head} ${event} FOR EACH ROW ${text(row, 'body')}`;
}

/** `user@host` in names; a role has no host. */
function quoteAccount(account: string): string {
  const at = account.lastIndexOf('@');
  if (at < 0) return quoteName(account);
  return `${quoteName(account.slice(0, at))}@${quoteName(account.slice(at + 1))}`;
}

async function readEvents(connection: MysqlConnection, database: string): Promise<SchemaObject[]> {
  const rows = await connection.rows(
    'SELECT event_name AS name FROM information_schema.events WHERE event_schema = ? ORDER BY 1',
    [database],
  );
  const objects: SchemaObject[] = [];
  for (const row of rows) {
    const name = text(row, 'name');
    const [created] = await connection.rows(`SHOW CREATE EVENT ${quoteName(name)}`);
    const timeZone = text(created, 'time_zone') || 'SYSTEM';
    const statement = text(created, 'Create Event');
    objects.push({ kind: 'event', name, statement, ...sessionOf(created), timeZone });
  }
  return objects;
}
