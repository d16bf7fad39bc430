import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient, sql } from 'kysely';
import type { Pool, PoolClient, PoolConfig } from 'pg';
import { systemWait, type Wait } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { readPasswordFile } from '../source/postgres/password-file.ts';
import { type PostgresAddress, parsePostgresUrl } from '../source/postgres/postgres-address.ts';
import { isLost, type ServerFailure, serverFailure } from '../source/postgres/postgres-error.ts';
import { tlsOptions } from '../source/postgres/tls-options.ts';
import { type HistoryTables, type MigrationGuard, migrate } from './history-schema.ts';
import type { HistoryStore } from './history-store.ts';

/** Where the tables are unless it is said. */
export const defaultSchema = 'holdfast';
/** How long the server is waited for to let somebody in. */
const connectTimeoutMs = 10_000;
/** How long an answer is waited for; statements are of one run each, or read all runs. */
const queryTimeoutMs = 30_000;
/** One process writes a little at a time. */
const connectionCount = 4;
/** A server that restarts is back within seconds: it is asked again after so long each. */
const pausesMs = [300, 1_000, 3_000] as const;

/** How {@link openPostgres} opens a history. */
export interface OpenPostgresOptions {
  readonly url: Secret;
  /** `holdfast` unless set. It is made where it is missing and the role may. */
  readonly schema?: string;
  readonly wait?: Wait;
}

/**
 * Opens a history in PostgreSQL. Where the tables are of the present version nothing is made, and a role that may read and write rows is
 * enough. Throws `history.unavailable`, and `usage.invalid` for a URL that is not valid.
 */
export async function openPostgres(options: OpenPostgresOptions): Promise<HistoryStore> {
  const { url, schema = defaultSchema, wait = systemWait } = options;
  const address = parsePostgresUrl(url);
  const attempt = async <Value>(work: () => Promise<Value>): Promise<Value> =>
    await untilAnswered(work, address.label, wait);
  const pool = await attempt(() => openPool(address));
  const database = new Kysely<HistoryTables>({ dialect: new PostgresDialect({ pool: asKyselyPool(pool) }) }).withSchema(
    schema,
  );
  try {
    await attempt(() => migrate(database, migrationGuard(database, schema)));
  } catch (error) {
    await database.destroy();
    throw error;
  }
  return {
    database,
    schema,
    // Machines may disagree on the time: leases go by the clock that all of them see.
    leaseNowMs: () => sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`,
    attempt,
  };
}

/** What is lost and comes back is asked again. Every statement of a history may be repeated. */
async function untilAnswered<Value>(work: () => Promise<Value>, label: string, wait: Wait): Promise<Value> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof HoldfastError) throw cause;
      const failure = serverFailure(cause);
      const pauseMs = pausesMs[tries];
      // Who waited for an answer in vain has waited long enough.
      const isWorthIt = failure !== undefined && isLost(failure) && !/time.?(d )?out/i.test(failure.message);
      if (!isWorthIt || pauseMs === undefined) throw unavailable(label, failure, cause);
      await wait(pauseMs);
    }
  }
}

function unavailable(label: string, failure: ServerFailure | undefined, cause: unknown): HoldfastError {
  const { code = '', message = cause instanceof Error ? cause.message : String(cause) } = failure ?? {};
  const isRefused = code.startsWith('28') || code === '42501';
  return new HoldfastError('history.unavailable', {
    message: `the history ${label} cannot be used: ${message || code}`,
    hint: isRefused
      ? 'the role needs to log in, and SELECT, INSERT, UPDATE and DELETE on the tables of the history; the first time CREATE on the database'
      : 'check that the server runs and can be reached; no archive is lost with the history, and `holdfast rebuild` makes a new one',
    context: { server: label, error: code },
    cause,
  });
}

async function openPool(address: PostgresAddress): Promise<Pool> {
  const ssl = await tlsOptions(address);
  try {
    return await tryPool(address, ssl);
  } catch (error) {
    const isPlainOnly = error instanceof Error && error.message.includes('does not support SSL');
    if (address.sslMode !== 'prefer' || !isPlainOnly) throw error;
    return await tryPool(address, undefined);
  }
}

/** A pool that was seen to connect. */
async function tryPool(address: PostgresAddress, ssl: PoolConfig['ssl']): Promise<Pool> {
  const { default: pg } = await import('pg');
  const secret = address.password ?? (await readPasswordFile(address, address.database));
  const pool = new pg.Pool({
    host: address.host,
    port: address.port,
    user: address.user,
    database: address.database,
    // An empty one keeps the library from looking for others by itself.
    password: secret?.reveal() ?? '',
    ssl: ssl ?? false,
    application_name: 'holdfast history',
    max: connectionCount,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
  });
  // A connection that breaks while nobody uses it is replaced by the next one.
  pool.on('error', () => undefined);
  try {
    (await pool.connect()).release();
    return pool;
  } catch (error) {
    await pool.end();
    throw error;
  }
}

/** A connection that was lost, or whose answer nobody waits for any more, is not used again. */
function asKyselyPool(pool: Pool): PostgresPool {
  return {
    connect: async () => withoutBroken(await pool.connect()),
    end: () => pool.end(),
  };
}

function withoutBroken(client: PoolClient): PostgresPoolClient {
  let isBroken = false;
  // Kysely's type has an overload for cursors, which are not asked for.
  const query = async (text: unknown, parameters: readonly unknown[] = []): Promise<never> => {
    try {
      return (await client.query(String(text), [...parameters])) as never;
    } catch (error) {
      const failure = serverFailure(error);
      isBroken ||= failure === undefined || isLost(failure);
      throw error;
    }
  };
  return { query: query as unknown as PostgresPoolClient['query'], release: () => client.release(isBroken) };
}

/** One process of all machines changes the tables, the others wait for it. */
function migrationGuard(database: Kysely<HistoryTables>, schema: string): MigrationGuard {
  return {
    hasTables: async () => {
      const found =
        await sql`SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ${schema} AND c.relname = 'schema_version'`.execute(database);
      return found.rows.length > 0;
    },
    alone: async (work) =>
      await database.transaction().execute(async (transaction) => {
        await sql`SELECT pg_advisory_xact_lock(hashtext('holdfast history'), hashtext(${schema}))`.execute(transaction);
        const found = await sql`SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ${schema}`.execute(transaction);
        // Asked first: the statement needs a right on the database even where the schema is there.
        if (found.rows.length === 0) await sql`CREATE SCHEMA ${sql.id(schema)}`.execute(transaction);
        await work(transaction);
      }),
  };
}
