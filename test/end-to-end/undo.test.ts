/** What a restore replaced is brought back, and the other way round. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { createBackup, FilesSource, HoldfastError, restoreBackup, SqliteSource, undoRestore } from '../../src/index.ts';
import { describeTree, dumpDatabase, emptyFolder, makeDatabase, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('undo');
const archive = join(workspace, 'all.holdfast');
const database = join(workspace, 'shop.db');
const tree = join(workspace, 'uploads');
const single = join(workspace, 'single.txt');

before(async () => {
  makeDatabase(database, 10);
  mkdirSync(join(tree, 'deep'), { recursive: true });
  writeFileSync(join(tree, 'deep', 'a.txt'), 'archived a');
  writeFileSync(join(tree, 'b.txt'), 'archived b');
  symlinkSync('archived', join(tree, 'link'));
  writeFileSync(single, 'archived single');
  const sources = [
    new SqliteSource({ path: database }),
    new FilesSource({ path: tree }),
    new FilesSource({ path: single }),
  ];
  await createBackup({ threads: 0, sources, output: archive, encryption: 'none' });
});

const noUndo = (error: unknown) => error instanceof HoldfastError && error.code === 'target.no_undo';

test('a database goes back and forth', async () => {
  const folder = await emptyFolder(workspace, 'database');
  const path = join(folder, 'shop.db');
  makeDatabase(path, 3);
  const mine = dumpDatabase(path);
  const to = `sqlite:${path}`;
  await assert.rejects(undoRestore({ to }), noUndo);
  const only = ['databases/**'];
  const { actions } = await restoreBackup({ archive, threads: 0, only, to: [to], overwrite: true });
  const restored = dumpDatabase(path);
  const dry = await undoRestore({ to, dryRun: true });
  assert.deepEqual([dry.kind, dry.restored, dry.dryRun], ['sqlite', actions[0]?.undo, true]);
  assert.deepEqual(dumpDatabase(path), restored);
  const done = await undoRestore({ to });
  assert.deepEqual(dumpDatabase(path), mine);
  assert.equal((await undoRestore({ to })).restored, done.undo);
  assert.deepEqual(dumpDatabase(path), restored);
});

test('the files that a restore replaced come back, those that it added stay', async () => {
  const folder = await emptyFolder(workspace, 'files');
  const root = join(folder, 'uploads');
  mkdirSync(join(root, 'deep'), { recursive: true });
  writeFileSync(join(root, 'deep', 'a.txt'), 'mine a', { mode: 0o640 });
  symlinkSync('mine', join(root, 'link'));
  writeFileSync(join(root, 'own.txt'), 'mine alone');
  const options = {
    archive,
    threads: 0,
    only: ['files/uploads', 'files/uploads/**'],
    filesTo: folder,
    overwrite: true,
  };
  const { actions } = await restoreBackup(options);
  // Folders get another time when their names change.
  const restored = await describeTree(root, { times: false });
  const dry = await undoRestore({ files: root, dryRun: true });
  assert.equal(dry.restored, actions[0]?.undo);
  assert.deepEqual(await describeTree(root, { times: false }), restored);

  const first = await undoRestore({ files: root });
  const read = (name: string) => readFileSync(join(root, name), 'utf8');
  assert.deepEqual([read('deep/a.txt'), read('own.txt'), read('b.txt')], ['mine a', 'mine alone', 'archived b']);
  assert.equal(await readlink(join(root, 'link')), 'mine');
  assert.equal((await undoRestore({ files: root })).restored, first.undo);
  assert.deepEqual(await describeTree(root, { times: false }), restored);
  assert.equal(readdirSync(folder).length, 2, 'the tree and one undo');
});

test('a single file comes back', async () => {
  const folder = await emptyFolder(workspace, 'single');
  const path = join(folder, 'single.txt');
  writeFileSync(path, 'mine');
  await restoreBackup({ archive, threads: 0, only: ['files/single.txt'], filesTo: folder, overwrite: true });
  assert.equal(readFileSync(path, 'utf8'), 'archived single');
  await undoRestore({ files: path });
  assert.equal(readFileSync(path, 'utf8'), 'mine');
  await undoRestore({ files: path });
  assert.equal(readFileSync(path, 'utf8'), 'archived single');
});

test('a failure takes everything back, and both are still kept', async () => {
  const folder = await emptyFolder(workspace, 'failure');
  const root = join(folder, 'uploads');
  mkdirSync(join(root, 'deep'), { recursive: true });
  writeFileSync(join(root, 'deep', 'a.txt'), 'mine a');
  writeFileSync(join(root, 'b.txt'), 'mine b');
  const options = {
    archive,
    threads: 0,
    only: ['files/uploads', 'files/uploads/**'],
    filesTo: folder,
    overwrite: true,
  };
  const { actions } = await restoreBackup(options);
  // What stands there now is of another kind than what is kept.
  await rm(join(root, 'deep'), { recursive: true });
  writeFileSync(join(root, 'deep'), 'no folder');
  await assert.rejects(
    undoRestore({ files: root }),
    (error) => error instanceof HoldfastError && error.code === 'target.exists',
  );
  assert.equal(readFileSync(join(root, 'b.txt'), 'utf8'), 'archived b');
  assert.deepEqual(readdirSync(folder).sort(), ['uploads', String(actions[0]?.undo).slice(folder.length + 1)]);
});

test('one target is named, no more', async () => {
  await assert.rejects(undoRestore({}), /one target/);
  await assert.rejects(undoRestore({ to: 'sqlite:a.db', files: 'b' }), /one target/);
});
