import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { partialPath } from '../disk/partial-path.ts';
import { collectSources } from './collect-sources.ts';

test('sources of one kind with the same name get numbers; a database and a tree may share one', async () => {
  const urls = ['a/shop.db', 'b/shop.db', 'c/shop.db'].map((path) => ({ url: `sqlite:${path}` }));
  const named = [{ url: 'sqlite:d.db', name: 'shop' }];
  const trees = ['x/shop', 'y/shop'].map((path) => ({ path }));
  const sources = await collectSources([...urls, ...named, ...trees], ['out.holdfast']);
  assert.deepEqual(
    sources.map((source) => source.name),
    ['shop', 'shop-2', 'shop-3', 'shop-4', 'shop', 'shop-2'],
  );
});

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
      const [source] = await collectSources([{ path }], [join(folder, 'link/backups/shop.holdfast')]);
      const files: string[] = [];
      const report = () => assert.fail('nothing may be reported');
      for await (const entry of source!.entries({ report, temporaryFolder: folder })) {
        for await (const _ of entry.open?.(undefined) ?? []);
        if (entry.kind === 'file') files.push(entry.path.split('/').slice(2).join('/'));
      }
      assert.deepEqual(files.sort(), [...kept].sort());
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
