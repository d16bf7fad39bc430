import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createBackup, FilesSource, restoreBackup, Secret, type Storage, validateBackup } from '../../src/index.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { describeTree, emptyFolder } from '../end-to-end/workspace.ts';

const keys = { passphrases: [new Secret('four words of a test')] };

/** Writes an archive of two copies to a storage, checks it there, and restores one file and all, by ranges. */
export async function archiveRoundTrip(storage: Storage, workspace: string): Promise<void> {
  const folder = await emptyFolder(workspace, `round trip to ${storage.properties.backend}`);
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'photos'), { recursive: true });
  writeFileSync(join(tree, 'large'), new SeededRandom(3).bytes(9_000_000));
  writeFileSync(join(tree, 'photos', 'a.png'), new SeededRandom(4).bytes(300_000));
  writeFileSync(join(tree, 'empty'), '');
  const archive = { storage, name: 'daily/shop 2026.holdfast' };
  const source = new FilesSource({ path: tree });
  const report = await createBackup({ threads: 2, sources: [source], output: archive, keys, copies: 2 });
  assert.deepEqual([report.problems, report.verified], [[], 'contents']);
  const checked = await validateBackup({ archive, keys, threads: 2 });
  assert.deepEqual([checked.state, checked.level, checked.blocks.damaged], ['intact', 'contents', 0]);
  const one = join(folder, 'one');
  await restoreBackup({ archive, keys, threads: 2, only: ['**/a.png'], filesTo: one });
  const original = readFileSync(join(tree, 'photos', 'a.png'));
  assert.equal(Buffer.compare(readFileSync(join(one, 'tree', 'photos', 'a.png')), original), 0);
  const all = join(folder, 'all');
  await restoreBackup({ archive, keys, threads: 2, filesTo: all });
  assert.deepEqual(await describeTree(join(all, 'tree')), await describeTree(tree));
}
