import { readFileSync } from 'node:fs';
import type mysql from 'mysql2/promise';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { connectMariadb } from './connect-mariadb.ts';
import { mariadbValues } from './mariadb-values.ts';

/** How much is made. */
export interface MakeMariadbOptions {
  /** 1 unless set; the same seed makes the same rows. */
  readonly seed?: number;
  /** Rows of the tables that may grow; 100 unless set. */
  readonly rows?: number;
  /** Bytes of the largest blob; 5 MB unless set. */
  readonly blobSizeBytes?: number;
  /** Also what `mariadb-dump` with the client `mariadb` does not bring back as it was; false unless set. */
  readonly beyondTheTool?: boolean;
}

/** The types, as columns of one table. */
const columns = Object.entries(mariadbValues).map(([type, values], index) => ({ name: `c${index}`, type, values }));

/** One row of every type: each value has its turn, then any of them or NULL. */
function everyTypeRow(row: number, random: SeededRandom): string {
  const turns = Math.max(...columns.map(({ values }) => values.length));
  const values = columns.map(({ values: known }) => {
    if (row < turns) return known[row % known.length] ?? 'NULL';
    return random.integer(8) === 0 ? 'NULL' : (known[random.integer(known.length)] ?? 'NULL');
  });
  return `(${[row, ...values].join(', ')})`;
}

async function fillEveryType(connection: mysql.Connection, rows: number, random: SeededRandom): Promise<void> {
  const definitions = columns.map(({ name, type }) => `${name} ${type}`).join(', ');
  await connection.query(`CREATE TABLE every_type (id bigint PRIMARY KEY, ${definitions})`);
  for (let row = 0; row < rows; row += 20) {
    const batch = Array.from({ length: Math.min(20, rows - row) }, (_, index) => everyTypeRow(row + index, random));
    await connection.query(`INSERT INTO every_type VALUES ${batch.join(', ')}`);
  }
  await connection.query(`INSERT INTO every_type (id) VALUES (${rows})`);
}

async function fillRelations(connection: mysql.Connection, rows: number, random: SeededRandom): Promise<void> {
  const shift = random.integer(1000);
  const days = `date '2018-01-01' + INTERVAL (seq * 37 + ${shift}) % 1500 DAY`;
  await connection.query(`INSERT INTO by_range SELECT seq, ${days} FROM seq_1_to_${rows * 10}`);
}

async function fillBlobs(connection: mysql.Connection, sizeBytes: number, random: SeededRandom): Promise<void> {
  await connection.query('CREATE TABLE large_value (id int PRIMARY KEY, bytes longblob, text longtext)');
  for (const [id, size] of [0, 65_536, sizeBytes].entries()) {
    const bytes = Buffer.from(random.bytes(size));
    await connection.execute('INSERT INTO large_value VALUES (?, ?, ?)', [
      id,
      bytes,
      bytes.toString('base64').slice(0, size / 4),
    ]);
  }
}

async function runScript(connection: mysql.Connection, name: string): Promise<void> {
  const text = readFileSync(new URL(`mariadb/${name}.sql`, import.meta.url), 'utf8');
  for (const statement of text.split('\n--;;\n')) await connection.query(statement);
}

/**
 * Fills an empty database with every type and every kind of object that a backup has to bring back. Its user is `root`. It takes
 * about a second.
 */
export async function makeMariadb(url: string, options: MakeMariadbOptions = {}): Promise<void> {
  const { seed = 1, rows = 100, blobSizeBytes = 5_000_000 } = options;
  const random = new SeededRandom(seed);
  const connection = await connectMariadb(url);
  try {
    // Zero dates, years and enums are what old applications have.
    await connection.query("SET sql_mode = 'NO_ENGINE_SUBSTITUTION', GLOBAL log_bin_trust_function_creators = 1");
    await fillEveryType(connection, rows, random);
    await connection.query('SET sql_mode = DEFAULT');
    for (const name of ['relations', 'names', 'code']) await runScript(connection, name);
    if (options.beyondTheTool === true) await runScript(connection, 'beyond-the-tool');
    await fillRelations(connection, rows, random);
    await fillBlobs(connection, blobSizeBytes, random);
  } finally {
    await connection.end();
  }
}
