import { systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { systemRandom } from '../../random.ts';
import { Secret } from '../../secret.ts';
import {
  isScratchMark,
  markName,
  newScratchId,
  type QueryOptions,
  type Scratch,
  type ScratchOptions,
  scratchesById,
  scratchMark,
  scratchName,
  urlWithDatabase,
} from '../scratch.ts';
import { type MysqlAddress, parseMysqlUrl } from './mysql-address.ts';
import { MysqlConnection } from './mysql-connection.ts';
import { mysqlTargetError, serverFailure } from './mysql-error.ts';
import { qualifiedName, quoteName, quoteText } from './sql-text.ts';

const defaultTimeoutMs = 60_000;
const markTable = 'holdfast_mark';

/** The lock of the server that a drill at work holds. */
function lockOf(id: string): string {
  return `holdfast drill ${id}`;
}

/**
 * A name for a database on a server of MySQL or MariaDB, with a database beside it that holds the mark; what drills left that are gone is
 * removed first. Throws `usage.invalid`, and errors of targets.
 */
export async function openMysqlScratch(options: ScratchOptions & { readonly url: Secret }): Promise<Scratch> {
  const { timeoutMs = defaultTimeoutMs, clock = systemClock, random = systemRandom } = options;
  const id = newScratchId(random);
  const url = new Secret(urlWithDatabase(options.url.reveal(), scratchName(id)));
  const address = parseMysqlUrl(url);
  const connect = () => MysqlConnection.open(address, { timeoutMs, database: null });
  const inTermsOfTarget = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      throw withRights(mysqlTargetError(error, { what: address.label }));
    }
  };
  // Others see by its lock that the drill is at work. No signal ends it: what was made has to be removed.
  const control = await inTermsOfTarget(connect);
  try {
    await inTermsOfTarget(async () => {
      await removeStale(control);
      await control.rows('SELECT GET_LOCK(?, 0)', [lockOf(id)]);
      await control.run(`CREATE DATABASE ${quoteName(markName(id))} CHARACTER SET utf8mb4`);
      const table = qualifiedName(markName(id), markTable);
      await control.run(
        `CREATE TABLE ${table} (mark VARCHAR(200)) SELECT ${quoteText(scratchMark(id, clock.nowMs()))} AS mark`,
      );
    });
  } catch (error) {
    await dropAll(control, [markName(id)]).catch(() => undefined);
    await control.close();
    throw error;
  }
  let isDropped = false;
  return {
    url,
    label: address.label,
    create: async () =>
      await inTermsOfTarget(async () => {
        await control.run(`CREATE DATABASE ${quoteName(scratchName(id))} CHARACTER SET utf8mb4`);
      }),
    query: async (sql, query) => await queryReadOnly(address, sql, query),
    drop: async () => {
      if (isDropped) return;
      await inTermsOfTarget(() => dropById(connect, id));
      isDropped = true;
      await control.close();
    },
  };
}

/** Making databases is a right of its own. */
function withRights(error: unknown): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'storage.unauthorized') return error;
  const { code, message, context } = error;
  const hint = 'GRANT ALL ON `holdfast\\_drill\\_%`.* to the account, or name another server with drill.url or --to';
  return new HoldfastError(code, { message, context, hint, cause: error });
}

/** By a connection of its own: that of the drill may have broken meanwhile. */
async function dropById(connect: () => Promise<MysqlConnection>, id: string): Promise<void> {
  const control = await connect();
  try {
    await dropAll(control, scratchesById(await databaseNames(control)).get(id) ?? []);
  } finally {
    await control.close();
  }
}

async function dropAll(control: MysqlConnection, names: readonly string[]): Promise<void> {
  for (const name of names) await control.run(`DROP DATABASE IF EXISTS ${quoteName(name)}`);
}

async function databaseNames(control: MysqlConnection): Promise<string[]> {
  const rows = await control.rows(
    String.raw`SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name LIKE 'holdfast\\_drill\\_%'`,
  );
  return rows.map((row) => String(row['name']));
}

/** Removes what drills left whose lock is free: what the mark of one tells to be its own, and a mark's database that was not yet marked. */
async function removeStale(control: MysqlConnection): Promise<void> {
  for (const [id, names] of scratchesById(await databaseNames(control))) {
    if (!names.includes(markName(id))) continue;
    const [lock] = await control.rows('SELECT IS_FREE_LOCK(?) AS isFree', [lockOf(id)]);
    if (Number(lock?.['isFree']) !== 1 || !(await isOurs(control, id, names.length === 1))) continue;
    // Of another account, perhaps, or just removed by another drill: its own next drill removes it.
    await dropAll(control, names).catch((error: unknown) => {
      if (![1044, 1142, 1008].includes(serverFailure(error)?.number ?? 0)) throw error;
    });
  }
}

async function isOurs(control: MysqlConnection, id: string, isAlone: boolean): Promise<boolean> {
  const tables = await control.rows('SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ?', [
    markName(id),
  ]);
  if (tables.length === 0) return isAlone;
  if (tables.length > 1 || tables[0]?.['name'] !== markTable) return false;
  const [row] = await control.rows(`SELECT mark AS mark FROM ${qualifiedName(markName(id), markTable)}`);
  // Made, and its row not yet written.
  return row === undefined ? isAlone : isScratchMark(row['mark'], id);
}

async function queryReadOnly(
  address: MysqlAddress,
  sql: string,
  { timeoutMs, signal }: QueryOptions,
): Promise<readonly (readonly unknown[])[]> {
  try {
    const connection = await MysqlConnection.open(address, { timeoutMs, signal });
    try {
      await connection.run('SET SESSION TRANSACTION READ ONLY');
      const rows = await connection.rows(sql);
      if (!Array.isArray(rows))
        throw new HoldfastError('usage.invalid', { message: 'a check is one statement that gives rows' });
      return rows.map((row) => Object.values(row));
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw mysqlTargetError(error, { what: address.label });
  }
}
