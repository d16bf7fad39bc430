/** The catalogue as the command line shows it. */
import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runHere } from '../end-to-end/command-line.ts';
import { emptyFolder, makeWorkspace } from '../end-to-end/workspace.ts';
import { HttpReceiver } from '../notify/http-receiver.ts';

const workspace = makeWorkspace('catalogue-commands');
const start = process.cwd();

interface Shop {
  readonly folder: string;
  run(...words: string[]): Promise<{ exitCode: number; json: Record<string, unknown>; stdout: string; stderr: string }>;
}

async function openShop(name: string, settings: object = {}): Promise<Shop> {
  const folder = await emptyFolder(workspace, name);
  await mkdir(join(folder, 'uploads'));
  await writeFile(join(folder, 'uploads', 'a.txt'), 'a picture\n');
  const storage = { near: { backend: 'local', path: 'near' }, far: { backend: 'local', path: 'far' } };
  const filenameTemplate = '{database}_{timestamp}_{env}';
  const config = { files: ['uploads', '.holdfast'], encryption: 'none', storage, filenameTemplate, ...settings };
  await writeFile(join(folder, 'holdfast.config.json'), JSON.stringify(config));
  return {
    folder,
    run: async (...words) => {
      process.chdir(folder);
      try {
        const result = await runHere([...words, '--json']);
        const json = result.stdout.startsWith('{') ? (JSON.parse(result.stdout) as Record<string, unknown>) : {};
        return { ...result, json };
      } finally {
        process.chdir(start);
      }
    },
  };
}

const kindsOf = (json: Record<string, unknown>) =>
  (json['findings'] as { kind: string; storage: string }[]).map(({ kind, storage }) => `${kind} ${storage}`).sort();

async function archivesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.holdfast')).sort();
}

test('a backup is recorded on each storage; what is done there behind its back is told by every command that looks', async () => {
  const { folder, run } = await openShop('told');
  const made = await run('backup');
  assert.equal(made.exitCode, 0, made.stderr);
  const verified = await run('catalogue', 'verify');
  assert.deepEqual([verified.exitCode, kindsOf(verified.json)], [0, []]);
  const [name = ''] = await archivesIn(join(folder, 'near'));
  await rm(join(folder, 'near', name));
  const found = await run('catalogue', 'verify');
  assert.deepEqual([found.exitCode, found.json['isViolated'], kindsOf(found.json)], [14, true, ['missing near']]);
  const listed = await run('list');
  assert.match(
    listed.stderr,
    /catalogue: near: .*: it was put there, and is gone without having been removed \(missing\)/,
  );
  assert.equal((listed.json['catalogue'] as { isViolated: boolean }).isViolated, true);
  const doctor = await run('doctor');
  assert.match(doctor.stdout, /"part":"catalogue","name":"near","state":"failed"/);
  assert.match(doctor.stdout, /"part":"catalogue","name":"far","state":"ok"/);
  // The archive comes back from the other storage, and that it was gone is told once.
  const scrubbed = await run('scrub');
  assert.equal(scrubbed.exitCode, 14, scrubbed.stderr);
  assert.deepEqual(await archivesIn(join(folder, 'near')), [name]);
  assert.deepEqual((await run('catalogue', 'verify')).exitCode, 0);
});

test('archives that commands remove, copy and replace are recorded', async () => {
  const { folder, run } = await openShop('commands');
  await run('backup');
  const [name = ''] = await archivesIn(join(folder, 'near'));
  for (const words of [
    ['delete', name, '--storage', 'near', '--yes'],
    ['sync', '--from', 'far', '--to', 'near'],
    ['delete', name, '--storage', 'far', '--yes'],
    ['push', name, '--archive-storage', 'near', '--storage', 'far'],
    ['push', name, '--archive-storage', 'near', '--storage', 'far', '--name', 'again.holdfast'],
  ]) {
    const result = await run(...words);
    assert.equal(result.exitCode, 0, result.stderr);
    const { exitCode, json } = await run('catalogue', 'verify');
    assert.deepEqual([exitCode, kindsOf(json)], [0, []], words.join(' '));
  }
});

test('a roll-back is told by a head that was noted, though the history is gone', async () => {
  const { folder, run } = await openShop('noted', { storage: { near: { backend: 'local', path: 'near' } } });
  await run('backup');
  await cp(join(folder, 'near'), join(folder, 'kept'), { recursive: true });
  await run('backup');
  const [{ head = '' } = {}] = (await run('catalogue', 'heads')).json['heads'] as { head?: string }[];
  assert.equal((await run('catalogue', 'verify', '--expect-head', head)).exitCode, 0);
  await rm(join(folder, 'near'), { recursive: true });
  await rename(join(folder, 'kept'), join(folder, 'near'));
  await rm(join(folder, '.holdfast'), { recursive: true });
  const { exitCode, json } = await run('catalogue', 'verify', '--expect-head', head);
  assert.deepEqual([exitCode, kindsOf(json)], [14, ['rolled_back near', 'unknown_chain near']]);
  // Without the note nobody could know; the history learns what there is.
  const rebuilt = await run('rebuild');
  assert.equal((rebuilt.json['chains'] as string[]).length, 1);
  assert.equal((await run('catalogue', 'verify')).exitCode, 0);
  assert.equal((await run('catalogue', 'verify', '--expect-head', 'nonsense')).exitCode, 2);
});

test('what was looked into is accepted, after a question', async () => {
  const { folder, run } = await openShop('accepted');
  await run('backup');
  const [name = ''] = await archivesIn(join(folder, 'near'));
  await rename(join(folder, 'near', name), join(folder, 'near', 'other.holdfast'));
  assert.deepEqual(kindsOf((await run('catalogue', 'verify')).json), ['missing near', 'renamed near']);
  const asked = await run('catalogue', 'accept');
  assert.equal(asked.exitCode, 2, 'there is no terminal to ask on');
  assert.equal((await run('catalogue', 'accept', '--yes')).exitCode, 0);
  assert.equal((await run('catalogue', 'verify')).exitCode, 0);
});

test('the key stays on this machine: it is private, and in no archive', async () => {
  const { folder, run } = await openShop('key');
  // The second backup is of a folder that has the key.
  await run('backup');
  await run('backup');
  assert.equal((await stat(join(folder, '.holdfast', 'catalogue.key'))).mode & 0o777, 0o600);
  const [, second = ''] = await archivesIn(join(folder, 'near'));
  const inspected = await run('inspect', second, '--storage', 'near');
  assert.match(inspected.stdout, /a\.txt/);
  assert.doesNotMatch(inspected.stdout, /catalogue\.key/);
  const pem = await readFile(join(folder, '.holdfast', 'catalogue.key'), 'utf8');
  const [, secret = ''] = pem.split('\n');
  for (const path of await readdir(join(folder, 'near'), { recursive: true, withFileTypes: true })) {
    if (path.isFile()) assert.equal((await readFile(join(path.parentPath, path.name))).includes(secret), false);
  }
});

test('without a catalogue nothing is written, and nothing is told', async () => {
  const { folder, run } = await openShop('without', { catalogue: false });
  await run('backup');
  assert.deepEqual((await readdir(join(folder, 'near'))).length, 1);
  assert.equal((await run('list')).stderr, '');
  const refused = await run('catalogue', 'verify');
  assert.equal(refused.exitCode, 2);
});

test('the newest heads leave the storages with each backup: who keeps one notices all that is put back', async (t) => {
  const receiver = await HttpReceiver.start();
  t.after(() => receiver.stop());
  const notifications = [{ type: 'webhook', url: `${receiver.url}/hook`, events: ['success'] }];
  const { folder, run } = await openShop('heads', { notifications });
  await run('backup');
  await cp(folder, `${folder}-before`, { recursive: true });
  receiver.take();
  const { json } = await run('backup');
  const heads = json['catalogueHeads'] as { storage: string; head: string }[];
  const there = (await run('catalogue', 'heads')).json['heads'] as typeof heads;
  const byStorage = (one: { storage: string }, other: { storage: string }) => (one.storage < other.storage ? -1 : 1);
  assert.deepEqual(heads, there.sort(byStorage));
  const [told] = receiver.take().map(({ body }) => JSON.parse(body).facts);
  for (const { storage, head } of heads) assert.equal(told[`Catalogue of ${storage}`], head);
  // The storages and the history as they were: only what was told tells.
  for (const name of ['near', 'far', '.holdfast']) {
    await rm(join(folder, name), { recursive: true });
    await cp(join(`${folder}-before`, name), join(folder, name), { recursive: true });
  }
  assert.equal((await run('catalogue', 'verify')).exitCode, 0);
  const found = await run('catalogue', 'verify', '--expect-head', heads[0]?.head ?? '');
  assert.deepEqual([found.exitCode, kindsOf(found.json).length > 0], [14, true]);
});
