import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import type { CommandContext } from '../../src/cli/command-context.ts';
import { runCommandLine } from '../../src/cli/program.ts';
import { systemClock } from '../../src/clock.ts';

const time = '2026-01-15T02:00:00Z';

async function run(...words: string[]) {
  const out: string[] = [];
  const context: CommandContext = {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: () => undefined },
    environment: {},
    clock: systemClock,
    signal: new AbortController().signal,
    openTerminal: () => undefined,
    runCommand: () => assert.fail('no command runs another'),
    exitCode: 0,
  };
  const exitCode = await runCommandLine([...words, '--json'], context);
  return { exitCode, result: JSON.parse(out.join('')) };
}

/** A folder with a database, a file and two storages, in which the test goes on. */
async function enterFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-moment-'));
  const before = process.cwd();
  process.chdir(folder);
  t.after(async () => {
    process.chdir(before);
    await rm(folder, { recursive: true });
  });
  const config = {
    databases: [{ alias: 'shop', url: 'sqlite:shop.db', format: 'plain' }],
    files: ['uploads.txt'],
    encryption: 'none',
    storage: { near: { backend: 'local', path: 'near' }, far: { backend: 'local', path: 'far' } },
  };
  await writeFile('holdfast.config.json', JSON.stringify(config));
  await writeFile('uploads.txt', 'hello');
  using database = new DatabaseSync('shop.db');
  database.exec('CREATE TABLE customer (id INTEGER); INSERT INTO customer VALUES (1)');
  return folder;
}

/** Makes the history say that the process of all runs died in the middle of them. */
async function die(): Promise<void> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  using file = new DatabaseSync(join('.holdfast', 'history.db'));
  file.exec(`UPDATE run SET state = 'running', ended_ms = NULL, process_id = ${child.pid}`);
  file.exec("UPDATE run_archive SET state = 'pending'");
}

const names = async (storage: string) => (await readdir(storage)).filter((name) => !name.startsWith('.')).sort();

async function states(): Promise<string[]> {
  const { result } = await run('runs');
  return result.map(({ state }: { state: string }) => state).sort();
}

test('of one moment one archive is made, however often it is run', async (t) => {
  await enterFolder(t);
  assert.equal((await run('backup', '--scheduled-at', time)).exitCode, 0);
  const made = await names('near');
  assert.equal(made.length, 2);
  const again = await run('backup', '--scheduled-at', String(Date.parse(time)));
  assert.deepEqual([again.exitCode, again.result.madeEarlier, again.result.outputs.length], [0, true, 4]);
  assert.deepEqual(await names('near'), made);
  assert.deepEqual(await states(), ['succeeded', 'succeeded', 'succeeded', 'succeeded']);
  assert.equal((await run('backup', '--scheduled-at', '2026-01-16T02:00:00+01:00')).exitCode, 0);
  assert.equal((await run('backup')).exitCode, 0);
  assert.equal((await names('near')).length, 6);
});

test('what a run made before it died is not made again, and a storage that lacks it gets it', async (t) => {
  await enterFolder(t);
  await run('backup', '--scheduled-at', time);
  const made = await names('near');
  const archive = made.find((name) => name.endsWith('.holdfast')) ?? '';
  await rm(join('far', archive));
  await die();
  const again = await run('backup', '--scheduled-at', time);
  assert.deepEqual([again.exitCode, again.result.madeEarlier], [0, true]);
  assert.deepEqual([await names('near'), await names('far')], [made, made]);
  assert.deepEqual(await readFile(join('far', archive)), await readFile(join('near', archive)));
  assert.deepEqual(await states(), ['died', 'died', 'succeeded', 'succeeded']);
  assert.equal((await run('prune', '--dry-run')).exitCode, 0);
});

test('a storage that lacks the plain dump gets it, or is told of', async (t) => {
  await enterFolder(t);
  await run('backup', '--scheduled-at', time);
  const made = await names('near');
  const dump = made.find((name) => !name.endsWith('.holdfast')) ?? '';
  await rm(join('far', dump));
  await die();
  const again = await run('backup', '--scheduled-at', time);
  assert.deepEqual([again.exitCode, again.result.madeEarlier], [0, true]);
  assert.deepEqual(await names('far'), made);
  assert.deepEqual(await readFile(join('far', dump)), await readFile(join('near', dump)));
  assert.deepEqual(await states(), ['died', 'died', 'succeeded', 'succeeded']);
  using file = new DatabaseSync(join('.holdfast', 'history.db'));
  const recorded = file.prepare("SELECT sha256 FROM run_archive WHERE state = 'found' AND sha256 IS NOT NULL").all();
  const sha256 = hash('sha256', await readFile(join('near', dump)));
  assert.deepEqual(
    recorded.map((row) => row['sha256']),
    [sha256],
  );
  await die();
  await rm(join('far', dump));
  await writeFile(join('near', dump), '');
  const lacking = await run('backup', '--scheduled-at', time);
  const { storage, error } = lacking.result.outputs.at(-1);
  assert.deepEqual([lacking.exitCode, storage, error.code], [3, 'far', 'archive.damaged']);
  assert.ok((await states()).includes('incomplete'));
});

test('what another machine put under the name is not taken for it, nor replaced', async (t) => {
  const folder = await enterFolder(t);
  await run('backup', '--scheduled-at', time);
  const [archive = ''] = (await names('near')).filter((name) => name.endsWith('.holdfast'));
  using file = new DatabaseSync(join(folder, '.holdfast', 'history.db'));
  const error = JSON.stringify({ code: 'storage.conflict', message: 'it exists', hint: 'choose another name' });
  const taken = "UPDATE run_archive SET state = 'failed', error = ? WHERE name = ? AND storage IN";
  file.prepare(`${taken} ('far')`).run(error, archive);
  file.exec("UPDATE run SET state = 'incomplete'");
  await writeFile(join('far', archive), 'of another machine');
  const half = await run('backup', '--scheduled-at', time);
  assert.equal(half.result.madeEarlier, true);
  assert.equal(await readFile(join('far', archive), 'utf8'), 'of another machine');
  file.prepare(`${taken} ('near', 'far')`).run(error, archive);
  const again = await run('backup', '--scheduled-at', time);
  assert.deepEqual([again.exitCode, again.result.madeEarlier], [0, undefined]);
  assert.equal((await names('near')).filter((name) => name.endsWith('.holdfast')).length, 2);
});

test('what a run had not made before it died is made', async (t) => {
  await enterFolder(t);
  await run('backup', '--scheduled-at', time);
  const made = await names('near');
  const dump = made.find((name) => !name.endsWith('.holdfast')) ?? '';
  for (const storage of ['near', 'far']) await rm(join(storage, dump));
  await die();
  const again = await run('backup', '--scheduled-at', time);
  assert.deepEqual([again.exitCode, again.result.format], [0, 'plain']);
  assert.equal((await names('near')).length, 2);
  assert.equal((await names('near')).filter((name) => name.endsWith('.holdfast')).length, 1);
  for (const storage of ['near', 'far']) for (const name of await names(storage)) await rm(join(storage, name));
  await die();
  assert.equal((await run('backup', '--scheduled-at', time)).exitCode, 0);
  assert.equal((await names('far')).length, 2);
});

test('a moment is said of what the configuration backs up, and nothing else', async (t) => {
  await enterFolder(t);
  for (const words of [
    ['--scheduled-at', 'yesterday'],
    ['--scheduled-at', time, '--files', '.'],
    ['--enqueue', '--copies', '1'],
    ['--enqueue', '--no-hooks'],
  ]) {
    const { exitCode, result } = await run('backup', ...words);
    assert.deepEqual([exitCode, result.error.code], [2, 'usage.invalid'], words.join(' '));
  }
  const { result } = await run('backup', '--enqueue');
  assert.equal(result.error.code, 'config.invalid');
  assert.equal((await run('backup', '--enqueue', '--job', 'bakcup')).result.error.code, 'usage.invalid');
  assert.equal((await run('worker')).result.error.code, 'config.invalid');
  assert.equal((await run('jobs', 'cancel', 'x')).result.error.code, 'config.invalid');
});

test('shards that a run had not put in place before it died are made, or told of where they cannot be', async (t) => {
  await enterFolder(t);
  const storage = Object.fromEntries(['a', 'b', 'c'].map((path) => [path, { backend: 'local', path }]));
  const spread = { data: 2, parity: 1 };
  const config = { files: ['uploads.txt'], encryption: 'none', storage, protection: { spread } };
  await writeFile('holdfast.config.json', JSON.stringify(config));
  assert.equal((await run('backup', '--scheduled-at', time)).exitCode, 0);
  const [shard = ''] = await names('b');
  await die();
  await rm(join('b', shard));
  const again = await run('backup', '--scheduled-at', time);
  assert.deepEqual([again.exitCode, again.result.madeEarlier], [0, true]);
  assert.deepEqual(await names('b'), [shard]);
  await die();
  await rm('b', { recursive: true });
  await writeFile('b', 'no folder');
  const lacking = await run('backup', '--scheduled-at', time);
  const { storage: place, error } = lacking.result.outputs.at(-1);
  assert.deepEqual([lacking.exitCode, place], [3, 'spread']);
  assert.match(error.message, /b: /);
});
