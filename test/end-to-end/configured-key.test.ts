/** An archive that is given by its path is opened with the key of the configuration here, unless another one is given. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { runHere } from './command-line.ts';

const startedIn = process.cwd();
let folder: string;
let archive: string;
let dump: string;

/** Another passphrase than that of the archives in the second folder. */
async function configure(encryptionKey: string) {
  const storage = { near: { backend: 'local', path: 'near' } };
  const databases = [{ alias: 'shop', url: 'sqlite:shop.db', format: 'plain' }];
  const files = ['kept.txt'];
  await writeFile('holdfast.config.json', JSON.stringify({ databases, files, encryptionKey, storage }));
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-key-'));
  process.chdir(folder);
  await writeFile('kept.txt', 'kept');
  using database = new DatabaseSync('shop.db');
  database.exec('CREATE TABLE customer (id INTEGER); INSERT INTO customer VALUES (1)');
  await configure('of the configuration');
  const made = await runHere(['backup', '--threads', '1']);
  assert.equal(made.exitCode, 0, made.stderr);
  const names = (await readdir('near')).filter((name) => !name.startsWith('.'));
  archive = join('near', names.find((name) => name.endsWith('.holdfast')) ?? '');
  dump = join('near', names.find((name) => name.endsWith('.gpg')) ?? '');
});
after(async () => {
  process.chdir(startedIn);
  await rm(folder, { recursive: true });
});

const restore = async (...more: readonly string[]) => {
  await rm('out', { recursive: true, force: true });
  return await runHere(['restore', archive, '--files-to', 'out', '--threads', '1', '--yes', ...more]);
};

test('restore, verify and inspect of a path', async () => {
  const restored = await restore();
  assert.equal(restored.exitCode, 0, restored.stderr);
  assert.equal(await readFile(join('out', 'kept.txt'), 'utf8'), 'kept');
  const verified = JSON.parse((await runHere(['verify', archive, '--threads', '1', '--json'])).stdout);
  assert.equal(verified.level, 'contents');
  const inspected = JSON.parse((await runHere(['inspect', archive, '--json'])).stdout);
  assert.equal(inspected.opened, true);
  assert.equal((await runHere(['verify', dump])).exitCode, 0);
  const copied = await runHere(['restore', dump, '--to', 'sqlite:copy.db', '--yes']);
  assert.equal(copied.exitCode, 0, copied.stderr);
});

test('a key that is given goes before it, whatever the configuration is', async () => {
  await configure('another');
  await writeFile('passphrase', 'of the configuration\n');
  const given = await restore('--passphrase-file', 'passphrase');
  assert.equal(given.exitCode, 0, given.stderr);
  assert.doesNotMatch(given.stderr, /encryptionKey/);
  await writeFile('passphrase', 'wrong\n');
  await configure('of the configuration');
  assert.match((await restore('--passphrase-file', 'passphrase')).stderr, /key\.wrong/);
});

test('one that does not open it is told of, and is not used', async () => {
  await configure('another');
  const { stderr } = await restore();
  assert.match(stderr, /the encryptionKey of \S*holdfast\.config\.json does not open it/);
  assert.match(stderr, /key\.missing/);
  const { stdout, stderr: noted } = await runHere(['verify', archive, '--threads', '1', '--json']);
  assert.equal(JSON.parse(stdout).level, 'structure');
  assert.match(noted, /does not open it/);
  assert.match((await runHere(['verify', dump])).stderr, /key\.missing/);
});

test('a configuration that is broken keeps nobody from restoring', async () => {
  await writeFile('holdfast.config.json', '{');
  await writeFile('passphrase', 'of the configuration\n');
  const given = await restore('--passphrase-file', 'passphrase');
  assert.equal(given.exitCode, 0, given.stderr);
  assert.match((await restore()).stderr, /the key of the configuration here is not known: .*key\.missing/s);
});
