import { systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { systemRandom } from '../../random.ts';
import { Secret } from '../../secret.ts';
import {
  isScratchMark,
  markName,
  newScratchId,
  type QueryOptions,
  readScratchName,
  type Scratch,
  type ScratchOptions,
  scratchesById,
  scratchMark,
  scratchName,
  urlWithDatabase,
} from '../scratch.ts';
import { connectControl } from './control-connection.ts';
import { isEmptyDatabase } from './database-contents.ts';
import { type PostgresAddress, parsePostgresUrl } from './postgres-address.ts';
import { PostgresConnection, type Row } from './postgres-connection.ts';
import { postgresTargetError, serverFailure } from './postgres-error.ts';
import { readVersion } from './server-version.ts';
import { quoteName, quoteText } from './sql-name.ts';
import { dropDatabase } from './swap-databases.ts';

const defaultTimeoutMs = 60_000;

/** What the server's list of connections shows of a drill at work. */
function drillName(id: string): string {
  return `holdfast drill ${id}`;
}

/**
 * A name for a database on a server of PostgreSQL, with a marked, empty database beside it; what drills left that are gone is removed first.
 * Throws `usage.invalid`, and errors of targets.
 */
export async function openPostgresScratch(options: ScratchOptions & { readonly url: Secret }): Promise<Scratch> {
  const { timeoutMs = defaultTimeoutMs, clock = systemClock, random = systemRandom } = options;
  const id = newScratchId(random);
  const url = new Secret(urlWithDatabase(options.url.reveal(), scratchName(id)));
  const address = parsePostgresUrl(url);
  const inTermsOfTarget = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      throw withRights(postgresTargetError(error, address.label));
    }
  };
  // Others see by this connection that the drill is at work. No signal ends it: what was made has to be removed.
  const control = await inTermsOfTarget(() => connectControl(address, { timeoutMs, applicationName: drillName(id) }));
  try {
    await inTermsOfTarget(async () => {
      await removeStale(control, address, timeoutMs);
      await control.work(`CREATE DATABASE ${quoteName(markName(id))} TEMPLATE template0`);
      const mark = quoteText(scratchMark(id, clock.nowMs()));
      await control.run(`COMMENT ON DATABASE ${quoteName(markName(id))} IS ${mark}`);
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
      await inTermsOfTarget(() => control.work(`CREATE DATABASE ${quoteName(scratchName(id))} TEMPLATE template0`)),
    query: async (sql, query) => await queryReadOnly(address, sql, query),
    drop: async () => {
      if (isDropped) return;
      await inTermsOfTarget(() => dropById(address, id, timeoutMs));
      isDropped = true;
      await control.close();
    },
  };
}

/** Making databases is a right of its own. */
function withRights(error: unknown): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'storage.unauthorized') return error;
  const { code, message, context } = error;
  const hint = 'give the account the right CREATEDB, or name another server with drill.url or --to';
  return new HoldfastError(code, { message, context, hint, cause: error });
}

/** By a connection of its own: that of the drill may have broken meanwhile. */
async function dropById(address: PostgresAddress, id: string, timeoutMs: number): Promise<void> {
  const control = await connectControl(address, { timeoutMs, applicationName: drillName(id) });
  try {
    const names = (await listScratches(control)).map(({ name }) => name);
    await dropAll(control, scratchesById(names).get(id) ?? []);
  } finally {
    await control.close();
  }
}

async function dropAll(control: PostgresConnection, names: readonly string[]): Promise<void> {
  const { major } = await readVersion(control);
  for (const name of names) await dropDatabase(control, name, major);
}

async function listScratches(control: PostgresConnection): Promise<{ name: string; comment: unknown }[]> {
  const rows = await control.rows(
    String.raw`SELECT datname AS name, shobj_description(oid, 'pg_database') AS comment FROM pg_database
      WHERE datname LIKE 'holdfast\_drill\_%'`,
  );
  return rows.map((row) => ({ name: String(row['name']), comment: row['comment'] }));
}

/** Removes what drills left that no connection works for: what the mark of one tells to be its own, and a mark's database that was not yet marked. */
async function removeStale(control: PostgresConnection, address: PostgresAddress, timeoutMs: number): Promise<void> {
  const listed = await listScratches(control);
  for (const [id, names] of scratchesById(listed.map(({ name }) => name))) {
    const mark = listed.find(({ name }) => readScratchName(name)?.isMark === true && name === markName(id));
    if (mark === undefined || (await isAtWork(control, id))) continue;
    const isUnmarked = mark.comment === null && names.length === 1;
    const isOurs = isScratchMark(mark.comment, id) || (isUnmarked && (await isEmpty(address, mark.name, timeoutMs)));
    if (!isOurs) continue;
    // Of another account, perhaps, or just removed by another drill: its own next drill removes it.
    await dropAll(control, names).catch((error: unknown) => {
      if (!['42501', '3D000', '55006'].includes(serverFailure(error)?.code ?? '')) throw error;
    });
  }
}

async function isAtWork(control: PostgresConnection, id: string): Promise<boolean> {
  const rows = await control.rows('SELECT 1 FROM pg_stat_activity WHERE application_name = $1', [drillName(id)]);
  return rows.length > 0;
}

async function isEmpty(address: PostgresAddress, database: string, timeoutMs: number): Promise<boolean> {
  const connection = await PostgresConnection.open(address, { timeoutMs, database });
  try {
    return await isEmptyDatabase(connection);
  } finally {
    await connection.close();
  }
}

/** With the settings that an application meets, and no right to write. */
async function queryReadOnly(
  address: PostgresAddress,
  sql: string,
  { timeoutMs, signal }: QueryOptions,
): Promise<readonly (readonly unknown[])[]> {
  try {
    const connection = await PostgresConnection.open(address, { timeoutMs, signal });
    try {
      await connection.run('RESET search_path; SET default_transaction_read_only = on');
      const rows: readonly Row[] | undefined = await connection.rows(sql);
      if (rows === undefined) throw new HoldfastError('usage.invalid', { message: 'a check is one statement' });
      return rows.map((row) => Object.values(row));
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw postgresTargetError(error, address.label);
  }
}
