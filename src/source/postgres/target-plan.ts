import { HoldfastError } from '../../errors.ts';
import type { RestoreMode } from '../database-options.ts';
import type { JsonValue } from '../source.ts';
import type { RestorableEntry, TargetChange } from '../target.ts';
import { isEmptyDatabase } from './database-contents.ts';
import { type DatabaseProperties, propertiesOf } from './database-properties.ts';
import type { PostgresAddress } from './postgres-address.ts';
import { PostgresConnection } from './postgres-connection.ts';
import { serverFailure } from './postgres-error.ts';
import { majorOf } from './postgres-tool.ts';
import { readVersion, type ServerVersion } from './server-version.ts';
import { plainName, quoteTable, type TableName } from './sql-name.ts';

/** What a restore is to do, as its entries and the target tell. */
export interface TargetPlan {
  readonly server: ServerVersion;
  readonly mode: RestoreMode;
  /** Tables whose rows are restored. */
  readonly tables: readonly TableName[];
  /** Only rows are restored, to tables that are there. */
  readonly isRowsOnly: boolean;
  /** The target is there. */
  readonly exists: boolean;
  readonly archived: DatabaseProperties | undefined;
  readonly change: TargetChange;
}

/** How a restore is meant. */
export interface PlanOptions {
  readonly control: PostgresConnection;
  readonly address: PostgresAddress;
  readonly mode: RestoreMode | undefined;
  readonly overwrite: boolean;
  readonly keepUndo: boolean;
  readonly timeoutMs: number;
}

/** Finds out what a restore would do. Throws `target.incompatible`, `target.exists`, `usage.invalid`, and errors of the client library as they are. */
export async function planTarget(entries: readonly RestorableEntry[], options: PlanOptions): Promise<TargetPlan> {
  const { control, address, overwrite, keepUndo } = options;
  const server = await readVersion(control);
  for (const entry of entries) checkEntry(entry, server);
  const tables = entries.filter(({ kind }) => kind === 'table').map(tableOf);
  const definitions = entries.find(({ kind, metadata }) => kind === 'dump' || metadata['object'] === 'pre-data');
  const isRowsOnly = definitions === undefined;
  const found = await lookAt(options, isRowsOnly ? tables : []);
  const rights = await readRights(control, address.database);
  const mode = modeOf(options, { ...found, isRowsOnly, canMake: rights.canMake, canSwap: rights.canSwap });
  const isDump = definitions?.kind === 'dump';
  if (mode === 'transaction' && isDump) {
    throw new HoldfastError('usage.invalid', {
      message: 'a dump of pg_dump is not restored within a transaction that can be taken back',
      hint: 'use the mode swap or fresh',
    });
  }
  if (found.isFilled && (mode === 'fresh' || !overwrite)) {
    const hint = 'choose an empty database, or one that is not there, or the mode swap with --overwrite';
    const what = isRowsOnly ? 'has rows in the tables that are restored' : 'is not empty';
    throw new HoldfastError('target.exists', {
      message: `${address.label} ${what}`,
      ...(mode === 'fresh' ? { hint } : {}),
      context: { database: address.database },
    });
  }
  const action = !found.exists || (!isRowsOnly && !found.isFilled) ? 'create' : isRowsOnly ? 'merge' : 'replace';
  const undo = mode === 'swap' && keepUndo && found.exists ? { undo: `${address.database}__holdfast_undo_*` } : {};
  const properties = definitions?.metadata['properties'];
  return {
    server,
    mode,
    tables,
    isRowsOnly,
    exists: found.exists,
    archived: isObject(properties) ? propertiesOf(properties) : undefined,
    change: { target: address.label, action, ...undo },
  };
}

const kinds: readonly string[] = ['schema', 'table', 'large-objects', 'roles', 'dump'];

function checkEntry({ path, kind, metadata }: RestorableEntry, server: ServerVersion): void {
  const incompatible = (message: string) => new HoldfastError('target.incompatible', { message, context: { path } });
  if (!kinds.includes(kind)) throw incompatible(`${path} is of the kind ${kind}, which no PostgreSQL database takes`);
  const { engine, engineVersion } = metadata;
  if (engine !== 'postgres') throw incompatible(`${path} comes from ${String(engine)}, and the server is PostgreSQL`);
  if (typeof engineVersion === 'string' && majorOf(engineVersion) > server.major) {
    throw incompatible(`the archive is of PostgreSQL ${engineVersion}, and the server is older: ${server.version}`);
  }
}

/** The table of an entry, as its metadata tells. */
export function tableOf({ path, metadata }: RestorableEntry): TableName {
  const { schema, table } = metadata;
  if (typeof schema === 'string' && typeof table === 'string') return { schema, name: table };
  throw new HoldfastError('target.incompatible', { message: `${path} does not tell its table`, context: { path } });
}

function isObject(value: JsonValue | undefined): value is { readonly [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether the target is there, and holds something that would be replaced: anything, or rows of these tables. */
async function lookAt(
  { address, timeoutMs }: PlanOptions,
  tables: readonly TableName[],
): Promise<{ readonly exists: boolean; readonly isFilled: boolean }> {
  let connection: PostgresConnection;
  try {
    connection = await PostgresConnection.open(address, { timeoutMs });
  } catch (error) {
    if (serverFailure(error)?.code === '3D000') return { exists: false, isFilled: false };
    throw error;
  }
  try {
    if (tables.length === 0) return { exists: true, isFilled: !(await isEmptyDatabase(connection)) };
    for (const table of tables) {
      const quoted = quoteTable(table);
      const [row] = await connection.rows('SELECT to_regclass($1) IS NOT NULL AS there', [quoted]);
      if (row?.['there'] !== true) throw missingTable(table);
      const rows = await connection.rows(`SELECT 1 FROM ONLY ${quoted} LIMIT 1`);
      if (rows.length > 0) return { exists: true, isFilled: true };
    }
    return { exists: true, isFilled: false };
  } finally {
    await connection.close();
  }
}

/** Rows alone do not make a table. */
export function missingTable(table: TableName): HoldfastError {
  const name = plainName(table);
  return new HoldfastError('target.invalid', {
    message: `the table ${name} is not there, and its rows alone do not make it`,
    hint: 'restore the whole archive into another database with --mode fresh, or make the table first',
    context: { table: name },
  });
}

const rightsQuery = `SELECT r.rolsuper OR r.rolcreatedb AS can_make,
    coalesce((SELECT pg_has_role(d.datdba, 'USAGE') FROM pg_database d WHERE d.datname = $1), true) AS is_owner
  FROM pg_roles r WHERE r.rolname = current_user`;

async function readRights(control: PostgresConnection, database: string) {
  const [row] = await control.rows(rightsQuery, [database]);
  const canMake = row?.['can_make'] === true;
  return { canMake, canSwap: canMake && row?.['is_owner'] === true };
}

/** The mode that was asked for, or the safest that is possible. Throws `usage.invalid`, `target.exists`. */
function modeOf(
  { mode, address }: PlanOptions,
  found: {
    readonly exists: boolean;
    readonly isFilled: boolean;
    readonly isRowsOnly: boolean;
    readonly canMake: boolean;
    readonly canSwap: boolean;
  },
): RestoreMode {
  const { exists, isFilled, isRowsOnly, canMake, canSwap } = found;
  if (isRowsOnly) {
    if (!exists) throw new HoldfastError('storage.not_found', { message: `${address.label} does not exist` });
    if (mode === undefined || mode === 'transaction') return 'transaction';
    throw new HoldfastError('usage.invalid', {
      message: `the mode ${mode} makes a database, and rows of tables alone do not make one`,
      hint: 'leave the mode out, or choose the definitions too',
    });
  }
  if (mode === 'transaction' && !exists) {
    throw new HoldfastError('storage.not_found', {
      message: `${address.label} does not exist, and is not made within a transaction`,
      hint: 'use the mode fresh',
    });
  }
  if (mode !== undefined) return mode;
  if (!exists || (!isFilled && canMake && canSwap)) return 'fresh';
  return canSwap ? 'swap' : 'transaction';
}
