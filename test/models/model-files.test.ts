/** Rows and the files that they own: read as of one moment, and put back together or not at all. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, suite, test } from 'node:test';
import type { HoldfastError } from '../../src/errors.ts';
import { restoreBackup } from '../../src/operation/restore.ts';
import { Secret } from '../../src/secret.ts';
import type { FileColumn, ModelFiles } from '../../src/source/model/files/model-files.ts';
import { ModelSource } from '../../src/source/model/model-source.ts';
import type { SourceProblem } from '../../src/source/source.ts';
import { LocalStorage } from '../../src/storage/local/local-storage.ts';
import { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { connectPostgres } from '../databases/connect-postgres.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';
import { ModelArchives } from './model-archive.ts';

leaveOutWithout('postgres');

const tables = `
  CREATE TABLE customer (id bigint PRIMARY KEY, photo varchar(200));
  CREATE TABLE invoice (id bigint PRIMARY KEY, customer_id bigint REFERENCES customer (id), pdf varchar(200), scan varchar(200));`;
const rows = `
  INSERT INTO customer VALUES (1, 'a/one.jpg'), (2, NULL), (3, ''), (4, './a/one.jpg');
  INSERT INTO invoice VALUES (1, 1, 'first.pdf', '2026/x.png'), (2, 1, 'deep/er/second.pdf', NULL);`;

const columns = (engine: 'sqlite' | 'postgres'): readonly FileColumn[] => {
  const of = (name: string) => (engine === 'sqlite' ? { name } : { schema: 'public', name });
  return [
    { table: of('customer'), column: 'photo', place: { kind: 'filePath', root: 'uploads' } },
    { table: of('invoice'), column: 'pdf', place: { kind: 'filePath', root: 'uploads/invoices' } },
    { table: of('invoice'), column: 'scan', place: { kind: 'file', storage: 'scans', prefix: 'scans/' } },
  ];
};

async function put(storage: Storage, name: string, bytes: string): Promise<void> {
  const writer = await storage.writer(name, { copies: 1, expectedSizeBytes: bytes.length });
  await writer.write(Buffer.from(bytes));
  await writer.commit();
}

async function textOf(storage: Storage, name: string): Promise<string> {
  const object = await storage.open(name);
  const bytes = Buffer.alloc(object.sizeBytes);
  await object.read(0, bytes);
  await object.close();
  return bytes.toString();
}

async function namesOf(storage: Storage): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list()) names.push(name);
  return names;
}

suite('the files that rows own', () => {
  const archives = new ModelArchives();
  let postgres: PostgresService;
  let count = 0;

  before(async () => {
    postgres = await startPostgres();
  });

  after(async () => {
    archives.remove();
    await postgres?.stop();
  });

  const execute = async (url: string, sql: string): Promise<void> => {
    if (url.startsWith('sqlite:')) {
      const database = new DatabaseSync(url.slice('sqlite:'.length));
      database.exec(sql);
      database.close();
      return;
    }
    const client = await connectPostgres(url);
    await client.query(sql);
    await client.end();
  };

  const countRows = async (url: string, table: string): Promise<number> => {
    const sql = `SELECT count(*) AS count FROM ${table}`;
    if (url.startsWith('sqlite:')) {
      const database = new DatabaseSync(url.slice('sqlite:'.length));
      const row = database.prepare(sql).get();
      database.close();
      return Number(row?.['count']);
    }
    const client = await connectPostgres(url);
    const result = (await client.query(sql)) as { rows: { count: string }[] };
    await client.end();
    return Number(result.rows[0]?.count);
  };

  const database = async (engine: 'sqlite' | 'postgres', sql: string): Promise<string> => {
    count += 1;
    const url =
      engine === 'sqlite' ? `sqlite:${archives.path('app.db')}` : await postgres.createDatabase(`files_${count}`);
    await execute(url, sql);
    return url;
  };

  const write = (folder: string, path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };

  /** An application's folder, with all that its rows name, and some that none does. */
  const application = async (engine: 'sqlite' | 'postgres') => {
    const url = await database(engine, tables + rows);
    const folder = dirname(archives.path('x'));
    write(folder, 'uploads/a/one.jpg', 'one');
    write(folder, 'uploads/invoices/first.pdf', 'first');
    write(folder, 'uploads/invoices/deep/er/second.pdf', 'second');
    write(folder, 'uploads/stray.txt', 'no row names it');
    write(folder, 'uploads/banners/top.png', 'top');
    write(folder, 'static/logo.svg', 'logo');
    const scans = new MemoryStorage();
    await put(scans, 'scans/2026/x.png', 'scanned');
    await put(scans, 'scans/stray.png', 'no row names it');
    const files: ModelFiles = {
      columns: columns(engine),
      roots: [
        { table: columns(engine)[0]?.table ?? { name: '' }, path: 'uploads/banners' },
        { table: columns(engine)[0]?.table ?? { name: '' }, path: 'static', name: 'assets' },
      ],
      folder,
      storages: { scans },
    };
    return { url, folder, scans, files };
  };

  const name = (engine: string) => (engine === 'sqlite' ? 'app' : `files_${count}`);

  for (const engine of ['sqlite', 'postgres'] as const) {
    test(`${engine}: rows and files go along, each file once, and come back with modes and times`, async () => {
      const { url, folder, files } = await application(engine);
      const database_ = name(engine);
      const first = join(folder, 'uploads/invoices/first.pdf');
      chmodSync(first, 0o640);
      utimesSync(first, 1_600_000_000, 1_600_000_000);
      chmodSync(join(folder, 'uploads/invoices/deep'), 0o750);
      const { archive, report } = await archives.backUp(url, { files });
      assert.deepEqual(report.problems, []);

      const to = await database(engine, tables);
      const out = dirname(archives.path('x'));
      const scans = new MemoryStorage();
      const restored = await restoreBackup({
        archive,
        to: [to],
        filesTo: out,
        mediaTo: [{ label: 'fresh', storage: scans, tree: 'scans' }],
        threads: 0,
      });
      assert.equal(restored.rowCount, 6);
      assert.equal(await countRows(to, 'invoice'), 2);
      assert.equal(readFileSync(join(out, 'uploads/a/one.jpg'), 'utf8'), 'one');
      assert.equal(readFileSync(join(out, 'uploads/invoices/deep/er/second.pdf'), 'utf8'), 'second');
      assert.equal(readFileSync(join(out, 'uploads/banners/top.png'), 'utf8'), 'top');
      assert.equal(readFileSync(join(out, 'assets/logo.svg'), 'utf8'), 'logo');
      assert.equal(existsSync(join(out, 'uploads/stray.txt')), false);
      assert.deepEqual(readdirSync(out).sort(), ['assets', 'uploads']);
      const stats = statSync(join(out, 'uploads/invoices/first.pdf'));
      assert.equal(stats.mode & 0o777, 0o640);
      assert.equal(stats.mtimeMs, 1_600_000_000_000);
      assert.equal(statSync(join(out, 'uploads/invoices/deep')).mode & 0o777, 0o750);
      assert.equal(await textOf(scans, 'scans/2026/x.png'), 'scanned');
      const names = await namesOf(scans);
      assert.equal(names.length, 1);
      const [action] = restored.actions;
      assert.ok(action?.notes?.some((note) => note.startsWith(`models/${database_}/files/uploads goes to ${out}`)));
    });

    test(`${engine}: rows that are refused leave no file, and a file that differs leaves no row`, async () => {
      const { url, files } = await application(engine);
      const { archive } = await archives.backUp(url, { files });
      const restore = async (to: string, out: string, scans: Storage) =>
        await restoreBackup({
          archive,
          to: [to],
          filesTo: out,
          mediaTo: [{ label: 'fresh', storage: scans, tree: 'scans' }],
          threads: 0,
        });
      const isLeft = async (out: string, scans: Storage) => {
        assert.deepEqual(existsSync(out) ? readdirSync(out) : [], []);
        assert.deepEqual(await namesOf(scans), []);
      };

      const taken = await database(engine, `${tables} INSERT INTO customer VALUES (2, 'mine')`);
      const [out, scans] = [dirname(archives.path('x')), new MemoryStorage()];
      await assert.rejects(restore(taken, out, scans), { code: 'target.exists' });
      assert.equal(await countRows(taken, 'customer'), 1);
      await isLeft(out, scans);

      const empty = await database(engine, tables);
      write(out, 'uploads/a/one.jpg', 'two');
      await assert.rejects(restore(empty, out, scans), (error: HoldfastError) => {
        assert.equal(error.code, 'target.exists');
        assert.match(error.message, /one\.jpg/);
        return true;
      });
      assert.equal(await countRows(empty, 'customer'), 0);
      assert.equal(readFileSync(join(out, 'uploads/a/one.jpg'), 'utf8'), 'two');
      assert.deepEqual(readdirSync(join(out, 'uploads')), ['a']);
      assert.deepEqual(readdirSync(out), ['uploads']);
      assert.deepEqual(await namesOf(scans), []);
    });
  }

  test('a database that refuses at the very end of the transaction takes the files back', async () => {
    const { url, files } = await application('sqlite');
    const { archive } = await archives.backUp(url, { files });
    const to = await database('sqlite', tables);
    // Whoever reads lets nobody commit.
    const reader = new DatabaseSync(to.slice('sqlite:'.length));
    reader.exec('BEGIN; SELECT count(*) FROM customer');
    const [out, scans] = [dirname(archives.path('x')), new MemoryStorage()];
    const mediaTo = [{ label: 'fresh', storage: scans, tree: 'scans' }];
    const restore = restoreBackup({ archive, to: [to], filesTo: out, mediaTo, threads: 0, timeoutMs: 300 });
    await assert.rejects(restore, { code: 'target.busy' });
    reader.close();
    assert.equal(await countRows(to, 'invoice'), 0);
    assert.deepEqual(readdirSync(out), []);
    assert.deepEqual(await namesOf(scans), []);
  });

  test('a restore that died after the files came into place goes on when it is run again', async () => {
    const { url, files } = await application('sqlite');
    const { archive } = await archives.backUp(url, { files });
    const [out, scans] = [dirname(archives.path('x')), new MemoryStorage()];
    const to = await database('sqlite', tables);
    const mediaTo = [{ label: 'fresh', storage: scans, tree: 'scans' }];
    const options = { archive, filesTo: out, mediaTo, threads: 0 };
    await restoreBackup({ ...options, only: ['models/app/files/**'] });
    assert.equal(await countRows(to, 'customer'), 0);
    const times = statSync(join(out, 'uploads/a/one.jpg')).ino;
    await restoreBackup({ ...options, to: [to] });
    assert.equal(await countRows(to, 'customer'), 4);
    assert.equal(statSync(join(out, 'uploads/a/one.jpg')).ino, times, 'what is the same is left as it is');
    assert.deepEqual(readdirSync(out).sort(), ['assets', 'uploads']);
  });

  test('a dry run counts the rows, and writes neither rows nor files', async () => {
    const { url, files } = await application('sqlite');
    const { archive } = await archives.backUp(url, { files });
    const [out, scans] = [dirname(archives.path('x')), new MemoryStorage()];
    const to = await database('sqlite', tables);
    const mediaTo = [{ label: 'fresh', storage: scans, tree: 'scans' }];
    const report = await restoreBackup({ archive, to: [to], filesTo: out, mediaTo, threads: 0, dryRun: true });
    assert.equal(report.actions[0]?.models?.find(({ model }) => model === 'customer')?.inserted, 4);
    assert.equal(await countRows(to, 'customer'), 0);
    assert.deepEqual(readdirSync(out), []);
    assert.deepEqual(await namesOf(scans), []);
  });

  test('a file that is missing, a link, and a path that leads out are told with the row; the rest goes along', async () => {
    const url = await database(
      'sqlite',
      `${tables} INSERT INTO customer VALUES (1, 'gone.jpg'), (2, 'gone.jpg'), (3, '../secret'), (4, 'link.jpg'), (5, 'linked/x'), (6, 'there.jpg'), (7, 'folder');
      INSERT INTO invoice VALUES (1, 1, 'x.pdf', 'gone.png'), (2, 1, NULL, '../x');`,
    );
    const folder = dirname(archives.path('x'));
    write(folder, 'uploads/there.jpg', 'there');
    write(folder, 'uploads/folder/x', 'x');
    write(folder, 'secret', 'secret');
    symlinkSync(join(folder, 'secret'), join(folder, 'uploads/link.jpg'));
    symlinkSync(join(folder, 'uploads/folder'), join(folder, 'uploads/linked'));
    const files = { columns: columns('sqlite'), folder, storages: { scans: new MemoryStorage() } };
    const { archive, report } = await archives.backUp(url, { files });
    const told = report.problems.map(({ code, path, message }) => `${code} ${path}: ${message}`).sort();
    assert.deepEqual(
      told.map((text) => text.replace(/ (?:"[^"]*" )?in (\w+)/, ' in $1')),
      [
        'source.unsupported models/app/files/uploads/folder: it is no file; customer:7 names it in photo',
        'source.unsupported models/app/files/uploads/link.jpg: it is a link, which is kept and not followed; customer:4 names it in photo',
        'source.unsupported models/app/files/uploads/linked/x: a link leads there, which is not followed; customer:5 names it in photo',
        `source.unsupported models/app/files: customer:3 names in photo, which is not kept: it leads out of ${join(folder, 'uploads')}`,
        'source.unsupported models/app/files: invoice:2 names in scan, which is not kept: it leads out of x',
        'source.vanished models/app/files/scans/scans/gone.png: it is not there; invoice:1 names it in scan',
        'source.vanished models/app/files/uploads/gone.jpg: it is not there; customer:1 names it in photo, as do 1 more',
        'source.vanished models/app/files/uploads/invoices/x.pdf: it is not there; invoice:1 names it in pdf',
      ].map((text) => text.replace('it leads out of x', 'the name "scans/../x" is refused: it leaves the root')),
    );
    const out = dirname(archives.path('x'));
    await restoreBackup({ archive, only: ['models/app/files/**'], filesTo: out, threads: 0 });
    assert.equal(lstatSync(join(out, 'uploads/link.jpg')).isSymbolicLink(), true);
    assert.equal(readFileSync(join(out, 'uploads/there.jpg'), 'utf8'), 'there');
  });

  test('a file that changes while it is read is told with the row', async () => {
    const url = await database('sqlite', `${tables} INSERT INTO customer VALUES (1, 'big.jpg')`);
    const folder = dirname(archives.path('x'));
    write(folder, 'uploads/big.jpg', 'x'.repeat(3_000_000));
    const files = { columns: columns('sqlite').slice(0, 1), folder };
    const source = new ModelSource({ url: new Secret(url), models: { files } });
    const problems: SourceProblem[] = [];
    try {
      for await (const entry of source.entries({ temporaryFolder: tmpdir(), report: (one) => problems.push(one) })) {
        let chunks = 0;
        for await (const _ of entry.open?.(undefined) ?? []) {
          if (chunks === 0 && entry.path.endsWith('big.jpg')) appendFileSync(join(folder, 'uploads/big.jpg'), 'y');
          chunks += 1;
        }
      }
    } finally {
      await source.close();
    }
    assert.equal(problems[0]?.code, 'source.changed');
    assert.match(problems[0]?.message ?? '', /customer:1 names it in photo/);
  });

  test('many rows that name the same few files give each once', async () => {
    const url = await database(
      'sqlite',
      `${tables} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO customer SELECT i, (i % 50) || '.jpg' FROM n`,
    );
    const folder = dirname(archives.path('x'));
    for (let i = 0; i < 50; i++) write(folder, `uploads/${i}.jpg`, String(i));
    const storage = new LocalStorage({ root: folder });
    const { report } = await archives.backUp(url, {
      files: { columns: columns('sqlite'), folder, storages: { scans: storage } },
    });
    assert.deepEqual(report.problems, []);
    // The schema, two models, two trees, their files.
    assert.equal(report.entryCount, 1 + 2 + 2 + 50);
  });
});
