import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import type { PostgresService } from '../../test/services/start-postgres.ts';
import { makeData, removeData } from '../make-data.ts';

/** Something to back up, of so many units, and where it comes back. */
export interface ScalingCase {
  readonly name: string;
  /** What grows: bytes, files or tables. Cases of one group are compared by it. */
  readonly units: number;
  readonly group: string;
  /** Of the processors this one alone, by its number; all of them where it is left out. */
  readonly onProcessor?: number;
  /** What the archive and what is restored take, besides the data themselves. */
  readonly diskBytes: number;
  /** Makes the data; gives how they are named, and where they go, on the command line. */
  prepare(folder: string): Promise<{ readonly from: readonly string[]; readonly to: readonly string[] }>;
  /** Takes away what was made and restored. */
  clear(folder: string): Promise<void>;
}

/** How large it all is. */
export interface ScalingSize {
  readonly sizeBytes: number;
  /** The largest tree is so many times that large. */
  readonly timesLarger: number;
  readonly files: number;
  readonly tables: number;
}

const filesInFolder = 250;
const rowsInTable = 10;
/** The smaller case of files and tables. */
const part = 10;

/** Larger data are not kept for the next run. */
const keptBytes = 2 ** 30;

function bytesCase(sizeBytes: number, group: string, onProcessor?: number): ScalingCase {
  const restored = (folder: string) => join(folder, 'restored');
  const size = sizeBytes >= 2 ** 30 ? `${sizeBytes / 2 ** 30} GiB` : `${sizeBytes / 2 ** 20} MiB`;
  return {
    name: onProcessor === undefined ? size : `${size}, one processor`,
    units: sizeBytes,
    group,
    ...(onProcessor === undefined ? {} : { onProcessor }),
    diskBytes: sizeBytes * 4.2,
    async prepare(folder) {
      return { from: ['--files', makeData(folder, sizeBytes)], to: ['--files-to', restored(folder)] };
    },
    async clear(folder) {
      rmSync(restored(folder), { recursive: true, force: true });
      if (sizeBytes > keptBytes) removeData(folder, sizeBytes);
    },
  };
}

/** Trees of files of 0 to 4 KiB. */
function filesCase(count: number): ScalingCase {
  const tree = (folder: string) => join(folder, 'small');
  const restored = (folder: string) => join(folder, 'restored');
  return {
    name: `${count.toLocaleString('en')} small files`,
    units: count,
    group: 'files',
    diskBytes: count * 20_000,
    async prepare(folder) {
      const noise = Buffer.alloc(4096, 'what a small file holds, again and again; ');
      for (let index = 0; index < count; index++) {
        const parent = join(tree(folder), String(Math.floor(index / filesInFolder)));
        if (index % filesInFolder === 0) mkdirSync(parent, { recursive: true });
        noise.writeUInt32LE(index);
        writeFileSync(join(parent, `${index}.txt`), noise.subarray(0, (index * 37) % 4097));
      }
      return { from: ['--files', tree(folder)], to: ['--files-to', restored(folder)] };
    },
    async clear(folder) {
      for (const path of [tree(folder), restored(folder)]) rmSync(path, { recursive: true, force: true });
    },
  };
}

const tableOf = (index: number) =>
  `CREATE TABLE item_${index} (id integer PRIMARY KEY, name text NOT NULL, price integer)`;
const rowsOf = (index: number) => {
  const rows = Array.from({ length: rowsInTable }, (_, row) => `(${row}, 'item ${index} ${row}', ${row * 100})`);
  return `INSERT INTO item_${index} VALUES ${rows.join(', ')}`;
};

function sqliteCase(count: number): ScalingCase {
  const paths = (folder: string) => ['tables.db', 'tables.restored.db'].map((name) => join(folder, name));
  return {
    name: `SQLite, ${count.toLocaleString('en')} tables`,
    units: count,
    group: 'SQLite',
    diskBytes: count * 50_000,
    async prepare(folder) {
      const [from = '', to = ''] = paths(folder);
      const database = new DatabaseSync(from);
      database.exec('BEGIN');
      for (let index = 0; index < count; index++) database.exec(`${tableOf(index)}; ${rowsOf(index)}`);
      database.exec('COMMIT');
      database.close();
      return { from: ['--url', `shop=sqlite:${from}`], to: ['--to', `shop=sqlite:${to}`] };
    },
    async clear(folder) {
      for (const path of paths(folder)) rmSync(path, { force: true });
    },
  };
}

function postgresCase(server: PostgresService, count: number): ScalingCase {
  const names = [`tables_${count}`, `restored_${count}`] as const;
  return {
    name: `PostgreSQL, ${count.toLocaleString('en')} tables`,
    units: count,
    group: 'PostgreSQL',
    diskBytes: count * 100_000,
    async prepare() {
      const [from, to] = await Promise.all(names.map((name) => server.createDatabase(name)));
      const client = new pg.Client({ connectionString: from });
      await client.connect();
      // In parts: each table takes a lock until its transaction ends.
      for (let first = 0; first < count; first += 500) {
        const indexes = Array.from({ length: Math.min(500, count - first) }, (_, index) => first + index);
        await client.query(indexes.map((index) => `${tableOf(index)}; ${rowsOf(index)};`).join('\n'));
      }
      await client.end();
      return { from: ['--url', `shop=${from}`], to: ['--to', `shop=${to}`] };
    },
    // They go with the server: to drop thousands of tables takes longer than to back them up.
    async clear() {},
  };
}

/** What is measured, in order; the smaller case of a group comes first. */
export function scalingCases(size: ScalingSize, server: PostgresService | undefined): ScalingCase[] {
  const { sizeBytes, timesLarger, files, tables } = size;
  return [
    bytesCase(sizeBytes, 'processors', 0),
    bytesCase(sizeBytes, 'size'),
    bytesCase(sizeBytes * timesLarger, 'size'),
    ...[files / part, files].map((count) => filesCase(count)),
    ...[tables / part, tables].map((count) => sqliteCase(count)),
    ...(server === undefined ? [] : [tables / part, tables].map((count) => postgresCase(server, count))),
  ];
}
