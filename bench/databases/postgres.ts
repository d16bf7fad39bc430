import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type PostgresService, startPostgres } from '../../test/services/start-postgres.ts';
import { measure } from '../measure.ts';
import { holdfast } from '../programs.ts';
import { type Bench, type Contestant, mebibyte, race, residentMebibytes, seconds, seriesOf } from '../race.ts';
import type { Row } from '../row.ts';
import { shell } from './shell.ts';

const gibibyte = 1_024 * mebibyte;
const wholeScale = 50;
const wholeDocuments = 500_000;
const memoryTarget = { kind: 'at most', bound: 250 } as const;

/** Wide text, jsonb and bytea; tables that refer to each other; one of about 1 % of all. */
export const mixedTables = (documents: number) => `
CREATE TABLE document (id bigint PRIMARY KEY, title text NOT NULL, body text, attributes jsonb, content bytea, made timestamptz);
INSERT INTO document SELECT i, 'Document number ' || i,
  (SELECT string_agg((ARRAY['the','invoice','of','customer','was','paid','after','reminder','delivery','address','changed','product',
    'returned','order','number','warehouse'])[1 + (hashint8(i * 37 + k) & 15)]
    || CASE WHEN (hashint8(i + k) & 7) = 0 THEN ' ' || abs(hashint8(i * k)) ELSE '' END, ' ') FROM generate_series(1, 120) k),
  jsonb_build_object('author', 'author ' || i % 1000, 'tags', ARRAY['t' || i % 7, 'u' || i % 13], 'nested', jsonb_build_object('a', i, 'b', md5(i::text))),
  decode((SELECT string_agg(md5((i * 97 + k)::text), '') FROM generate_series(1, 16) k), 'hex'), timestamptz '2026-01-01' - i * interval '1 minute'
FROM generate_series(1, ${documents}) i;
CREATE INDEX ON document (title);
CREATE INDEX ON document USING gin (attributes jsonb_path_ops);
CREATE TABLE line (id bigint PRIMARY KEY, document_id bigint NOT NULL REFERENCES document, quantity int, price numeric(12, 2), note text);
INSERT INTO line SELECT i, 1 + abs(hashint8(i) % ${documents}), i % 17, (hashint8(i * 3) & 65535) / 100.0, 'line ' || i FROM generate_series(1, ${documents * 3}) i;
CREATE INDEX ON line (document_id);
CREATE TABLE small AS SELECT i AS id, md5(i::text) || md5((i + 1)::text) AS note FROM generate_series(1, ${documents / 4}) i;
ALTER TABLE small ADD PRIMARY KEY (id);
VACUUM ANALYZE;`;

/** A server that waits for the disk, and lets checkpoints not come in between. */
async function withServer<Result>(work: (server: PostgresService) => Promise<Result>): Promise<Result> {
  const server = await startPostgres({ durable: true, settings: { max_wal_size: '4GB', checkpoint_timeout: '30min' } });
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

function environmentOf({ host, port, user }: PostgresService): Record<string, string> {
  return { PGHOST: host, PGPORT: String(port), PGUSER: user };
}

async function fill(server: PostgresService, database: string, line: string): Promise<void> {
  await server.createDatabase(database);
  await measure(shell(line, environmentOf(server)));
  await measure(shell(`psql -q -c CHECKPOINT ${database}`, environmentOf(server)));
}

async function sizeOf(server: PostgresService, database: string): Promise<number> {
  const query = `SELECT pg_database_size('${database}')`;
  const { stdout } = await measure(shell(`psql -At -c "${query}" ${database}`, environmentOf(server)));
  return Number(stdout) / mebibyte;
}

interface Place {
  readonly bench: Bench;
  readonly server: PostgresService;
  readonly database: string;
  readonly title: string;
}

/** Paths of what the programs write of one database. */
function outputs({ bench, database }: Place) {
  const path = (suffix: string) => join(bench.workFolder, `${database}.${suffix}`);
  return { archive: path('holdfast'), dump: path('dump'), sealed: path('sql.zst.gpg') };
}

async function benchBackup(place: Place): Promise<Row[]> {
  const { bench, server, database, title } = place;
  const { archive, dump, sealed } = outputs(place);
  const environment = environmentOf(server);
  const seal = "gpg --batch --yes --pinentry-mode loopback --passphrase 'correct horse' -c";
  const contestants: Contestant[] = [
    {
      name: 'holdfast',
      prepare: () => rmSync(archive, { force: true }),
      command: holdfast('backup', '--url', server.urlOf(database), '--output', archive, '--json'),
    },
    { name: 'pg_dump -Fc', command: shell(`pg_dump -Fc -f '${dump}' ${database}`, environment) },
    {
      name: 'pg_dump | zstd | gpg',
      command: shell(`pg_dump ${database} | zstd -3 -T2 -q | ${seal} -o '${sealed}'`, environment),
    },
  ];
  const results = await race(bench, contestants, bench.repetitions);
  const [own, peers] = seriesOf(results, seconds);
  const [memory] = seriesOf(results, residentMebibytes);
  const sizes = [archive, dump, sealed].map((path) => statSync(path).size / mebibyte);
  const sizeRow = contestants.map(({ name }, index) => ({ name, values: [sizes[index] ?? 0] }));
  const [ownSize = { name: '', values: [] }, ...peerSizes] = sizeRow;
  const note = `${Math.round(await sizeOf(server, database))} MiB on the server's disk; two connections; encrypted, two copies, parity, all of it read back`;
  const ratio = (ratioTo: string, bound: number) => ({ kind: 'at most', bound, ratioTo }) as const;
  return [
    {
      id: `${database}.backup.time`,
      title: `${title}: backup`,
      unit: 's',
      own,
      peers,
      target: ratio('pg_dump -Fc', 1),
      note,
    },
    {
      id: `${database}.backup.sealed`,
      title: `${title}: backup, beside what is encrypted too`,
      unit: 's',
      own,
      peers: peers.filter(({ name }) => name.endsWith('gpg')),
      target: ratio('pg_dump | zstd | gpg', 1.1),
    },
    {
      id: `${database}.backup.memory`,
      title: `${title}: backup, peak resident memory`,
      unit: 'MiB',
      own: memory,
      peers: [],
      target: memoryTarget,
    },
    {
      id: `${database}.backup.size`,
      title: `${title}: size of what was written`,
      unit: 'MiB',
      own: ownSize,
      peers: peerSizes,
    },
  ];
}

/** Into a database that is not there, as the archive's own is. */
async function benchRestore(place: Place): Promise<Row[]> {
  const { bench, server, database, title } = place;
  const { archive, dump } = outputs(place);
  const environment = environmentOf(server);
  const clear = async (line: string) =>
    void (await measure(shell(`dropdb --if-exists restored; ${line}`, environment)));
  const contestants: Contestant[] = [
    {
      name: 'holdfast',
      prepare: () => clear('psql -q -c CHECKPOINT postgres'),
      command: holdfast('restore', archive, '--to', server.urlOf('restored'), '--yes', '--json'),
    },
    {
      name: 'pg_restore -j2',
      prepare: () => clear('createdb restored; psql -q -c CHECKPOINT postgres'),
      command: shell(`pg_restore -j2 -d restored '${dump}'`, environment),
    },
  ];
  const results = await race(bench, contestants, bench.repetitions);
  const [own, peers] = seriesOf(results, seconds);
  const [memory] = seriesOf(results, residentMebibytes);
  return [
    {
      id: `${database}.restore.time`,
      title: `${title}: restore`,
      unit: 's',
      own,
      peers,
      target: { kind: 'at most', bound: 1, ratioTo: 'pg_restore -j2' },
    },
    {
      id: `${database}.restore.memory`,
      title: `${title}: restore, peak resident memory`,
      unit: 'MiB',
      own: memory,
      peers: [],
      target: memoryTarget,
    },
  ];
}

/** One small table over its old rows, beside all of the database. */
async function benchOneTable(place: Place, whole: Row | undefined): Promise<Row[]> {
  const { bench, server, database, title } = place;
  const { archive } = outputs(place);
  const only = `databases/${database}/tables/public.small`;
  const command = holdfast(
    'restore',
    archive,
    '--to',
    server.urlOf(database),
    '--only',
    only,
    '--overwrite',
    '--yes',
    '--json',
  );
  const [own] = seriesOf(await race(bench, [{ name: 'holdfast', command }], bench.repetitions), seconds);
  const peers = [{ name: 'all of it', values: whole?.own.values ?? [] }];
  const target = { kind: 'at most', bound: 0.1, ratioTo: 'all of it' } as const;
  return [
    { id: `${database}.one-table.time`, title: `${title}: restore of a table of 1 %`, unit: 's', own, peers, target },
  ];
}

/** The database of pgbench, and a mixed one, each of about the size that was asked for. */
export async function benchPostgres(bench: Bench): Promise<Row[]> {
  const share = bench.dataSizeBytes / gibibyte;
  return await withServer(async (server) => {
    bench.say('making the databases');
    await fill(server, 'pgbench', `pgbench -i -q -s ${Math.max(1, Math.round(wholeScale * share))} pgbench 2>&1`);
    const statements = mixedTables(4 * Math.ceil((wholeDocuments * share) / 4));
    await fill(server, 'mixed', `psql -q -v ON_ERROR_STOP=1 mixed <<'END'\n${statements}\nEND`);
    const rows: Row[] = [];
    for (const database of ['pgbench', 'mixed']) {
      const place = { bench, server, database, title: `PostgreSQL, ${database}` };
      rows.push(...(await benchBackup(place)));
      const restored = await benchRestore(place);
      rows.push(...restored);
      if (database === 'mixed') rows.push(...(await benchOneTable(place, restored[0])));
    }
    return rows;
  });
}

/** Five times the size that was asked for, once: memory alone. */
export async function benchLargePostgres(bench: Bench): Promise<Row[]> {
  const documents = Math.ceil(((wholeDocuments * bench.dataSizeBytes) / gibibyte) * 5);
  return await withServer(async (server) => {
    bench.say('making the database');
    // Little of it, again and again: it is made in a tenth of the time.
    await fill(
      server,
      'large',
      `psql -q -v ON_ERROR_STOP=1 large <<'END'
CREATE TABLE page AS SELECT i AS id, (SELECT string_agg(md5((i % 5000 * 31 + k)::text), ' ') FROM generate_series(1, 50) k) AS body FROM generate_series(1, ${Math.ceil(documents / 50)}) i;
CREATE TABLE book AS SELECT p.id * 50 + k AS id, p.body || k AS body FROM page p, generate_series(1, 50) k;
END`,
    );
    const place = { bench: { ...bench, repetitions: 1 }, server, database: 'large', title: 'PostgreSQL, large' };
    const { archive } = outputs(place);
    const backup = holdfast('backup', '--url', server.urlOf('large'), '--output', archive, '--json');
    const restore = holdfast('restore', archive, '--to', server.urlOf('restored'), '--yes', '--json');
    const rows: Row[] = [];
    for (const [name, command] of [
      ['backup', backup],
      ['restore', restore],
    ] as const) {
      const results = await race(place.bench, [{ name: 'holdfast', command }], 1);
      const [memory] = seriesOf(results, residentMebibytes);
      const note = `${Math.round(await sizeOf(server, 'large'))} MiB on the server's disk`;
      const title = `${place.title}: ${name}, peak resident memory`;
      rows.push({ id: `large.${name}.memory`, title, unit: 'MiB', own: memory, peers: [], target: memoryTarget, note });
    }
    return rows;
  });
}
