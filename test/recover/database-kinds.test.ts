/** What a database of a server, a program or a note left in an archive comes out of it without Holdfast: as files. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createBackup, type Source, type SourceEntry } from '../../src/index.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';

const script = join(import.meta.dirname, '../../recover/holdfast-recover.mjs');
const workspace = makeWorkspace('recover-kinds');

test('entries of every kind are written as files', async () => {
  const entry = (path: string, kind: SourceEntry['kind']): SourceEntry => ({
    path: `databases/shop/${path}`,
    kind,
    expectedSizeBytes: 1,
    metadata: { engine: 'later', rows: 1 },
    async *open() {
      yield Buffer.from(`bytes of ${path}`);
    },
  });
  const entries = [
    entry('schema/database', 'schema'),
    entry('tables/public.invoice', 'table'),
    entry('large-objects', 'large-objects'),
    entry('roles', 'roles'),
    entry('dump.sql', 'dump'),
    entry('stream', 'stream'),
  ];
  const source: Source = {
    name: 'shop',
    describe: async () => ({ type: 'later', label: 'shop', expectedSizeBytes: 1 }),
    async *entries() {
      yield* entries;
    },
    close: async () => {},
  };
  const archive = join(workspace, 'shop.holdfast');
  await createBackup({ threads: 1, sources: [source], output: archive, encryption: 'none' });
  const output = join(workspace, 'out');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, archive, output], { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  for (const { path } of entries) {
    assert.equal(readFileSync(join(output, path), 'utf8'), `bytes of ${path.slice('databases/shop/'.length)}`);
  }
});
