import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SeededRandom } from './seeded-random.ts';
import { makeShopDatabase } from './shop-database.ts';
import { makeShopUploads } from './shop-uploads.ts';

/** A web shop on disk. Its database is open, as a running application's is; `close` ends that. */
export interface Shop {
  readonly databasePath: string;
  readonly uploadsPath: string;
  readonly rowCount: number;
  readonly fileCount: number;
  close(): void;
}

/** Names of the shop's tables. */
export const shopTables = [
  'customers',
  'addresses',
  'products',
  'orders',
  'order_lines',
  'payments',
  'invoices',
  'events',
] as const;

/** Makes a web shop in `folder`: `shop.db` and `uploads/`. The same seed gives the same rows and files. */
export function makeShop({ folder, seed, scale = 1 }: { folder: string; seed: string; scale?: number }): Shop {
  mkdirSync(folder, { recursive: true });
  const databasePath = join(folder, 'shop.db');
  const uploadsPath = join(folder, 'uploads');
  const database = makeShopDatabase(databasePath, new SeededRandom(`${seed} database`), scale);
  const fileCount = makeShopUploads(uploadsPath, new SeededRandom(`${seed} uploads`), database, scale);
  let rowCount = 0;
  for (const table of shopTables) {
    rowCount += Number(database.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.['rows']);
  }
  return { databasePath, uploadsPath, rowCount, fileCount, close: () => database.close() };
}
