import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { SeededRandom } from './seeded-random.ts';
import { shopIndexes, shopSchema } from './shop-schema.ts';
import * as words from './words.ts';

/** How many rows the shop has, before the lines of the orders. */
interface ShopSize {
  readonly customers: number;
  readonly products: number;
  readonly orders: number;
  readonly events: number;
}

const firstDayMs = Date.UTC(2022, 0, 1);
const days = 1_400;

function timestamp(random: SeededRandom): string {
  return new Date(firstDayMs + random.integer(days * 86_400) * 1_000).toISOString();
}

function inserter(database: DatabaseSync, table: string, columnCount: number): (...values: SQLInputValue[]) => void {
  const places = Array(columnCount).fill('?').join(', ');
  const statement = database.prepare(`INSERT INTO ${table} VALUES (${places})`);
  return (...values) => void statement.run(...values);
}

function fillCustomers(database: DatabaseSync, random: SeededRandom, size: ShopSize): void {
  const customer = inserter(database, 'customers', 6);
  const address = inserter(database, 'addresses', 6);
  let addressId = 0;
  for (let id = 1; id <= size.customers; id += 1) {
    const name = `${random.pick(words.givenNames)} ${random.pick(words.familyNames)}`;
    const phone = random.chance(0.7) ? `+${random.between(30, 49)} ${random.between(100_000_000, 999_999_999)}` : null;
    customer(
      id,
      name,
      `customer${id}@example.org`,
      phone,
      random.chance(0.1) ? random.pick(words.sentences) : null,
      timestamp(random),
    );
    // Address `id` belongs to customer `id`; further ones follow behind.
    const [city, country] = random.pick(words.cities);
    addressId += 1;
    address(
      addressId,
      id,
      `${random.pick(words.streets)} ${random.between(1, 240)}`,
      `${random.between(10_000, 99_999)}`,
      city,
      country,
    );
  }
  for (let extra = 0; extra < size.customers / 2; extra += 1) {
    const [city, country] = random.pick(words.cities);
    addressId += 1;
    const street = `${random.pick(words.streets)} ${random.between(1, 240)}`;
    address(addressId, random.between(1, size.customers), street, `${random.between(10_000, 99_999)}`, city, country);
  }
}

function fillProducts(database: DatabaseSync, random: SeededRandom, size: ShopSize): number[] {
  const product = inserter(database, 'products', 8);
  const prices: number[] = [];
  for (let id = 1; id <= size.products; id += 1) {
    const sku = `SKU-${String(id).padStart(5, '0')}`;
    const name = `${random.pick(words.adjectives)} ${random.pick(words.materials)} ${random.pick(words.things)}`;
    const description = Array.from({ length: random.between(2, 6) }, () => random.pick(words.sentences)).join(' ');
    const priceCents = random.between(4, 400) * 100 - random.pick([1, 5, 10, 50]);
    prices.push(priceCents);
    const weightKg = random.between(50, 20_000) / 1_000;
    product(
      id,
      sku,
      name,
      description,
      priceCents,
      weightKg,
      random.integer(500),
      id <= 100 ? `products/${sku}.png` : null,
    );
  }
  return prices;
}

function fillOrders(database: DatabaseSync, random: SeededRandom, size: ShopSize, prices: readonly number[]): void {
  const order = inserter(database, 'orders', 6);
  const line = inserter(database, 'order_lines', 5);
  const payment = inserter(database, 'payments', 6);
  const invoice = inserter(database, 'invoices', 6);
  for (let id = 1; id <= size.orders; id += 1) {
    const customerId = random.between(1, size.customers);
    const placedAt = timestamp(random);
    const lines = Array.from(
      { length: random.between(1, 4) },
      () => [random.between(1, prices.length), random.between(1, 3)] as const,
    );
    const totalCents = lines.reduce((sum, [product, quantity]) => sum + (prices[product - 1] ?? 0) * quantity, 0);
    order(
      id,
      customerId,
      customerId,
      placedAt,
      random.pick(['paid', 'shipped', 'delivered', 'delivered', 'returned']),
      totalCents,
    );
    for (const [index, [product, quantity]] of lines.entries()) {
      line(id, index + 1, product, quantity, prices[product - 1] ?? 0);
    }
    payment(id, id, random.pick(['card', 'transfer', 'invoice', 'wallet']), totalCents, placedAt, random.bytes(12));
    const number = `INV-${String(id).padStart(6, '0')}`;
    invoice(
      id,
      id,
      number,
      placedAt.slice(0, 10),
      totalCents,
      id <= 180 ? `invoices/${placedAt.slice(0, 4)}/${number}.pdf` : null,
    );
  }
}

function fillEvents(database: DatabaseSync, random: SeededRandom, size: ShopSize): void {
  const event = inserter(database, 'events', 5);
  for (let id = 1; id <= size.events; id += 1) {
    const kind = random.pick(words.eventKinds);
    const payload = {
      session: random.bytes(8).toString('hex'),
      text: random.pick(words.sentences),
      took: random.integer(900),
    };
    event(
      id,
      timestamp(random),
      random.chance(0.8) ? random.between(1, size.customers) : null,
      kind,
      JSON.stringify(payload),
    );
  }
}

/** Makes the shop's database: about 200,000 rows at `scale` 1, in WAL mode, with part of the rows still in the log. */
export function makeShopDatabase(path: string, random: SeededRandom, scale = 1): DatabaseSync {
  const size: ShopSize = {
    customers: Math.ceil(10_000 * scale),
    products: Math.ceil(1_500 * scale),
    orders: Math.ceil(26_000 * scale),
    events: Math.ceil(56_000 * scale),
  };
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;');
  database.exec(`${shopSchema}BEGIN`);
  fillCustomers(database, random, size);
  fillOrders(database, random, size, fillProducts(database, random, size));
  database.exec(`COMMIT; ${shopIndexes} PRAGMA user_version = 42; PRAGMA wal_checkpoint(TRUNCATE);`);
  // The events stay in the write-ahead log, as in a running shop: a plain copy of the database file would miss them.
  database.exec('PRAGMA wal_autocheckpoint = 0; BEGIN');
  fillEvents(database, random, size);
  database.exec('COMMIT');
  return database;
}
