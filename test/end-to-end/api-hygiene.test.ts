/** An operation that has ended holds nothing open: a script that uses the library ends by itself. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeDatabase, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('hygiene');
const program = fileURLToPath(new URL('hygiene-child.ts', import.meta.url));

test('a script ends by itself after its operations, those that failed too', () => {
  mkdirSync(join(workspace, 'tree'));
  writeFileSync(join(workspace, 'tree', 'file'), 'x'.repeat(3_000_000));
  makeDatabase(join(workspace, 'shop.db'), 5);
  const args = [program, workspace];
  // The limit ends a script that hangs; one that does not takes a few seconds.
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
  assert.equal(signal, null, 'the script had to be stopped');
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
  assert.deepEqual(stdout.trim().split('\n'), [
    'target.exists',
    'key.wrong',
    'archive.not_an_archive',
    'source.not_found',
    '[]',
  ]);
});
