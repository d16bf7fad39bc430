import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { connectPostgres } from './connect-postgres.ts';
import { postgresValues, randomText } from './postgres-values.ts';

/** How much is made. */
export interface MakeOptions {
  /** 1 unless set; the same seed makes the same rows. */
  readonly seed?: number;
  /** Rows of the tables that may grow; 100 unless set. */
  readonly rows?: number;
}

/** The types, as columns of one table. */
const columns = Object.entries(postgresValues).map(([type, values], index) => ({ name: `c${index}`, type, values }));

/** One row of every type: each value has its turn, then any of them; `undefined` is NULL. */
function everyTypeRow(row: number, random: SeededRandom): (string | null)[] {
  const turns = Math.max(...columns.map(({ values }) => values.length));
  return columns.map(({ type, values }) => {
    if (row < turns) return values[row % values.length] ?? null;
    if (random.integer(8) === 0) return null;
    if (type === 'text') return randomText(random, random.integer(200));
    return values[random.integer(values.length)] ?? null;
  });
}

async function fillEveryType(client: pg.Client, rows: number, random: SeededRandom): Promise<void> {
  const definitions = columns.map(({ name, type }) => `${name} ${type}`).join(', ');
  await client.query(`CREATE SCHEMA types; CREATE TABLE types.every_type (id bigint PRIMARY KEY, ${definitions})`);
  const places = columns.map((_, index) => `$${index + 2}`).join(', ');
  const insert = { name: 'every-type', text: `INSERT INTO types.every_type VALUES ($1, ${places})` };
  for (let row = 0; row < rows; row += 1) {
    await client.query({ ...insert, values: [row, ...everyTypeRow(row, random)] });
  }
  await client.query('INSERT INTO types.every_type (id) VALUES ($1)', [rows]);
}

async function fillRelations(client: pg.Client, rows: number, random: SeededRandom): Promise<void> {
  const seed = random.integer(1_000_000);
  await client.query(
    `INSERT INTO shop.sale SELECT n, (ARRAY['north', 'far "north"', 'south', 'west', ''])[1 + (n * 7 + $1) % 5],
       date '2018-01-01' + ((n * 37 + $1) % 1500)::integer, (n * 7919 + $1) % 100000 / 100.0, md5((n + $1)::text)
     FROM generate_series(1, $2::bigint) n`,
    [seed, rows * 10],
  );
  await client.query("INSERT INTO shop.visit SELECT n, '/page/' || n % 17 FROM generate_series(1, $1) n", [rows * 10]);
  const values = [
    ['compressible', 'a'.repeat(100_000)],
    ['not so', Buffer.from(random.bytes(200_000)).toString('base64')],
    ['awkward', randomText(random, 50_000)],
  ] as const;
  for (const [index, [plain, outside]] of values.entries()) {
    const bytes = Buffer.from(random.bytes(150_000 * index));
    await client.query('INSERT INTO shop.large_value VALUES ($1, $2, $3, $4)', [
      index,
      plain + outside,
      outside,
      bytes,
    ]);
  }
  await client.query('UPDATE shop.sale SET note = NULL WHERE id % 10 = 0; DELETE FROM shop.sale WHERE id % 13 = 0');
}

function script(name: string): string {
  return readFileSync(new URL(`postgres/${name}.sql`, import.meta.url), 'utf8');
}

/**
 * Fills an empty database with every type and every kind of object that a backup has to bring back. Its user is a superuser. It
 * takes about half a second.
 */
export async function makePostgres(url: string, { seed = 1, rows = 100 }: MakeOptions = {}): Promise<void> {
  const random = new SeededRandom(seed);
  const client = await connectPostgres(url);
  try {
    await client.query("SET timezone = 'UTC'; SET lc_monetary = 'C'");
    await client.query(script('relations'));
    await client.query(script('code'));
    await client.query(script('names'));
    await client.query(script('extensions'));
    await fillRelations(client, rows, random);
    await fillEveryType(client, rows, random);
    // Grants and triggers of events last: they see what is there.
    await client.query(script('server'));
  } finally {
    await client.end();
  }
}
