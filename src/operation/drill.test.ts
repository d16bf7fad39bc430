import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { before, describe, it } from 'node:test';
import { makeDatabase, makeWorkspace } from '../../test/end-to-end/workspace.ts';
import { writeArchive } from '../../test/end-to-end/write-archive.ts';
import {
  CommandSource,
  createBackup,
  createPlainBackup,
  type DrillContext,
  type DrillOptions,
  drillBackup,
  FilesSource,
  inspectArchive,
  openArchive,
  Secret,
  sourceFromUrl,
} from '../index.ts';

const workspace = makeWorkspace('drill');
const archive = join(workspace, 'all.holdfast');
const passphrases = [new Secret('correct horse')];
const keys = { passphrases };

async function drill(options: Partial<DrillOptions> = {}) {
  const temporaryFolder = await mkdtemp(join(tmpdir(), 'holdfast-drill-test-'));
  try {
    return await drillBackup({ archive, keys, threads: 0, temporaryFolder, ...options });
  } finally {
    assert.deepEqual(await readdir(temporaryFolder), [], 'something was left behind');
    await rm(temporaryFolder, { recursive: true });
  }
}

before(async () => {
  makeDatabase(join(workspace, 'shop.db'), 40);
  makeDatabase(join(workspace, 'crm.db'), 7);
  const tree = join(workspace, 'uploads');
  await mkdir(join(tree, 'deep', 'empty'), { recursive: true });
  await writeFile(join(tree, 'deep', 'a.txt'), 'a'.repeat(100_000));
  await writeFile(join(tree, '.hidden'), '');
  await symlink('deep/a.txt', join(tree, 'link'));
  await chmod(join(tree, 'deep', 'empty'), 0o500);
  const sources = [
    await sourceFromUrl(`sqlite:${join(workspace, 'shop.db')}`),
    await sourceFromUrl(`sqlite:${join(workspace, 'crm.db')}`),
    new CommandSource({ name: 'cache', command: ['echo', 'data'] }),
    new FilesSource({ path: tree }),
  ];
  await createBackup({ sources, output: archive, keys, threads: 0 });
});

describe('a drill', () => {
  it('restores everything elsewhere, proves it, and leaves nothing', async () => {
    const report = await drill();
    assert.deepEqual(
      report.databases.map(({ name, tableCount, rowCount }) => [name, tableCount, rowCount]),
      [
        ['shop', 1, 40],
        ['crm', 1, 7],
      ],
    );
    const { isProven, differences, rowCount, tableCount, fileCount, notRestored, leftovers, healedBlocks } = report;
    assert.deepEqual([isProven, differences, leftovers], [true, [], []]);
    assert.deepEqual([rowCount, tableCount, fileCount, healedBlocks], [47, 2, 2, 0]);
    assert.deepEqual(notRestored, ['databases/cache/stream']);
    assert.ok(report.restoreMs <= report.durationMs);
  });

  it('asks what is expected, by statements and functions, of the database that is meant', async () => {
    const seen: Partial<DrillContext>[] = [];
    const looksAtFiles = async (context: DrillContext) => {
      seen.push(context);
      const folder = context.filesFolder ?? '';
      assert.equal((await stat(join(folder, 'uploads', 'deep', 'a.txt'))).size, 100_000);
      assert.equal(Number((await context.query('SELECT count(*) FROM item', 'crm'))[0]?.[0]), 7);
    };
    const report = await drill({
      checks: [
        { database: 'shop', sql: 'SELECT count(*) FROM item', expect: 40 },
        { database: 'shop', sql: 'SELECT count(*), max(name) FROM item', expect: [[40, 'item 9']] },
        { database: 'shop', sql: 'SELECT name FROM item WHERE id = 1', expect: 'item 0' },
        { database: 'shop', sql: 'SELECT NULL', expect: null },
        { database: 'shop', sql: 'SELECT 1 = 1', expect: true },
        { database: 'crm', sql: 'SELECT count(*) FROM item', expect: { atLeast: 7, atMost: 7 } },
        { database: 'elsewhere', sql: 'SELECT 1', expect: 2 },
        looksAtFiles,
      ],
    });
    assert.deepEqual(
      report.checks.filter(({ isPassed }) => !isPassed),
      [],
    );
    assert.deepEqual([report.isProven, report.checks.length], [true, 7]);
    assert.equal(report.checks.at(-1)?.check, 'looksAtFiles');
    assert.deepEqual(seen[0]?.databases, ['shop', 'crm']);
  });

  it('does not prove what a check does not find, and says what it found', async () => {
    const report = await drill({
      checks: [
        { database: 'shop', sql: 'SELECT count(*) FROM item', expect: 41 },
        { database: 'shop', sql: 'SELECT count(*) FROM item', expect: { atLeast: 41 } },
        { database: 'shop', sql: 'SELECT name FROM item WHERE id < 3', expect: [['item 0']] },
        { database: 'shop', sql: 'SELECT 1 FROM item WHERE id < 0', expect: 1 },
        { database: 'shop', sql: 'SELECT absent FROM item', expect: 1 },
        { database: 'shop', sql: 'DELETE FROM item', expect: 1 },
        { sql: 'SELECT 1', expect: 1 },
        () => false,
        () => {
          throw new Error('not good');
        },
      ],
    });
    assert.equal(report.isProven, false);
    assert.deepEqual(
      report.checks.map(({ message }) => message?.replace(/^\/.*?: /, '')),
      [
        'it gave 40 where 41 is expected',
        'it gave 40 where {"atLeast":41} is expected',
        'it gave [["item 0"],["item 1"]] where [["item 0"]] is expected',
        'it gave no rows',
        'no such column: absent',
        'attempt to write a readonly database',
        'it does not say which database: shop, crm',
        'it gave false',
        'not good',
      ],
    );
  });

  it('ends a check that does not end, and a drill that takes too long', async () => {
    const endless = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n';
    const { checks } = await drill({
      timeoutMs: 300,
      checks: [{ database: 'shop', sql: endless, expect: 1 }, () => new Promise(() => undefined)],
    });
    assert.deepEqual(
      checks.map(({ message }) => message?.replace(/^\/.*?: /, '')),
      ['no answer within 0.3 s', 'no answer within 0.3 s'],
    );
    await assert.rejects(drill({ limitMs: 1 }), { code: 'drill.failed' });
    await assert.rejects(drill({ signal: AbortSignal.abort() }), { code: 'operation.interrupted' });
  });

  it('finds a count that is wrong in the archive', async () => {
    const opened = await openArchive({ archive, keys, threads: 0 });
    const entry = await opened.entry('databases/shop/database.sqlite');
    const chunks: Buffer[] = [];
    for await (const chunk of opened.read(entry)) chunks.push(Buffer.from(chunk));
    const bytes = Buffer.concat(chunks);
    await opened.close();
    const metadata = { ...entry.metadata, rows: 39, tables: [{ name: 'item', rows: 39 }] };
    const wrong = join(workspace, 'wrong.holdfast');
    await writeFile(wrong, await writeArchive([{ path: entry.path, kind: entry.kind, metadata, bytes }]));
    await assert.rejects(drill({ archive: wrong }), { code: 'target.invalid', message: /40 rows where 39/ });
  });

  it('takes a plain dump, and one that is a file as it stands', async () => {
    for (const compression of ['gzip', 'none'] as const) {
      const output = join(workspace, `shop-${compression}.db.gpg`);
      const source = await sourceFromUrl(`sqlite:${join(workspace, 'shop.db')}`);
      await createPlainBackup({ source, output, compression, keys });
      const checks = [{ sql: 'SELECT count(*) FROM item', expect: 40 }];
      const report = await drill({ archive: output, plainKeys: keys, checks });
      assert.deepEqual([report.isProven, report.format, report.rowCount], [true, 'plain', 40]);
      assert.equal(report.checks.length, 1);
    }
  });

  it('refuses what has no room, and what it has no key for, before anything is made', async () => {
    await assert.rejects(drill({ keys: { passphrases: [new Secret('wrong')] } }), { code: 'key.wrong' });
    const sizeBytes = 2 ** 50;
    const { checkRoom } = await import('./drill-run.ts');
    await assert.rejects(checkRoom(workspace, sizeBytes), { code: 'storage.full', message: /MiB are free/ });
  });

  it('keeps what it restores to itself', async () => {
    const modes: number[] = [];
    const look = async ({ filesFolder = '' }: DrillContext) => {
      const folder = join(filesFolder, '..');
      modes.push((await stat(folder)).mode & 0o777);
      for (const name of await readdir(folder)) {
        if (name.endsWith('.sqlite')) modes.push((await stat(join(folder, name))).mode & 0o777);
      }
    };
    await drill({ checks: [look] });
    assert.deepEqual(modes, [0o700, 0o600, 0o600]);
  });
});

it('a table without rows is proven as well', async () => {
  const path = join(workspace, 'empty.db');
  new DatabaseSync(path).exec('CREATE TABLE unused (id INTEGER)');
  const output = join(workspace, 'empty.holdfast');
  await createBackup({ sources: [await sourceFromUrl(`sqlite:${path}`)], output, encryption: 'none', threads: 0 });
  const { entries = [] } = await inspectArchive({ archive: output });
  assert.equal(entries.length, 1);
  const report = await drill({ archive: output, checks: [{ sql: 'SELECT count(*) FROM unused', expect: 0 }] });
  assert.deepEqual([report.isProven, report.tableCount, report.rowCount], [true, 1, 0]);
});
