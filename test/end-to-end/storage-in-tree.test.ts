/** A storage that lies in the tree that is backed up to it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FakeClock } from '../../src/testing/index.ts';
import { runHere } from './command-line.ts';

const startedIn = process.cwd();
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-nested-'));
  process.chdir(folder);
  const storage = { near: { backend: 'local', path: 'backups' } };
  await writeFile('holdfast.config.json', JSON.stringify({ files: ['.'], storage, encryption: 'none' }));
  await writeFile('kept.txt', 'kept');
});
after(async () => {
  process.chdir(startedIn);
  await rm(folder, { recursive: true });
});

test('each backup holds the tree, and none of the archives before it', async () => {
  const clock = new FakeClock(Date.UTC(2026, 0, 15, 2));
  for (let day = 0; day < 3; day++) {
    const { exitCode, stdout, stderr } = await runHere(['backup', '--threads', '1', '--json'], { clock });
    assert.equal(exitCode, 0, stderr + stdout);
    const { output } = JSON.parse(stdout);
    const inspected = await runHere(['inspect', output, '--json']);
    const { entries } = JSON.parse(inspected.stdout) as { entries: { path: string; kind: string }[] };
    const files = entries.filter(({ kind }) => kind === 'file').map(({ path }) => path.split('/').slice(2).join('/'));
    assert.ok(files.includes('kept.txt'));
    assert.deepEqual(
      files.filter((path) => path.endsWith('.holdfast')),
      [],
    );
    clock.advance(86_400_000);
  }
});

test('what is left out is told before', async () => {
  const { stderr } = await runHere(['backup', '--dry-run', '--json']);
  assert.match(stderr, /archives in .*backups lie in .*, and are not backed up with it/);
});
