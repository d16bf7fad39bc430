import assert from 'node:assert/strict';
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { type CollectedEntry, collectSource } from '../../testing/source-cases.ts';
import { partialPath } from '../staging.ts';
import type { RestorableEntry, TargetChange } from '../target.ts';
import { SqliteSource } from './sqlite-source.ts';
import { SqliteTarget, type SqliteTargetOptions } from './sqlite-target.ts';

const clock = new FakeClock(Date.UTC(2026, 1, 3, 4, 5, 6));
const undoName = 'app.db.holdfast-undo-20260203T040506Z';
let folder: string;
let path: string;
let saved: CollectedEntry;
beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-target-')));
  mkdirSync(join(folder, 'from'));
  make(
    'PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)',
    join(folder, 'from', 'app.db'),
  );
  const { entries } = await collectSource(new SqliteSource({ path: join(folder, 'from', 'app.db') }));
  rmSync(join(folder, 'from'), { recursive: true });
  saved = entries[0] as CollectedEntry;
  path = join(folder, 'app.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function make(statements: string, at = path): void {
  const database = new DatabaseSync(at);
  database.exec(statements);
  database.close();
}

function rowsOf(at: string): unknown {
  const database = new DatabaseSync(at);
  const rows = database.prepare('SELECT count(*) AS rows FROM t').get()?.['rows'];
  database.close();
  return rows;
}

function hasCode(code: string, text = '') {
  return (error: unknown) => error instanceof HoldfastError && error.code === code && error.message.includes(text);
}

async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 1000) yield bytes.subarray(start, start + 1000);
}

async function restore(
  options: Partial<SqliteTargetOptions> = {},
  change: Partial<CollectedEntry> = {},
): Promise<TargetChange> {
  const target = new SqliteTarget({ path, clock, ...options });
  const bytes = change.bytes ?? saved.bytes;
  const entry: RestorableEntry = { ...saved, ...change, sizeBytes: bytes.length };
  try {
    const planned = await target.plan([entry]);
    await target.stage(entry, inChunks(bytes));
    const done = await target.commit();
    assert.deepEqual(done, planned);
    return done;
  } finally {
    await target.abort();
  }
}

describe('SqliteTarget: nothing there', () => {
  it('puts the database in place, byte for byte, readable as new files are', async () => {
    assert.deepEqual(await restore(), { target: path, action: 'create' });
    assert.ok(readFileSync(path).equals(saved.bytes));
    assert.equal(statSync(path).mode & 0o777, 0o644 & ~process.umask());
    assert.deepEqual(readdirSync(folder), ['app.db']);
    assert.equal(rowsOf(path), 3);
  });

  it('makes the folders on the way, and shows nothing before the commit', async () => {
    const deep = join(folder, 'a', 'b', 'app.db');
    const target = new SqliteTarget({ path: deep, clock });
    await target.stage({ ...saved, sizeBytes: saved.bytes.length }, inChunks(saved.bytes));
    const [partial, ...others] = readdirSync(join(folder, 'a', 'b'));
    assert.deepEqual(others, []);
    assert.match(partial ?? '', new RegExp(`^\\.app\\.db\\.holdfast-${process.pid}-[0-9a-f]{12}\\.partial$`));
    assert.equal(statSync(join(folder, 'a', 'b', partial ?? '')).mode & 0o777, 0o600);
    await target.abort();
    await target.abort();
    assert.deepEqual(readdirSync(join(folder, 'a', 'b')), []);
  });

  it('follows a link to where the database is to be', async () => {
    mkdirSync(join(folder, 'real'));
    make('CREATE TABLE t (a)', join(folder, 'real', 'x.db'));
    symlinkSync(join(folder, 'real', 'x.db'), path);
    await restore({ overwrite: true, keepUndo: false });
    assert.ok(lstatSync(path).isSymbolicLink());
    assert.equal(rowsOf(join(folder, 'real', 'x.db')), 3);
  });

  it('removes what dead restores of the same target staged', async () => {
    const dead = spawnSync(process.execPath, ['--eval', '']).pid;
    const mine = partialPath(path, new SeededRandom(1));
    const stale = mine.replace(`-${process.pid}-`, `-${dead}-`);
    for (const name of [mine, stale]) writeFileSync(name, 'x');
    await restore({ clock: new FakeClock(statSync(mine).mtimeMs) });
    assert.deepEqual([existsSync(mine), existsSync(stale)], [true, false]);
  });
});

describe('SqliteTarget: tables that only the application can read', () => {
  it('restores them uncounted', async () => {
    const from = join(folder, 'module.db');
    make('CREATE TABLE t (a)', from);
    const database = new DatabaseSync(from, { defensive: false });
    database.exec(`PRAGMA writable_schema = ON;
      INSERT INTO sqlite_schema VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING elsewhere(a)')`);
    database.close();
    const { entries } = await collectSource(new SqliteSource({ path: from }));
    rmSync(from);
    const [entry] = entries;
    assert.ok(entry);
    assert.deepEqual(entry.metadata['tables'], [{ name: 't', rows: 0 }]);
    const tables = [
      { name: 't', rows: 0 },
      { name: 'v', rows: 7 },
    ];
    await restore({}, { bytes: entry.bytes, metadata: { ...entry.metadata, tables, rows: 7 } });
    assert.equal(rowsOf(path), 0);
  });
});

describe('SqliteTarget: what it refuses to put in place', () => {
  const nothing = () => assert.deepEqual(readdirSync(folder), []);

  it('refuses a database that is damaged, and leaves nothing', async () => {
    const bytes = Buffer.from(saved.bytes);
    bytes.fill(0xaa, 4096, 8192);
    await assert.rejects(restore({}, { bytes }), hasCode('target.invalid'));
    await assert.rejects(restore({}, { bytes: Buffer.from('no database') }), hasCode('target.invalid'));
    nothing();
  });

  it('refuses other rows than were counted', async () => {
    const metadata = (rows: number, name = 't') => ({ metadata: { ...saved.metadata, tables: [{ name, rows }] } });
    await assert.rejects(
      restore({}, metadata(4)),
      hasCode('target.invalid', 'table t has 3 rows where 4 were backed up'),
    );
    await assert.rejects(restore({}, metadata(0, 'gone')), hasCode('target.invalid', 'table gone has no rows'));
    await assert.rejects(restore({}, { metadata: { ...saved.metadata, rows: 2 } }), hasCode('target.invalid'));
    nothing();
  });

  it('refuses fewer bytes than the index tells', async () => {
    const target = new SqliteTarget({ path, clock });
    const entry = { ...saved, sizeBytes: saved.bytes.length + 1 };
    await assert.rejects(target.stage(entry, inChunks(saved.bytes)), hasCode('target.invalid', 'bytes'));
    nothing();
  });

  it('takes one entry of its kind, no more and no other', async () => {
    const entry = { ...saved, sizeBytes: saved.bytes.length };
    for (const entries of [[], [entry, entry], [{ ...entry, kind: 'file' }]]) {
      await assert.rejects(new SqliteTarget({ path }).plan(entries), hasCode('target.invalid', 'exactly one'));
    }
    await assert.rejects(new SqliteTarget({ path }).commit(), hasCode('target.invalid'));
  });
});

describe('SqliteTarget: a database is there', () => {
  const old = 'CREATE TABLE t (a); INSERT INTO t VALUES (1)';

  it('refuses without leave, in the plan and in the commit, and changes nothing', async () => {
    const target = new SqliteTarget({ path, clock });
    await target.stage({ ...saved, sizeBytes: saved.bytes.length }, inChunks(saved.bytes));
    make(old);
    const before = readFileSync(path);
    await assert.rejects(target.commit(), hasCode('target.exists', path));
    await target.abort();
    await assert.rejects(restore(), hasCode('target.exists', path));
    assert.ok(readFileSync(path).equals(before));
    assert.deepEqual(readdirSync(folder), ['app.db']);
  });

  it('replaces it with leave, keeps its mode and owner, and keeps it beside', async () => {
    make(old);
    chmodSync(path, 0o640);
    if (process.getuid?.() === 0) chownSync(path, 1234, 4321);
    const before = statSync(path);
    const change = await restore({ overwrite: true });
    assert.deepEqual(change, { target: path, action: 'replace', undo: join(folder, undoName) });
    const after = statSync(path);
    assert.deepEqual([after.mode, after.uid, after.gid], [before.mode, before.uid, before.gid]);
    assert.equal(rowsOf(path), 3);
    assert.equal(rowsOf(join(folder, undoName)), 1);
    assert.deepEqual(readdirSync(folder).sort(), ['app.db', undoName]);
  });

  it('keeps nothing when no undo is wanted', async () => {
    make(old);
    assert.deepEqual(await restore({ overwrite: true, keepUndo: false }), { target: path, action: 'replace' });
    assert.deepEqual(readdirSync(folder), ['app.db']);
  });

  it('folds the -wal file that a killed program left into the undo, and applies none to the new database', async () => {
    const live = new DatabaseSync(join(folder, 'live.db'));
    live.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3), (4), (5)');
    for (const suffix of ['', '-wal']) copyFileSync(join(folder, `live.db${suffix}`), `${path}${suffix}`);
    live.close();
    rmSync(join(folder, 'live.db'));
    const names = readdirSync(folder);
    await new SqliteTarget({ path, overwrite: true }).plan([{ ...saved, sizeBytes: saved.bytes.length }]);
    assert.deepEqual(readdirSync(folder), names);
    await restore({ overwrite: true });
    assert.deepEqual(readdirSync(folder).sort(), ['app.db', undoName]);
    assert.ok(readFileSync(path).equals(saved.bytes));
    assert.equal(rowsOf(join(folder, undoName)), 5);
  });

  it('moves the files of a database too damaged to be opened away with it', async () => {
    writeFileSync(path, 'rubbish '.repeat(1000));
    for (const suffix of ['-wal', '-shm', '-journal']) writeFileSync(`${path}${suffix}`, `stale ${suffix}`);
    await restore({ overwrite: true });
    const names = ['', '-journal', '-shm', '-wal'].map((suffix) => `${undoName}${suffix}`);
    assert.deepEqual(readdirSync(folder).sort(), ['app.db', ...names]);
    assert.equal(readFileSync(join(folder, `${undoName}-wal`), 'utf8'), 'stale -wal');
    assert.equal(rowsOf(path), 3);
  });

  it('does not let a journal without a database loose on the new one', async () => {
    writeFileSync(`${path}-journal`, 'stale');
    await assert.rejects(restore(), hasCode('target.exists', '-journal'));
    const change = await restore({ overwrite: true });
    assert.equal(change.action, 'replace');
    assert.deepEqual(readdirSync(folder).sort(), ['app.db', `${undoName}-journal`]);
  });

  it('refuses a folder in its place, even with leave', async () => {
    mkdirSync(path);
    await assert.rejects(restore({ overwrite: true }), hasCode('target.exists', 'not a file'));
  });

  it('refuses while another program writes it, or in WAL mode merely has it open', async () => {
    const child = fork(new URL('../../../test/contract/sqlite-writer-child.ts', import.meta.url), [path]);
    await once(child, 'message');
    try {
      await assert.rejects(restore({ overwrite: true }), hasCode('target.busy', path));
    } finally {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    }
    const idle = new DatabaseSync(path);
    idle.prepare('SELECT count(*) FROM debit').get();
    await assert.rejects(restore({ overwrite: true }), hasCode('target.busy', path));
    assert.equal(idle.prepare('PRAGMA integrity_check').get()?.['integrity_check'], 'ok');
    idle.close();
    await restore({ overwrite: true });
    assert.equal(rowsOf(path), 3);
  });

  it('puts back what it moved when the last step fails', async () => {
    writeFileSync(path, 'rubbish '.repeat(1000));
    writeFileSync(`${path}-wal`, 'stale');
    const target = new SqliteTarget({ path, clock, overwrite: true });
    await target.stage({ ...saved, sizeBytes: saved.bytes.length }, inChunks(saved.bytes));
    // The name of the undo is taken since: the second name cannot be given.
    linkSync(path, join(folder, undoName));
    await assert.rejects(target.commit(), hasCode('storage.failed'));
    await target.abort();
    assert.deepEqual(readdirSync(folder).sort(), ['app.db', 'app.db-wal', undoName]);
    assert.equal(readFileSync(path, 'utf8'), 'rubbish '.repeat(1000));
  });
});
