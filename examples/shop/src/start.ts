/** `node src/start.ts [folder]` makes the shop in a folder: this one unless one is named. */
import { isNull } from 'drizzle-orm';
import { fillShop } from './fill-shop.ts';
import { openShop } from './open-shop.ts';
import { customers } from './schema.ts';

const folder = process.argv[2] ?? '.';
const shop = await openShop(folder);
if ((await shop.database.select().from(customers)).length === 0) await fillShop(folder, shop);
const shown = await shop.database.select().from(customers).where(isNull(customers.deletedAt));
console.log(`${shown.length} customers: ${shown.map(({ fullName }) => fullName).join(', ')}`);
shop.close();
