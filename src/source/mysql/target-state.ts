import { HoldfastError } from '../../errors.ts';
import type { RestorableEntry, TargetChange } from '../target.ts';
import type { MysqlAddress } from './mysql-address.ts';
import type { MysqlConnection } from './mysql-connection.ts';
import {
  type DatabaseDefaults,
  isOlderSeries,
  readDefaults,
  readVersion,
  type ServerVersion,
} from './server-catalog.ts';
import { tableOf } from './table-loader.ts';

/** What a restore is to do, as its entries and the target tell. */
export interface TargetState {
  readonly server: ServerVersion;
  /** All of the database is restored; else only what was chosen changes places. */
  readonly isWhole: boolean;
  /** Of the archived database. */
  readonly defaults: DatabaseDefaults;
  /** Names of the tables and sequences that are restored; undefined where only the dump itself knows. */
  readonly tables: readonly string[] | undefined;
  readonly change: TargetChange;
}

/** How a restore is meant. */
export interface CheckOptions {
  readonly address: MysqlAddress;
  readonly overwrite: boolean;
  readonly keepUndo: boolean;
  readonly mode: 'swap' | 'fresh' | 'transaction';
}

/** Finds out what a restore would do. Throws `target.incompatible`, `target.exists`, `target.invalid`, and errors of the client library as they are. */
export async function checkTarget(
  control: MysqlConnection,
  entries: readonly RestorableEntry[],
  options: CheckOptions,
): Promise<TargetState> {
  const { address, overwrite, keepUndo, mode } = options;
  const server = await readVersion(control);
  for (const entry of entries) checkEntry(entry, server);
  await checkPacket(control, entries);
  const dump = entries.find(({ kind }) => kind === 'dump');
  if (dump !== undefined && entries.length > 1) {
    throw new HoldfastError('target.invalid', { message: 'a whole dump is restored by itself, without other entries' });
  }
  const database = entries.find(({ metadata }) => metadata['object'] === 'database');
  const tables = dump === undefined ? restoredTables(entries) : undefined;
  const isWhole = dump !== undefined || isComplete(database, tables ?? []);
  const found = await readContents(control, address.database);
  const replaced = isWhole ? found : found.filter((name) => tables?.includes(name) === true);
  if (mode === 'fresh' ? found.length > 0 : replaced.length > 0 && !overwrite) {
    const what = isWhole || mode === 'fresh' ? `${address.label} is not empty` : `the table ${replaced[0]} exists`;
    const hint =
      mode === 'fresh' ? { hint: 'choose an empty database, or one that is not there, or the mode swap' } : {};
    throw new HoldfastError('target.exists', { message: what, context: { tables: found.slice(0, 3) }, ...hint });
  }
  const action = found.length === 0 ? 'create' : isWhole ? 'replace' : 'merge';
  const undo = keepUndo && replaced.length > 0 ? { undo: `${address.database}__holdfast_undo_*` } : {};
  const change: TargetChange = { target: address.label, action, ...undo };
  const defaults = defaultsOf(database ?? dump) ?? (await readDefaults(control, address.database));
  return {
    server,
    isWhole,
    defaults: defaults ?? { characterSet: 'utf8mb4', collation: 'utf8mb4_general_ci' },
    tables,
    change,
  };
}

function checkEntry({ path, kind, metadata }: RestorableEntry, server: ServerVersion): void {
  if (kind !== 'table' && kind !== 'schema' && kind !== 'dump') {
    throw new HoldfastError('target.incompatible', {
      message: `${path} is of the kind ${kind}, which no MySQL or MariaDB database takes`,
    });
  }
  const engine = metadata['engine'];
  const version = metadata['engineVersion'];
  if (engine !== server.engine) {
    const message = `${path} comes from ${String(engine)}, and the server is ${server.engine} ${server.version}`;
    throw new HoldfastError('target.incompatible', { message, context: { path } });
  }
  if (typeof version === 'string' && isOlderSeries(server.version, version)) {
    const message = `the archive is of ${server.engine} ${version}, and the server is older: ${server.version}`;
    throw new HoldfastError('target.incompatible', { message, context: { version, serverVersion: server.version } });
  }
}

/** A row that the server would refuse is found out before anything is written. */
async function checkPacket(control: MysqlConnection, entries: readonly RestorableEntry[]): Promise<void> {
  const [row] = await control.rows('SELECT @@max_allowed_packet AS limitBytes');
  const limitBytes = Number(row?.['limitBytes']);
  for (const { path, metadata } of entries) {
    const neededBytes = Number(metadata['largestStatementBytes'] ?? 0);
    if (neededBytes < limitBytes) continue;
    throw new HoldfastError('target.incompatible', {
      message: `${path} has a row for which max_allowed_packet of the server, ${limitBytes} bytes, is too small`,
      hint: `set it above ${neededBytes}: SET GLOBAL max_allowed_packet = ${Math.ceil(neededBytes / 1048576 + 1) * 1048576}`,
      context: { path, neededBytes, limitBytes },
    });
  }
}

function restoredTables(entries: readonly RestorableEntry[]): string[] {
  return entries.flatMap((entry) => {
    if (entry.kind === 'table') return [tableOf(entry)];
    return entry.metadata['object'] === 'sequence' ? [String(entry.metadata['name'])] : [];
  });
}

/** Whether all that the database had when it was backed up is to be restored. */
function isComplete(database: RestorableEntry | undefined, tables: readonly string[]): boolean {
  const listed = database?.metadata['tables'];
  if (!Array.isArray(listed)) return false;
  const restored = new Set(tables);
  return listed.every((name) => typeof name === 'string' && restored.has(name));
}

function defaultsOf(entry: RestorableEntry | undefined): DatabaseDefaults | undefined {
  const { characterSet, collation } = entry?.metadata ?? {};
  if (typeof characterSet !== 'string' || typeof collation !== 'string') return undefined;
  return { characterSet, collation };
}

/** Names of what a database holds: tables, views, routines. */
async function readContents(control: MysqlConnection, database: string): Promise<string[]> {
  const rows = await control.rows(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ?
      UNION ALL SELECT routine_name FROM information_schema.routines WHERE routine_schema = ?`,
    [database, database],
  );
  return rows.map((row) => String(row['name']));
}
