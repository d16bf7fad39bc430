import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { Kysely, type SqliteDatabase, SqliteDialect, sql } from 'kysely';
import { makeStateFolder } from '../disk/state-folder.ts';
import { HoldfastError } from '../errors.ts';
import { type HistoryTables, type MigrationGuard, migrate } from './history-schema.ts';
import type { HistoryStore } from './history-store.ts';

/** How long another process is waited for that writes. */
const busyTimeoutMs = 10_000;

/** The database of Node as Kysely's dialect wants it. */
function asKyselyDatabase(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare: (text) => {
      const statement = database.prepare(text);
      const values = (parameters: ReadonlyArray<unknown>) => parameters as SQLInputValue[];
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...values(parameters)),
        run: (parameters) => statement.run(...values(parameters)),
        iterate: (parameters) => statement.iterate(...values(parameters)),
      };
    },
  };
}

/** One process changes the tables, the others wait: the lock of a writer is taken before anything is read. */
function migrationGuard(file: DatabaseSync, database: Kysely<HistoryTables>): MigrationGuard {
  return {
    hasTables: async () =>
      file.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'").get() !== undefined,
    alone: async (work) =>
      await database.connection().execute(async (connection) => {
        await sql`BEGIN IMMEDIATE`.execute(connection);
        try {
          await work(connection);
          await sql`COMMIT`.execute(connection);
        } catch (error) {
          // A full disk may have rolled it back already.
          if (file.isTransaction) await sql`ROLLBACK`.execute(connection);
          throw error;
        }
      }),
  };
}

/** Opens the file, which is made where it is missing, private to its owner. Throws `history.unavailable`. */
export async function openSqlite(path: string): Promise<HistoryStore> {
  let opened: Kysely<HistoryTables> | undefined;
  const attempt = async <Value>(work: () => Promise<Value>): Promise<Value> => {
    try {
      return await work();
    } catch (cause) {
      throw cause instanceof HoldfastError ? cause : unavailable(path, cause);
    }
  };
  try {
    await makeStateFolder(dirname(path));
    // Also in a folder that others may read. What SQLite puts beside it has the same mode.
    if (path !== ':memory:') await (await open(path, 'a', 0o600)).close();
    const file = new DatabaseSync(path, { timeout: busyTimeoutMs });
    const database = new Kysely<HistoryTables>({ dialect: new SqliteDialect({ database: asKyselyDatabase(file) }) });
    opened = database;
    // With a write-ahead log those who read and the one who writes do not wait for one another.
    file.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
    await migrate(database, migrationGuard(file, database));
    return { database, leaseNowMs: (nowMs) => sql<number>`${nowMs}`, attempt };
  } catch (cause) {
    await opened?.destroy();
    throw unavailable(path, cause);
  }
}

/** The error for a file that cannot be used. */
export function unavailable(path: string, cause: unknown): HoldfastError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new HoldfastError('history.unavailable', {
    message: `the history ${path} cannot be used: ${reason}`,
    context: { path },
    cause,
  });
}
