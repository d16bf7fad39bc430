import assert from 'node:assert/strict';
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { collectSource } from '../../testing/source-cases.ts';
import { inspectDatabaseSync } from './inspect-database.ts';
import { SqliteSource } from './sqlite-source.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
  path = join(folder, 'app.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function hasCode(code: string, text = '') {
  return (error: unknown) => error instanceof HoldfastError && error.code === code && error.message.includes(text);
}

function make(statements: string, at = path): void {
  const database = new DatabaseSync(at);
  database.exec(statements);
  database.close();
}

async function backUp(source = new SqliteSource({ path })) {
  const { entries, problems } = await collectSource(source);
  assert.deepEqual(problems, []);
  assert.equal(entries.length, 1);
  const [entry] = entries;
  assert.ok(entry);
  const copyPath = join(folder, 'restored.db');
  writeFileSync(copyPath, entry.bytes);
  return { entry, copyPath };
}

describe('SqliteSource: what it gives', () => {
  it('gives one entry with the engine and exact row counts', async () => {
    make(`CREATE TABLE "odd ""name" (a); INSERT INTO "odd ""name" VALUES (1), (2), (3);
      CREATE TABLE empty (a); CREATE TABLE keyed (k INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO keyed DEFAULT VALUES;
      CREATE TABLE bare (k PRIMARY KEY) WITHOUT ROWID; INSERT INTO bare VALUES ('x'); CREATE VIEW v AS SELECT 1`);
    const { entry } = await backUp();
    assert.equal(entry.path, 'databases/app/database.sqlite');
    assert.equal(entry.kind, 'sqlite');
    const tables = [
      { name: 'bare', rows: 1 },
      { name: 'empty', rows: 0 },
      { name: 'keyed', rows: 1 },
      { name: 'odd "name', rows: 3 },
    ];
    const { engineVersion, ...rest } = entry.metadata;
    assert.deepEqual(rest, { source: path, engine: 'sqlite', tables, rows: 5 });
    assert.match(String(engineVersion), /^3\.\d+\.\d+$/);
  });

  it('counts virtual tables and what lies beneath them', async () => {
    make(`CREATE VIRTUAL TABLE note USING fts5(body); INSERT INTO note VALUES ('one'), ('two')`);
    const { entry } = await backUp();
    const tables = entry.metadata['tables'] as readonly { name: string; rows: number }[];
    assert.equal(tables.find(({ name }) => name === 'note')?.rows, 2);
    assert.equal(tables.find(({ name }) => name === 'note_content')?.rows, 2);
  });

  it('holds what stands only in the -wal file, keeps the journal mode, and needs no file beside it', async () => {
    make('PRAGMA journal_mode = WAL; CREATE TABLE t (a)');
    const live = new DatabaseSync(path);
    live.exec('INSERT INTO t VALUES (1), (2)');
    assert.ok(statSync(`${path}-wal`).size > 0);
    const { entry, copyPath } = await backUp();
    live.close();
    assert.equal(entry.metadata['rows'], 2);
    assert.deepEqual([...entry.bytes.subarray(18, 20)], [2, 2]);
    assert.equal(inspectDatabaseSync(copyPath).rows, 2);
  });

  it('reads the -wal file that a killed program left', async () => {
    make('PRAGMA journal_mode = WAL; CREATE TABLE t (a)');
    const live = new DatabaseSync(path);
    live.exec('INSERT INTO t VALUES (1), (2)');
    const killed = join(folder, 'killed.db');
    for (const suffix of ['', '-wal']) copyFileSync(`${path}${suffix}`, `${killed}${suffix}`);
    live.close();
    const { entry } = await backUp(new SqliteSource({ path: killed, name: 'k' }));
    assert.equal(entry.metadata['rows'], 2);
  });

  for (const mode of ['DELETE', 'WAL']) {
    it(`changes neither the database nor its folder in ${mode} mode`, async () => {
      make(`PRAGMA journal_mode = ${mode}; CREATE TABLE t (a); INSERT INTO t VALUES (1)`);
      const before = { bytes: readFileSync(path), mtimeMs: statSync(path).mtimeMs, names: readdirSync(folder) };
      const source = new SqliteSource({ path });
      await source.describe({ temporaryFolder: folder, report: () => {} });
      await collectSource(source);
      assert.deepEqual(
        { bytes: readFileSync(path), mtimeMs: statSync(path).mtimeMs, names: readdirSync(folder) },
        before,
      );
    });
  }

  it('leaves the locks of this process alone', async () => {
    make('CREATE TABLE t (a)');
    const live = new DatabaseSync(path);
    live.exec('BEGIN IMMEDIATE; INSERT INTO t VALUES (1)');
    const source = new SqliteSource({ path });
    await source.describe({ temporaryFolder: folder, report: () => {} });
    await collectSource(source);
    const script = `const { DatabaseSync } = require('node:sqlite');
      new DatabaseSync(${JSON.stringify(path)}, { timeout: 0 }).exec('BEGIN IMMEDIATE')`;
    const other = spawnSync(process.execPath, ['--eval', script], { encoding: 'utf8' });
    live.exec('COMMIT');
    live.close();
    assert.match(other.stderr, /database is locked/);
  });

  it('passes over checks that need what only the application has', async () => {
    make(`CREATE TABLE t (a); CREATE TABLE plain (a); INSERT INTO plain VALUES (1)`);
    const database = new DatabaseSync(path);
    database.function('shout', { deterministic: true }, (text) => String(text).toUpperCase());
    database.exec(`CREATE INDEX i ON t (shout(a)); INSERT INTO t VALUES ('x')`);
    database.close();
    assert.equal((await backUp()).entry.metadata['rows'], 2);
  });
});

describe('SqliteSource: under load', () => {
  for (const mode of ['WAL', 'DELETE']) {
    it(`copies one moment of a database that another process writes all the time in ${mode} mode`, async () => {
      const child = fork(new URL('../../../test/contract/sqlite-writer-child.ts', import.meta.url), [path, mode]);
      try {
        await once(child, 'message');
        let lastRows = 0;
        for (let round = 0; round < 4; round += 1) {
          const { entry, copyPath } = await backUp();
          const copy = new DatabaseSync(copyPath, { readOnly: true });
          const sum = (table: string) =>
            copy.prepare(`SELECT count(*) AS rows, sum(amount) AS amount FROM ${table}`).get();
          assert.deepEqual(sum('debit'), sum('credit'));
          copy.close();
          for (const suffix of ['', '-wal', '-shm']) rmSync(`${copyPath}${suffix}`, { force: true });
          assert.ok(Number(entry.metadata['rows']) > lastRows);
          lastRows = Number(entry.metadata['rows']);
        }
      } finally {
        const ended = once(child, 'exit');
        child.disconnect();
        await ended;
      }
    });
  }
});

describe('SqliteSource: what it refuses', () => {
  const context = { temporaryFolder: tmpdir(), report: () => {} };

  it('throws source.busy for a database that stays locked, and copies it once it is free', async () => {
    make('CREATE TABLE t (a)');
    const holder = new DatabaseSync(path);
    holder.exec('BEGIN EXCLUSIVE');
    await assert.rejects(collectSource(new SqliteSource({ path, timeoutMs: 1 })), hasCode('source.busy', path));
    holder.exec('COMMIT');
    await backUp(new SqliteSource({ path, timeoutMs: 1 }));
    holder.close();
  });

  it('stops waiting for a lock when it is aborted', async () => {
    make('CREATE TABLE t (a)');
    const holder = new DatabaseSync(path);
    holder.exec('BEGIN EXCLUSIVE');
    const controller = new AbortController();
    const reading = collectSource(new SqliteSource({ path }), { signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(reading, hasCode('operation.interrupted'));
    holder.close();
  });

  const foreign: Record<string, { content: Buffer; text: string }> = {
    'an empty file': { content: Buffer.alloc(0), text: 'empty' },
    'a text': {
      content: Buffer.from('hello, this is no database at all'.repeat(50)),
      text: 'not a SQLite database, or is encrypted',
    },
    'encrypted bytes': {
      content: Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 167) % 256)),
      text: 'encrypted',
    },
  };
  for (const [name, { content, text }] of Object.entries(foreign)) {
    it(`throws source.corrupt for ${name}`, async () => {
      writeFileSync(path, content);
      await assert.rejects(new SqliteSource({ path }).describe(context), hasCode('source.corrupt', text));
      await assert.rejects(collectSource(new SqliteSource({ path })), hasCode('source.corrupt', text));
    });
  }

  it('throws source.corrupt for a folder, and source.unreadable for a path below a file', async () => {
    await assert.rejects(new SqliteSource({ path: folder }).describe(context), hasCode('source.corrupt', 'not a file'));
    writeFileSync(path, 'x');
    await assert.rejects(
      new SqliteSource({ path: join(path, 'x.db') }).describe(context),
      hasCode('source.unreadable'),
    );
  });

  it('throws source.corrupt for a damaged page, naming the fault', async () => {
    make(`CREATE TABLE t (a, b); CREATE INDEX i ON t (a); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
      WHERE i < 500) INSERT INTO t SELECT i, randomblob(100) FROM n`);
    await backUp();
    const bytes = readFileSync(path);
    bytes.fill(0xaa, 3 * 4096, 4 * 4096);
    writeFileSync(path, bytes);
    await assert.rejects(collectSource(new SqliteSource({ path })), hasCode('source.corrupt', path));
  });

  it('throws source.corrupt for an index that lacks rows', async () => {
    make('CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1), (2)');
    const database = new DatabaseSync(path, { defensive: false });
    database.exec(`PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'i'; PRAGMA writable_schema = RESET;
      INSERT INTO t VALUES (3)`);
    database.exec(`PRAGMA writable_schema = ON;
      INSERT INTO sqlite_schema VALUES ('index', 'i', 't', 3, 'CREATE INDEX i ON t (a)')`);
    database.close();
    await assert.rejects(
      collectSource(new SqliteSource({ path })),
      hasCode('source.corrupt', 'row 3 missing from index i'),
    );
  });

  it('tells of a transaction that an interrupted program left half-written', async () => {
    make(`CREATE TABLE t (a)`);
    const live = new DatabaseSync(path);
    live.exec(`PRAGMA cache_size = 5; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
      INSERT INTO t SELECT randomblob(2000) FROM n`);
    live.exec('BEGIN; UPDATE t SET a = randomblob(2000)');
    const killed = join(folder, 'killed.db');
    for (const suffix of ['', '-journal']) copyFileSync(`${path}${suffix}`, `${killed}${suffix}`);
    live.exec('ROLLBACK');
    live.close();
    await assert.rejects(
      collectSource(new SqliteSource({ path: killed })),
      hasCode('source.unreadable', 'half-written'),
    );
    assert.ok(existsSync(`${killed}-journal`));
  });

  it('refuses names that are no single part of a path', () => {
    for (const name of ['', '.', '..', 'a/b'])
      assert.throws(() => new SqliteSource({ path, name }), hasCode('usage.invalid'));
  });
});

describe('SqliteSource without rights', () => {
  it('copies a WAL database from a folder that it may not write, and tells what it cannot', () => {
    chmodSync(folder, 0o755);
    mkdirSync(join(folder, 'temporary'));
    chmodSync(join(folder, 'temporary'), 0o777);
    make('PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)');
    make('CREATE TABLE t (a)', join(folder, 'secret.db'));
    chmodSync(join(folder, 'secret.db'), 0o000);
    const script = `
      import { readdirSync } from 'node:fs';
      const { SqliteSource } = await import(${JSON.stringify(new URL('./sqlite-source.ts', import.meta.url).href)});
      await new SqliteSource({ path: '/dev/null' }).describe({}).catch(() => {});
      const warm = new (await import('node:worker_threads')).Worker('0', { eval: true });
      await new Promise((resolve) => warm.on('exit', resolve));
      if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534); }
      const results = [];
      const context = { temporaryFolder: ${JSON.stringify(join(folder, 'temporary'))}, report: () => {} };
      for (const name of ['app.db', 'secret.db']) {
        try {
          for await (const entry of new SqliteSource({ path: ${JSON.stringify(folder)} + '/' + name }).entries(context)) {
            for await (const _ of entry.open()) {}
            results.push(entry.metadata.rows);
          }
        } catch (error) { results.push(error.code + ' ' + error.message); }
      }
      console.log(JSON.stringify({ results, names: readdirSync(${JSON.stringify(folder)}) }));`;
    const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
      cwd: '/',
    });
    assert.equal(child.status, 0, child.stderr);
    const { results, names } = JSON.parse(child.stdout) as { results: unknown[]; names: string[] };
    assert.equal(results[0], 2);
    assert.match(String(results[1]), /^source\.unreadable .*secret\.db/);
    if (process.getuid?.() === 0) assert.deepEqual(names.sort(), ['app.db', 'secret.db', 'temporary']);
  });
});
