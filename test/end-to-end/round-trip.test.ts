/** What goes in comes out: content, modes, times, rows. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type BackupOptions,
  type Codec,
  createBackup,
  FilesSource,
  openArchive,
  restoreBackup,
  Secret,
  SqliteSource,
  validateBackup,
} from '../../src/index.ts';
import { makeOddTree } from './odd-tree.ts';
import { ageKeys, describeTree, dumpDatabase, emptyFolder, makeDatabase, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('round-trip');
const chinook = fileURLToPath(new URL('../../../shared/data/chinook/Chinook_Sqlite.sqlite', import.meta.url));
const plain = { encryption: 'none', threads: 2 } as const;

test('a tree with every oddity comes back as it was, healed by no one', async () => {
  const folder = await emptyFolder(workspace, 'odd');
  const tree = join(folder, 'tree');
  makeOddTree(tree, { largeBytes: 20_000_000 });
  const before = await describeTree(tree);
  const output = join(folder, 'new', 'folder', 'x.holdfast');
  const report = await createBackup({ ...plain, sources: [new FilesSource({ path: tree })], output });
  assert.deepEqual(report.problems, []);
  assert.equal(report.entryCount, before.length);
  assert.equal(report.verified, 'contents');
  assert.deepEqual(await describeTree(tree), before);
  const checked = await validateBackup({ archive: output, threads: 2 });
  assert.deepEqual([checked.state, checked.level, checked.entryCount], ['intact', 'contents', before.length]);
  const restored = await restoreBackup({ archive: output, threads: 2, filesTo: join(folder, 'out') });
  assert.deepEqual(await describeTree(join(folder, 'out', 'tree')), before);
  const { mtimeMs } = statSync(join(folder, 'out', 'tree', 'one'));
  assert.ok(Math.abs(mtimeMs - 1_000_000_000_123.456) < 0.002, String(mtimeMs));
  assert.deepEqual(
    [restored.entryCount, restored.sizeBytes, restored.healedBlocks, restored.lostEntries, restored.dryRun],
    [report.entryCount, report.plainSizeBytes, 0, [], false],
  );
  assert.deepEqual(readdirSync(join(folder, 'new', 'folder')), ['x.holdfast']);
  assert.deepEqual(readdirSync(join(folder, 'out')), ['tree']);
});

const variants: Record<string, Partial<BackupOptions> & { copies: number }> = {
  zstd: { compression: 'zstd', copies: 1 },
  gzip: { compression: 'gzip', copies: 3 },
  bz2: { compression: 'bz2', copies: 1 },
  xz: { compression: 'xz', copies: 1 },
  'no codec': { compression: 'none', copies: 2 },
  'small stripes': { compression: 'none', copies: 8, dataBlocks: 1, parityBlocks: 2 },
  unverified: { compression: 'zstd', copies: 2, verify: 'none' },
  'verified by structure': { compression: 'zstd', copies: 2, verify: 'structure' },
};

test('every codec and shape brings the same bytes back', async () => {
  const folder = await emptyFolder(workspace, 'codecs');
  const tree = join(folder, 'tree');
  makeOddTree(tree, { largeBytes: 600_000 });
  const before = await describeTree(tree);
  for (const [name, variant] of Object.entries(variants)) {
    const output = join(folder, `${name}.holdfast`);
    await createBackup({ ...plain, ...variant, sources: [new FilesSource({ path: tree, name })], output });
    const { summary, ...archive } = await openAndSummarize(output);
    const codec: Codec = variant.compression ?? 'zstd';
    assert.deepEqual([summary.compression, summary.copies, summary.encryption], [codec, variant.copies, 'none'], name);
    assert.equal(archive.entryCount, before.length);
    await restoreBackup({ archive: output, threads: 2, filesTo: join(folder, 'out') });
    assert.deepEqual(await describeTree(join(folder, 'out', name)), before, name);
  }
});

async function openAndSummarize(archive: string) {
  await using opened = await openArchive({ archive, threads: 1 });
  let entryCount = 0;
  for await (const _ of opened.entries()) entryCount += 1;
  return { summary: opened.summary, entryCount };
}

test('several databases and several trees in one archive, for a passphrase and two recipients', async () => {
  const folder = await emptyFolder(workspace, 'several');
  for (const name of ['shop', 'forum']) makeDatabase(join(folder, `${name}.db`), name.length * 100);
  for (const name of ['uploads', 'themes']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'file'), name);
  }
  const output = join(folder, 'all.holdfast');
  const passphrases = [new Secret('five words that you choose')];
  const report = await createBackup({
    threads: 2,
    sources: [
      new SqliteSource({ path: join(folder, 'shop.db') }),
      new FilesSource({ path: join(folder, 'uploads') }),
      new SqliteSource({ path: join(folder, 'forum.db') }),
      new FilesSource({ path: join(folder, 'themes') }),
      new FilesSource({ path: join(folder, 'themes', 'file'), name: 'single' }),
    ],
    output,
    keys: { passphrases, recipients: ageKeys.map(({ recipient }) => recipient) },
  });
  assert.deepEqual([report.rowCount, report.entryCount], [900, 7]);
  const identities = ageKeys.map(({ identity }) => new Secret(identity));
  const keys = [{ passphrases }, { identities: [identities[0] as Secret] }, { identities: [identities[1] as Secret] }];
  for (const [index, key] of keys.entries()) {
    const out = join(folder, `out-${index}`);
    const restored = await restoreBackup({
      threads: 2,
      archive: output,
      keys: key,
      to: [`shop=sqlite:${out}/shop.db`, `forum=sqlite:${out}/sub/forum.db`],
      filesTo: join(out, 'files'),
    });
    assert.equal(restored.rowCount, 900);
    assert.deepEqual(dumpDatabase(join(out, 'shop.db')), dumpDatabase(join(folder, 'shop.db')));
    assert.deepEqual(dumpDatabase(join(out, 'sub', 'forum.db')), dumpDatabase(join(folder, 'forum.db')));
    for (const name of ['uploads', 'themes']) {
      assert.deepEqual(await describeTree(join(out, 'files', name)), await describeTree(join(folder, name)));
    }
    assert.equal(readFileSync(join(out, 'files', 'single'), 'utf8'), 'themes');
  }
});

test('the Chinook database comes back row by row', {
  skip: !existsSync(chinook) && 'the sample is not here',
}, async () => {
  const folder = await emptyFolder(workspace, 'chinook');
  const output = join(folder, 'chinook.holdfast');
  const report = await createBackup({ ...plain, sources: [new SqliteSource({ path: chinook, name: 'c' })], output });
  assert.equal(report.rowCount, 15_607);
  const copy = join(folder, 'copy.db');
  const restored = await restoreBackup({ archive: output, threads: 2, to: [`sqlite:${copy}`] });
  assert.equal(restored.rowCount, 15_607);
  assert.deepEqual(dumpDatabase(copy), dumpDatabase(chinook));
});

test('a database in WAL mode that is written all the time is caught between two transactions', async () => {
  const folder = await emptyFolder(workspace, 'busy');
  const path = join(folder, 'busy.db');
  const writer = fork(fileURLToPath(new URL('../contract/sqlite-writer-child.ts', import.meta.url)), [path]);
  try {
    await once(writer, 'message');
    for (let round = 0; round < 2; round += 1) {
      const output = join(folder, `${round}.holdfast`);
      const { rowCount } = await createBackup({ ...plain, sources: [new SqliteSource({ path })], output });
      const copy = join(folder, `${round}.db`);
      await restoreBackup({ archive: output, threads: 2, to: [`sqlite:${copy}`] });
      const database = new DatabaseSync(copy, { readOnly: true });
      const sum = (table: string) =>
        JSON.stringify(database.prepare(`SELECT count(*), sum(amount) FROM ${table}`).get());
      assert.equal(sum('debit'), sum('credit'));
      assert.ok(rowCount >= 600 && rowCount % 2 === 0);
      database.close();
    }
  } finally {
    const gone = once(writer, 'exit');
    writer.disconnect();
    await gone;
  }
});
