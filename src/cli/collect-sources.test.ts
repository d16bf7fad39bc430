import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { partialPath } from '../disk/partial-path.ts';
import { collectSources, type LocalOutputs, storageFoldersIn } from './collect-sources.ts';

test('sources of one kind with the same name get numbers; a database and a tree may share one', async () => {
  const urls = ['a/shop.db', 'b/shop.db', 'c/shop.db'].map((path) => ({ url: `sqlite:${path}` }));
  const named = [{ url: 'sqlite:d.db', name: 'shop' }];
  const trees = ['x/shop', 'y/shop'].map((path) => ({ path }));
  const sources = await collectSources([...urls, ...named, ...trees]);
  assert.deepEqual(
    sources.map((source) => source.name),
    ['shop', 'shop-2', 'shop-3', 'shop-4', 'shop', 'shop-2'],
  );
});

/** What of a tree would be backed up. */
async function filesOf(path: string, local: LocalOutputs): Promise<string[]> {
  const [source] = await collectSources([{ path }], local);
  assert.ok(source);
  const files: string[] = [];
  const report = () => assert.fail('nothing may be reported');
  for await (const entry of source.entries({ report, temporaryFolder: tmpdir() })) {
    for await (const _ of entry.open?.(undefined) ?? []);
    if (entry.kind === 'file') files.push(entry.path.split('/').slice(2).join('/'));
  }
  return files.sort();
}

test('the archive and what is written beside it first are left out of the tree, by whatever path', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-collect-'));
  try {
    const tree = join(folder, 'tree');
    await mkdir(join(tree, 'backups'), { recursive: true });
    await symlink(tree, join(folder, 'link'));
    const kept = ['shop.holdfast', 'backups/other.holdfast', 'backups/.shop.holdfast.txt'];
    const output = join(tree, 'backups/shop.holdfast');
    for (const name of kept) await writeFile(join(tree, name), 'x');
    await writeFile(output, 'x');
    await writeFile(partialPath(output), 'x');
    for (const path of [tree, join(folder, 'link')]) {
      const local = { paths: [join(folder, 'link/backups/shop.holdfast')], storageFolders: [] };
      assert.deepEqual(await filesOf(path, local), [...kept].sort());
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('archives of a storage that lies in a tree are no part of it, by whatever path, and all else in it is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-collect-'));
  try {
    const tree = join(folder, 'tree');
    await mkdir(join(tree, 'backups/2026'), { recursive: true });
    await symlink(tree, join(folder, 'link'));
    const kept = ['backups/.holdfast', 'backups/notes.txt', 'backups2.holdfast', 'shop.holdfast'];
    for (const name of [...kept, 'backups/shop.holdfast', 'backups/2026/shop.holdfast']) {
      await writeFile(join(tree, name), 'x');
    }
    for (const path of [tree, join(folder, 'link')]) {
      const local = { paths: [], storageFolders: [join(folder, 'link/backups')] };
      assert.deepEqual(await filesOf(path, local), kept);
      assert.deepEqual(await filesOf(path, { paths: [], storageFolders: [tree] }), kept.slice(0, 2));
      assert.deepEqual(await storageFoldersIn(path, local.storageFolders), local.storageFolders);
      assert.deepEqual(await storageFoldersIn(path, [path, folder, join(folder, 'treetop')]), [path]);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
