import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';

/** What is compared: a name and the digest of all that stands behind it. */
export type Fingerprint = ReadonlyMap<string, string>;

/** A value with its type, so that `1`, `1.0`, `'1'` and `x'31'` differ. */
function encodeValue(value: SQLOutputValue): string {
  if (value === null) return 'null';
  if (typeof value === 'bigint') return `integer ${value}`;
  if (typeof value === 'number') return `real ${value}`;
  if (typeof value === 'string') return `text ${JSON.stringify(value)}`;
  return `blob ${Buffer.from(value).toString('hex')}`;
}

function fingerprintTable(database: DatabaseSync, table: string): { digest: string; rowCount: number } {
  const columnCount = database.prepare(`SELECT * FROM "${table}" LIMIT 0`).columns().length;
  const order = Array.from({ length: columnCount }, (_, index) => index + 1).join(', ');
  const statement = database.prepare(`SELECT * FROM "${table}" ORDER BY ${order}`);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  const hash = createHash('sha256');
  let rowCount = 0;
  let pending = '';
  for (const row of statement.iterate() as Iterable<unknown> as Iterable<SQLOutputValue[]>) {
    pending += `${row.map(encodeValue).join(', ')}\n`;
    rowCount += 1;
    if (pending.length > 65_536) {
      hash.update(pending);
      pending = '';
    }
  }
  return { digest: hash.update(pending).digest('hex'), rowCount };
}

/** Every row of every table, the schema, and SQLite's own checks. */
export function fingerprintDatabase(path: string): { fingerprint: Fingerprint; rowCount: number } {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const fingerprint = new Map<string, string>();
    const schema = database.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name').all();
    const pragmas = ['user_version', 'application_id', 'encoding', 'integrity_check', 'foreign_key_check'];
    const checks = pragmas.map((pragma) => database.prepare(`PRAGMA ${pragma}`).all());
    fingerprint.set(
      'schema',
      createHash('sha256')
        .update(JSON.stringify([schema, checks]))
        .digest('hex'),
    );
    let rowCount = 0;
    for (const { type, name } of schema) {
      if (type !== 'table') continue;
      const table = fingerprintTable(database, String(name));
      fingerprint.set(`table ${String(name)}`, `${table.digest} (${table.rowCount} rows)`);
      rowCount += table.rowCount;
    }
    return { fingerprint, rowCount };
  } finally {
    database.close();
  }
}

async function hashFile(path: Buffer): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part as Uint8Array);
  return hash.digest('hex');
}

/**
 * Every file, folder and link under `root`: kind, mode, time of change, and contents. Names are compared byte by byte, times to the
 * microsecond: Node sets them from a double, which has steps of 0.24 µs.
 */
export async function fingerprintTree(root: string): Promise<Fingerprint> {
  const fingerprint = new Map<string, string>();
  const open: Buffer[] = [Buffer.from(root)];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const name = `file ${path.subarray(Buffer.byteLength(root)).toString('latin1')}`;
    const { mode, mtimeNs } = lstatSync(path, { bigint: true });
    const type = Number(mode) & 0o170000;
    let contents = '';
    if (type === 0o040000) {
      for (const child of readdirSync(path, { encoding: 'buffer' }))
        open.push(Buffer.concat([path, Buffer.from('/'), child]));
    } else if (type === 0o120000) {
      contents = readlinkSync(path, { encoding: 'buffer' }).toString('hex');
    } else {
      contents = await hashFile(path);
    }
    fingerprint.set(name, `${mode.toString(8)} ${(mtimeNs + 500n) / 1_000n} ${contents}`);
  }
  return fingerprint;
}

/** Names that are in one only, or differ. */
export function differences(before: Fingerprint, after: Fingerprint): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => before.get(name) !== after.get(name)).sort();
}
