/** What every remote storage has to pass: a backup with two copies, its validation and its restores, over the storage. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createBackup, FilesSource, restoreBackup, Secret, type Storage, validateBackup } from '../../src/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { describeTree, emptyFolder } from '../end-to-end/workspace.ts';

const keys = { passphrases: [new Secret('a passphrase of the tests')] };

/** A tree of about `mebibytes` that cannot be compressed. */
export function makeTree(folder: string, mebibytes: number): void {
  mkdirSync(folder, { recursive: true });
  const random = new SeededRandom(8);
  writeFileSync(join(folder, 'small.txt'), 'a small file');
  for (let index = 0; index < mebibytes; index += 1) {
    writeFileSync(join(folder, `part ${index}`), random.bytes(1024 * 1024 - 1000 + index));
  }
}

/** Backs a tree up to a storage, in two copies. */
export async function backUpTo(storage: Storage, tree: string, name: string) {
  const sources = [new FilesSource({ path: tree, name: 'tree' })];
  return await createBackup({ threads: 2, sources, output: { storage, name }, keys, copies: 2 });
}

/** Backs up, validates, restores one file, and all. */
export async function assertArchive(storage: Storage, workspace: string, tree: string): Promise<void> {
  const name = 'daily/shop.holdfast';
  const report = await backUpTo(storage, tree, name);
  assert.equal(report.verified, 'contents');
  const archive = { storage, name };
  const validation = await validateBackup({ archive, keys, level: 'contents', threads: 2 });
  assert.equal(validation.state, 'intact');
  assert.equal(validation.blocks.damaged, 0);
  const one = await emptyFolder(workspace, 'one');
  const restored = await restoreBackup({ archive, keys, only: ['files/tree/small.txt'], filesTo: one, threads: 2 });
  assert.equal(restored.entryCount, 1);
  // By ranges: what is read is a small part of the archive.
  assert.ok(restored.readBytes < report.sizeBytes / 3, `${restored.readBytes} of ${report.sizeBytes}`);
  const all = await emptyFolder(workspace, 'all');
  await restoreBackup({ archive, keys, filesTo: all, threads: 2 });
  assert.deepEqual(await describeTree(join(all, 'tree')), await describeTree(tree));
}

/** Whether an archive there is whole. */
export async function isIntact(storage: Storage, name: string): Promise<boolean> {
  const { state } = await validateBackup({ archive: { storage, name }, keys, level: 'contents', threads: 1 });
  return state === 'intact';
}

/** Restores the trees of an archive there into a folder. */
export async function restoreAll(storage: Storage, name: string, filesTo: string): Promise<void> {
  await restoreBackup({ archive: { storage, name }, keys, filesTo, threads: 2 });
}
