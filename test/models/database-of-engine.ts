/** A statement or a script in a database of any engine. */
import { DatabaseSync } from 'node:sqlite';
import { connectMariadb } from '../databases/connect-mariadb.ts';
import { connectPostgres } from '../databases/connect-postgres.ts';

/** Gives the rows of a query; in SQLite, of one that begins with SELECT. */
export async function runSql(url: string, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  if (url.startsWith('postgres:')) {
    const client = await connectPostgres(url);
    try {
      const result = (await client.query(sql)) as { rows?: Record<string, unknown>[] };
      return result.rows ?? [];
    } finally {
      await client.end();
    }
  }
  if (url.startsWith('sqlite:')) {
    using database = new DatabaseSync(url.slice('sqlite:'.length));
    if (/^\s*SELECT/.test(sql)) return database.prepare(sql).all();
    database.exec(sql);
    return [];
  }
  const connection = await connectMariadb(url, { script: true });
  try {
    const [rows] = await connection.query(sql);
    return rows as Record<string, unknown>[];
  } finally {
    await connection.end();
  }
}
