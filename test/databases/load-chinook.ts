/** The Chinook database, a music shop of 11 tables, where it lies beside the checkout; it is no part of the project. */
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { connectMariadb } from './connect-mariadb.ts';
import { connectPostgres } from './connect-postgres.ts';

const folder = new URL('../../../shared/data/chinook/', import.meta.url);

/** Whether to leave out tests with it, as `node:test` takes it. */
export function chinookLeftOut(): string | false {
  return existsSync(folder) ? false : 'the Chinook database is not beside the checkout';
}

/** The script without what makes and enters a database of its own. */
function scriptOf(name: string): string {
  const text = readFileSync(new URL(name, folder), 'utf8');
  const script = text.replace(/^(DROP DATABASE|CREATE DATABASE|USE|\\c) .*;$/gm, '');
  if (script === text) throw new Error(`${name} is not as expected`);
  return script;
}

/** Fills an empty database. */
export async function loadChinookIntoPostgres(url: string): Promise<void> {
  const client = await connectPostgres(url);
  try {
    await client.query(scriptOf('Chinook_PostgreSql.sql'));
  } finally {
    await client.end();
  }
}

/** Fills an empty database. */
export async function loadChinookIntoMariadb(url: string): Promise<void> {
  const connection = await connectMariadb(url, { script: true });
  try {
    await connection.query(scriptOf('Chinook_MySql.sql'));
  } finally {
    await connection.end();
  }
}

/** Makes a file. */
export function loadChinookIntoSqlite(path: string): void {
  copyFileSync(fileURLToPath(new URL('Chinook_Sqlite.sqlite', folder)), path);
}
