import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { drizzle, type SqliteRemoteDatabase } from 'drizzle-orm/sqlite-proxy';
import { migrate } from 'drizzle-orm/sqlite-proxy/migrator';
import * as schema from './schema.ts';

/** The shop's database, open. */
export interface Shop {
  readonly database: SqliteRemoteDatabase<typeof schema>;
  close(): void;
}

/** Opens `shop.db` in a folder, and makes its tables where there are none. */
export async function openShop(folder: string): Promise<Shop> {
  const file = new DatabaseSync(join(folder, 'shop.db'));
  const database = drizzle(
    async (statement, parameters, method) => {
      const prepared = file.prepare(statement);
      prepared.setReturnArrays(true);
      const rows = method === 'run' ? [prepared.run(...parameters)] : prepared.all(...parameters);
      return { rows: (method === 'get' ? rows[0] : rows) as unknown[] };
    },
    { schema },
  );
  const migrationsFolder = join(import.meta.dirname, '../migrations');
  await migrate(database, async (statements) => statements.forEach((statement) => void file.exec(statement)), {
    migrationsFolder,
  });
  return { database, close: () => file.close() };
}
