/** Drills of archives with models: rows and their files are restored elsewhere, compared, asked about, and gone again. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, suite, test } from 'node:test';
import { ArchiveReader } from '../../src/archive/archive-reader.ts';
import type { IndexEntry } from '../../src/archive/entry/entry.ts';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import {
  createBackup,
  type DrillContext,
  type DrillOptions,
  drillBackup,
  FilesSource,
  Secret,
} from '../../src/index.ts';
import { compareModels } from '../../src/operation/compare-models.ts';
import { readModelSchema } from '../../src/source/model/model-schema.ts';
import { ModelSource } from '../../src/source/model/model-source.ts';
import { fileRandomAccess } from '../../src/storage/local/file-random-access.ts';
import { makeMariadb } from '../databases/make-mariadb.ts';
import { makePostgres } from '../databases/make-postgres.ts';
import { runSql } from './database-of-engine.ts';
import { databaseServers } from './database-servers.ts';
import { ModelArchives } from './model-archive.ts';

const tables = `
  CREATE TABLE customer (id integer PRIMARY KEY, photo varchar(200));
  CREATE TABLE invoice (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customer (id), total numeric(9,2));
  INSERT INTO customer VALUES (1, 'a/one.jpg'), (2, NULL);
  INSERT INTO invoice VALUES (1, 1, 9.5), (2, 1, 10);`;

suite('a drill of models', () => {
  const archives = new ModelArchives();
  const { postgres, mariadb } = databaseServers();

  after(() => archives.remove());

  const drill = async (archive: string, options: Partial<DrillOptions> = {}) => {
    const temporaryFolder = mkdtempSync(join(archives.folder, 'drill-'));
    try {
      return await drillBackup({ archive, threads: 0, temporaryFolder, ...options });
    } finally {
      assert.deepEqual(readdirSync(temporaryFolder), [], 'something was left behind');
      rmSync(temporaryFolder, { recursive: true });
    }
  };

  const databasesOf = async (url: string) => {
    const sql = url.startsWith('postgres:') ? 'SELECT datname AS name FROM pg_database' : 'SHOW DATABASES';
    return (await runSql(url, sql)).map((row) => String(Object.values(row)[0])).sort();
  };

  test('SQLite: rows and the files that they own, beside a tree and other models', async () => {
    const path = archives.path('app.db');
    new DatabaseSync(path).exec(tables);
    const other = archives.path('other.db');
    new DatabaseSync(other).exec(
      'CREATE TABLE note (id INTEGER PRIMARY KEY, scan TEXT); INSERT INTO note VALUES (7, $$n.txt$$)'.replaceAll(
        '$$',
        "'",
      ),
    );
    const folders = [dirname(path), dirname(other)];
    for (const folder of folders) mkdirSync(join(folder, 'uploads', 'a'), { recursive: true });
    const [own = '', others = ''] = folders;
    for (const name of ['a/one.jpg', 'unnamed.txt']) writeFileSync(join(own, 'uploads', name), name);
    writeFileSync(join(others, 'uploads', 'n.txt'), 'another one');
    const columns = (table: string, column: string) => [
      { table: { name: table }, column, place: { kind: 'filePath', root: 'uploads' } as const },
    ];
    const files = { columns: columns('customer', 'photo'), folder: own, roots: [] };
    const sources = [
      new ModelSource({ url: new Secret(`sqlite:${path}`), models: { files } }),
      new ModelSource({
        url: new Secret(`sqlite:${other}`),
        models: { files: { columns: columns('note', 'scan'), folder: others, roots: [] } },
      }),
      new FilesSource({ path: join(own, 'uploads') }),
    ];
    const output = archives.path('all.holdfast');
    await createBackup({ sources, output, encryption: 'none', threads: 0 });
    const seen: string[] = [];
    const look = ({ filesFolder = '', databases }: DrillContext) => {
      seen.push(databases.join(), ...(readdirSync(filesFolder, { recursive: true }) as string[]).sort());
    };
    const report = await drill(output, {
      checks: [{ database: 'app', sql: 'SELECT sum(total) FROM invoice', expect: 19.5 }, look],
    });
    assert.deepEqual(report.differences, []);
    assert.deepEqual(
      report.checks.map(({ isPassed }) => isPassed),
      [true, true],
    );
    assert.deepEqual(
      report.databases.map(({ name, tableCount, rowCount }) => [name, tableCount, rowCount]),
      [
        ['app', 2, 4],
        ['other', 1, 1],
      ],
    );
    assert.deepEqual([report.isProven, report.fileCount, report.rowCount, report.tableCount], [true, 3, 5, 3]);
    // What came from one folder is one again; what did not has a place of its own.
    const tree = ['uploads', 'uploads-2', 'uploads-2/n.txt', 'uploads/a', 'uploads/a/one.jpg', 'uploads/unnamed.txt'];
    assert.deepEqual(seen, ['app,other', ...tree]);
  });

  test('PostgreSQL and MariaDB: every type, on the server where it came from, which is left as it was', async () => {
    const cases = [
      { url: await postgres.createDatabase('every'), make: makePostgres, name: 'every' },
      { url: await mariadb.createDatabase('every'), make: makeMariadb, name: 'every' },
    ];
    for (const { url, make, name } of cases) {
      await make(url, { rows: 20, blobSizeBytes: 200_000 });
      const { archive } = await archives.backUp(url);
      const before = await databasesOf(url);
      const report = await drill(archive, {
        databases: { [name]: url },
        checks: [
          { sql: 'SELECT 1', expect: 1 },
          { sql: 'SELECT absent FROM nowhere', expect: 1 },
        ],
      });
      assert.deepEqual(report.differences, []);
      assert.ok(report.rowCount > 100, `${report.rowCount} rows`);
      assert.deepEqual([report.isProven, report.checks.map(({ isPassed }) => isPassed)], [false, [true, false]]);
      assert.deepEqual(await databasesOf(url), before);
    }
  });

  test('into a file where no server is named, if that is asked for; else it says what to name', async () => {
    const url = await postgres.createDatabase('elsewhere');
    await runSql(url, tables);
    const { archive } = await archives.backUp(url);
    await assert.rejects(drill(archive), { code: 'usage.invalid', hint: /drill\.url .*sqlite:/ });
    const report = await drill(archive, {
      servers: ['sqlite:'],
      checks: [{ sql: 'SELECT total FROM invoice WHERE id = 1', expect: 9.5 }],
    });
    assert.deepEqual([report.isProven, report.rowCount, report.differences], [true, 4, []]);
    const onMariadb = await drill(archive, { servers: [mariadb.url] });
    assert.deepEqual([onMariadb.isProven, onMariadb.rowCount, onMariadb.differences], [true, 4, []]);
  });

  test('a row, a value, a column, a key and a table that are not as they were are found', async () => {
    const url = await postgres.createDatabase('changed');
    await runSql(url, `${tables} CREATE TABLE gone (id int); CREATE TABLE more (id int PRIMARY KEY, t text UNIQUE)`);
    const { archive } = await archives.backUp(url);
    assert.deepEqual(await differences(archive, url), []);
    await runSql(
      url,
      `DELETE FROM invoice WHERE id = 2; UPDATE customer SET photo = 'b' WHERE id = 1; DROP TABLE gone; CREATE TABLE new (id int);
      ALTER TABLE more DROP CONSTRAINT more_t_key, ALTER id TYPE bigint, ADD d date; ALTER TABLE invoice DROP CONSTRAINT invoice_customer_id_fkey`,
    );
    const rows = 'models/changed/rows';
    assert.deepEqual((await differences(archive, url)).sort(), [
      `${rows}/customer.jsonl: values are others`,
      `${rows}/gone.jsonl: its table is not there`,
      `${rows}/invoice.jsonl: its table has no foreign key (customer_id) to customer (id)`,
      `${rows}/invoice.jsonl: rows 1 where the archive has 2`,
      `${rows}/more.jsonl: its table has a column d date of its own`,
      `${rows}/more.jsonl: its table has a column id bigint NOT NULL of its own`,
      `${rows}/more.jsonl: its table has no column id integer NOT NULL`,
      `${rows}/more.jsonl: its table has no unique key (t)`,
      'the table new is there, and not in the archive',
    ]);
  });
});

/** How a database differs from the models of an archive. */
async function differences(archive: string, url: string): Promise<string[]> {
  const workers = new WorkerPool(1);
  const source = await fileRandomAccess(archive);
  try {
    const reader = await ArchiveReader.open({
      sources: [source],
      workers,
      keys: undefined,
      archiveId: undefined,
      signal: undefined,
    });
    const entries: IndexEntry[] = [];
    const chunks: Buffer[] = [];
    for await (const entry of reader.entries()) {
      if (entry.kind === 'model') entries.push(entry);
      if (entry.kind !== 'model-schema') continue;
      for await (const chunk of reader.read(entry)) chunks.push(Buffer.from(chunk));
    }
    const schema = readModelSchema(Buffer.concat(chunks), 'schema.json');
    const options = { reader, entries, schema, url: new Secret(url), timeoutMs: 10_000, signal: undefined };
    return [...(await compareModels(options)).differences];
  } finally {
    await source.close();
    await workers.close();
  }
}
