/** Runs that begin in one second have one name: each makes an archive, and none takes the place of another. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { createBackup, LocalStorage, type Storage } from '../../src/index.ts';
import { FakeClock } from '../../src/testing/index.ts';
import { runHere } from './command-line.ts';
import { entriesSource } from './workspace.ts';

const startedIn = process.cwd();
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-second-'));
  process.chdir(folder);
  await writeFile('one.txt', 'one');
  await writeFile('two.txt', 'two');
  using database = new DatabaseSync('shop.db');
  database.exec('CREATE TABLE customer (id INTEGER); INSERT INTO customer VALUES (1)');
  const storage = { near: { backend: 'local', path: 'near' }, far: { backend: 'local', path: 'far' } };
  await writeFile('holdfast.config.json', JSON.stringify({ storage, encryption: 'none' }));
});
after(async () => {
  process.chdir(startedIn);
  await rm(folder, { recursive: true });
});

const clock = new FakeClock(Date.UTC(2026, 0, 15, 2));
const shown = async (storage: string) => (await readdir(storage)).filter((name) => !name.startsWith('.')).sort();

/** Backs up at the same moment, each without a lease. */
async function atOnce(...commands: readonly (readonly string[])[]) {
  const results = await Promise.all(
    commands.map((words) => runHere(['backup', ...words, '--threads', '1', '--json'], { clock })),
  );
  return results.map(({ exitCode, stdout, stderr }) => {
    assert.equal(exitCode, 0, stderr + stdout);
    return JSON.parse(stdout) as {
      readonly archiveId: string;
      readonly fileSha256: string;
      outputs: { output: string }[];
    };
  });
}

test('two archives of one second stand beside one another on each storage', async () => {
  const files = ['--files', '.', '--storage', 'near', '--storage', 'far'];
  const reports = await atOnce(files, files, files);
  const outputs = reports.flatMap((report) => report.outputs.map(({ output }) => output));
  assert.equal(new Set(outputs).size, 6, outputs.join());
  for (const storage of ['near', 'far']) {
    const ids = [];
    for (const name of await shown(storage)) {
      assert.match(name, /_20260115_020000_\w+(-[23])?\.holdfast$/);
      const { stdout } = await runHere(['inspect', join(storage, name), '--json']);
      ids.push(JSON.parse(stdout).archiveId);
    }
    assert.deepEqual(ids.sort(), reports.map(({ archiveId }) => archiveId).sort());
  }
});

test('what is told of a storage in the tree is no part of it: it changes while a backup runs', async () => {
  const [report] = await atOnce(['--files', '.', '--storage', 'near']);
  assert.ok((await readdir('near')).includes('.holdfast-catalogue'));
  const { stdout } = await runHere(['inspect', report?.outputs[0]?.output ?? '', '--json']);
  const paths = (JSON.parse(stdout).entries as { path: string }[]).map(({ path }) => path);
  assert.ok(paths.some((path) => path.endsWith('/near')));
  assert.deepEqual(
    paths.filter((path) => path.includes('/near/.')),
    [],
  );
});

test('nor does a plain dump take the place of one', async () => {
  const dump = ['--url', 'sqlite:shop.db', '--format', 'plain', '--storage', 'near'];
  await atOnce(dump, dump);
  const names = (await shown('near')).filter((name) => name.endsWith('.db.gz'));
  assert.equal(names.length, 2);
});

test('a path that is given is replaced, as before', async () => {
  await atOnce(['--files', 'one.txt', '--output', 'given.holdfast', '--encryption', 'none']);
  const first = await readFile('given.holdfast');
  await atOnce(['--files', 'two.txt', '--output', 'given.holdfast', '--encryption', 'none']);
  assert.ok(!first.equals(await readFile('given.holdfast')));
});

test('an output that may only be made is refused where another run was faster, and what stands there stays', async () => {
  const storage: Storage = new LocalStorage({ root: join(folder, 'only') });
  const backUp = (text: string, onRead?: () => Promise<unknown>) => {
    const source = entriesSource('given', [{ path: 'files/given/a', bytes: new TextEncoder().encode(text) }]);
    const sources = [
      Object.assign(Object.create(source) as typeof source, {
        async *entries(...given: Parameters<typeof source.entries>) {
          await onRead?.();
          yield* source.entries(...given);
        },
      }),
    ];
    const output = { storage, name: 'a.holdfast', createOnly: true };
    return createBackup({ threads: 1, sources, output, encryption: 'none' });
  };
  let archiveId = '';
  const slower = backUp('slower', async () => {
    archiveId = (await backUp('faster')).archiveId;
  });
  await assert.rejects(slower, { code: 'storage.conflict' });
  const { stdout } = await runHere(['inspect', join(folder, 'only', 'a.holdfast'), '--json']);
  assert.equal(JSON.parse(stdout).archiveId, archiveId);
});
