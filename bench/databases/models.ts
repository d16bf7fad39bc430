import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PostgresService, startPostgres } from '../../test/services/start-postgres.ts';
import { type Command, measure } from '../measure.ts';
import { holdfast } from '../programs.ts';
import { type Bench, type Contestant, mebibyte, race, residentMebibytes, seconds, seriesOf } from '../race.ts';
import type { Row } from '../row.ts';
import { shell } from './shell.ts';

const gibibyte = 1_024 * mebibyte;
const wholeRows = 1_000_000;
const wholeFiles = 10_000;
const filesInFolder = 500;
/** Random, so that no codec makes them less. */
const fileBytes = 100_000;
const memoryTarget = { kind: 'at most', bound: 250 } as const;

/** Six tables and six relations between them; attachments name the files. */
export const shopTables = (rows: number, files: number) => `
CREATE TABLE region (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE customer (id bigint PRIMARY KEY, region_id int NOT NULL REFERENCES region, email text UNIQUE, name text, notes jsonb, since timestamptz);
CREATE TABLE product (id bigint PRIMARY KEY, region_id int NOT NULL REFERENCES region, sku text NOT NULL, title text, price numeric(12, 2), weight double precision);
CREATE TABLE invoice (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customer, number text, issued date, paid timestamptz, total numeric(12, 2));
CREATE TABLE line (id bigint PRIMARY KEY, invoice_id bigint NOT NULL REFERENCES invoice, product_id bigint NOT NULL REFERENCES product, quantity int, price numeric(12, 2), note text);
CREATE TABLE attachment (id bigint PRIMARY KEY, invoice_id bigint NOT NULL REFERENCES invoice, path text, digest bytea);
INSERT INTO region SELECT i, 'Region ' || i FROM generate_series(1, 20) i;
INSERT INTO customer SELECT i, 1 + i % 20, 'customer' || i || '@example.org', 'Customer number ' || i,
  jsonb_build_object('tags', ARRAY['t' || i % 7], 'note', md5(i::text)), timestamptz '2024-01-01' + i * interval '1 minute 1.000001 second' FROM generate_series(1, ${Math.ceil(rows / 10)}) i;
INSERT INTO product SELECT i, 1 + i % 20, 'SKU-' || i, 'Product "' || i || '" with a title', i % 977 + 0.99, i / 7.0 FROM generate_series(1, ${Math.ceil(rows / 50)}) i;
INSERT INTO invoice SELECT i, 1 + i % ${Math.ceil(rows / 10)}, 'R-' || i, date '2025-01-01' + i % 365, CASE WHEN i % 3 > 0 THEN timestamptz '2025-01-01' + i * interval '1 second' END, i % 1000 + 0.5
  FROM generate_series(1, ${Math.ceil(rows / 4)}) i;
INSERT INTO line SELECT i, 1 + i % ${Math.ceil(rows / 4)}, 1 + i % ${Math.ceil(rows / 50)}, i % 17, i % 500 + 0.25, 'line ' || i || ': ' || md5(i::text) || E'\\tdelivered to the door' FROM generate_series(1, ${Math.ceil(rows * 0.62)}) i;
INSERT INTO attachment SELECT i, 1 + i % ${Math.ceil(rows / 4)}, i / ${filesInFolder} || '/' || i || '.bin', decode(md5(i::text), 'hex') FROM generate_series(1, ${files}) i;
VACUUM ANALYZE;`;

/** A folder with an application's configuration, its registration, and its files. */
export function makeShop(folder: string, url: string, files: number): void {
  mkdirSync(folder, { recursive: true });
  const config = { databases: [{ alias: 'shop', url, models: {} }], storage: { backend: 'local', path: 'backups' } };
  writeFileSync(join(folder, 'holdfast.config.json'), JSON.stringify(config));
  const index = join(import.meta.dirname, '../../dist/index.js');
  writeFileSync(
    join(folder, 'attachment.backup.ts'),
    `import { defineBackup, filePath } from '${index}';\nexport default defineBackup('attachment', { fields: { path: filePath({ root: 'uploads' }) } });\n`,
  );
  const bytes = randomBytes(fileBytes + files);
  for (let number = 1; number <= files; number += 1) {
    const parent = join(folder, 'uploads', String(Math.floor(number / filesInFolder)));
    if (!existsSync(parent)) mkdirSync(parent, { recursive: true });
    writeFileSync(join(parent, `${number}.bin`), bytes.subarray(number, number + fileBytes));
  }
}

interface Place {
  readonly bench: Bench;
  readonly server: PostgresService;
  readonly folder: string;
}

const inFolder = (command: Command, folder: string): Command => ({ ...command, folder });

async function benchBackup({ bench, server, folder }: Place): Promise<Row[]> {
  const [own, native] = ['models', 'native'].map((name) => join(bench.workFolder, `${name}.holdfast`));
  const contestants: Contestant[] = [
    {
      name: 'holdfast --models',
      prepare: () => rmSync(own ?? '', { force: true }),
      command: inFolder(holdfast('backup', '--models', '--output', own ?? '', '--json'), folder),
    },
    {
      name: 'holdfast, method copy',
      prepare: () => rmSync(native ?? '', { force: true }),
      command: holdfast(
        'backup',
        '--url',
        server.urlOf('shop'),
        '--files',
        join(folder, 'uploads'),
        '--output',
        native ?? '',
        '--json',
      ),
    },
  ];
  return rowsOf('backup', await race(bench, contestants, bench.repetitions), sizeNote(bench, folder));
}

async function benchRestore({ bench, server, folder }: Place): Promise<Row[]> {
  const [own, native] = ['models', 'native'].map((name) => join(bench.workFolder, `${name}.holdfast`));
  const fresh = (name: string) => async () => {
    rmSync(join(bench.workFolder, name), { recursive: true, force: true });
    await measure(
      shell(
        `psql -q -c 'DROP DATABASE IF EXISTS ${name}' -c 'CREATE DATABASE ${name}' postgres`,
        environmentOf(server),
      ),
    );
  };
  const contestants: Contestant[] = [
    {
      name: 'holdfast --models',
      prepare: fresh('again'),
      command: holdfast(
        'restore',
        own ?? '',
        '--to',
        server.urlOf('again'),
        '--create-schema',
        '--files-to',
        join(bench.workFolder, 'again'),
        '--yes',
        '--json',
      ),
    },
    {
      name: 'holdfast, method copy',
      prepare: fresh('copied'),
      command: holdfast(
        'restore',
        native ?? '',
        '--to',
        server.urlOf('copied'),
        '--files-to',
        join(bench.workFolder, 'copied'),
        '--overwrite',
        '--no-undo',
        '--yes',
        '--json',
      ),
    },
  ];
  return rowsOf('restore', await race(bench, contestants, bench.repetitions), sizeNote(bench, folder));
}

function environmentOf({ host, port, user }: PostgresService): Record<string, string> {
  return { PGHOST: host, PGPORT: String(port), PGUSER: user };
}

function sizeNote({ dataSizeBytes }: Bench, folder: string): string {
  const share = dataSizeBytes / gibibyte;
  const files = execFileSync('du', ['-sm', join(folder, 'uploads')], { encoding: 'utf8' }).split('\t')[0];
  return `${Math.round(share * wholeRows).toLocaleString('en')} rows of six tables with six relations, and ${files} MiB in ${Math.round(share * wholeFiles).toLocaleString('en')} files; two connections`;
}

function rowsOf(what: string, results: Awaited<ReturnType<typeof race>>, note: string): Row[] {
  const [own, peers] = seriesOf(results, seconds);
  const [memory] = seriesOf(results, residentMebibytes);
  const target = { kind: 'at most', bound: 2, ratioTo: 'holdfast, method copy' } as const;
  return [
    { id: `models.${what}.time`, title: `Models: ${what}`, unit: 's', own, peers, target, note },
    {
      id: `models.${what}.memory`,
      title: `Models: ${what}, peak resident memory`,
      unit: 'MiB',
      own: memory,
      peers: [],
      target: memoryTarget,
    },
  ];
}

/** Rows with relations, and the files that they own, beside the native method for the same database and folder. */
export async function benchModels(bench: Bench): Promise<Row[]> {
  const share = bench.dataSizeBytes / gibibyte;
  const [rows, files] = [Math.round(wholeRows * share), Math.round(wholeFiles * share)];
  const server = await startPostgres({ durable: true, settings: { max_wal_size: '4GB', checkpoint_timeout: '30min' } });
  try {
    bench.say('making the database and the files');
    const url = await server.createDatabase('shop');
    await measure(
      shell(`psql -q -v ON_ERROR_STOP=1 shop <<'END'\n${shopTables(rows, files)}\nEND`, environmentOf(server)),
    );
    const folder = join(bench.workFolder, 'shop');
    makeShop(folder, url, files);
    const place = { bench, server, folder };
    return [...(await benchBackup(place)), ...(await benchRestore(place))];
  } finally {
    await server.stop();
  }
}
