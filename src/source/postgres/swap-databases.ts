import { HoldfastError } from '../../errors.ts';
import type { PostgresAddress } from './postgres-address.ts';
import { PostgresConnection } from './postgres-connection.ts';
import { serverFailure } from './postgres-error.ts';
import type { SideKind, SideMark } from './side-names.ts';
import { quoteName, quoteText } from './sql-name.ts';

/** Which databases change places. */
export interface SwapOptions {
  readonly control: PostgresConnection;
  readonly address: PostgresAddress;
  /** The one that takes the place. */
  readonly from: string;
  /** The comment that it gets there; that of the one before unless set. */
  readonly comment?: string | null;
  /** What the one that stands there is called from now on; absent where there is none. */
  readonly away?: { readonly name: string; readonly kind: SideKind };
  readonly atMs: number;
  /** Ends the connections of other programs; else they make it fail. */
  readonly isForced: boolean;
  readonly timeoutMs: number;
}

/**
 * Puts a database in the place of another one, by one transaction of the server: at every moment, and after every crash, one of the two stands
 * there. Throws `target.busy` where programs are connected and must not be cut off.
 */
export async function swapDatabases(options: SwapOptions): Promise<void> {
  const { control, address, from, away, atMs } = options;
  const place = address.database;
  const comment = options.comment === undefined ? await commentOf(control, place) : options.comment;
  await control.run('BEGIN');
  try {
    if (away !== undefined) {
      await rename(options, place, away.name);
      const mark: SideMark = { holdfast: away.kind, of: place, atMs, comment: await commentOf(control, away.name) };
      await setComment(control, away.name, JSON.stringify(mark));
    }
    await rename(options, from, place);
    await setComment(control, place, comment);
    await control.run('COMMIT');
  } catch (error) {
    await control.run('ROLLBACK').catch(() => undefined);
    if (serverFailure(error)?.code !== inUse) throw error;
    throw new HoldfastError('target.busy', {
      message: `${address.label} is in use by other programs`,
      hint: 'stop the application before you restore, or allow its connections to be ended with --overwrite',
      cause: error,
    });
  }
}

const inUse = '55006';

async function commentOf(control: PostgresConnection, name: string): Promise<string | null> {
  const query = `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1`;
  const [row] = await control.rows(query, [name]);
  return typeof row?.['comment'] === 'string' ? row['comment'] : null;
}

async function setComment(control: PostgresConnection, name: string, comment: string | null): Promise<void> {
  await control.run(`COMMENT ON DATABASE ${quoteName(name)} IS ${comment === null ? 'NULL' : quoteText(comment)}`);
}

/** The server keeps new connections out as soon as the rename has begun, and waits some seconds for those that there are to end. */
async function rename(options: SwapOptions, from: string, to: string): Promise<void> {
  const { control, address, isForced, timeoutMs } = options;
  const renamed = control.run(`ALTER DATABASE ${quoteName(from)} RENAME TO ${quoteName(to)}`);
  if (!isForced) {
    await renamed;
    return;
  }
  let isDone = false;
  const done = renamed.finally(() => {
    isDone = true;
  });
  done.catch(() => undefined);
  const second = await PostgresConnection.open(address, { timeoutMs, database: maintenanceOf(control) });
  try {
    while (!isDone) await second.rows(`${endOthers} , pg_sleep(0.05)`, [from]);
  } catch (error) {
    // Connections of a user whom we may not end make the rename fail, which tells it.
    if (serverFailure(error)?.code !== '42501') throw error;
  } finally {
    await second.close();
  }
  await done;
}

const endOthers = `SELECT (SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1)`;

function maintenanceOf(control: PostgresConnection): string {
  return control.client.database ?? 'postgres';
}

/** Removes a database and ends its connections; nothing happens where it is not there. */
export async function dropDatabase(control: PostgresConnection, name: string, major: number): Promise<void> {
  if (major < 13) {
    await control.rows('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
    await control.work(`DROP DATABASE IF EXISTS ${quoteName(name)}`);
  } else await control.work(`DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
}
