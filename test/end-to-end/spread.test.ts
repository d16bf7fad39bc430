/** Archives over several storages, through the command line: any k of k + m restore them. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { before, beforeEach, test } from 'node:test';
import { SeededRandom } from '../../src/testing/index.ts';
import { hashBlock } from '../../vectors/reference-writer.ts';
import { ageKeys } from './age-keys.ts';
import { runHere } from './command-line.ts';
import { describeTree, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('spread');
const withPassphrase = { HOLDFAST_PASSPHRASE: 'five over the hills' };
let environment: Readonly<Record<string, string>> = withPassphrase;
const places = ['a', 'b', 'c', 'd', 'e'];

before(() => {
  process.chdir(workspace);
  mkdirSync('tree');
  const random = new SeededRandom(5);
  for (let index = 0; index < 5; index += 1) writeFileSync(join('tree', `f${index}`), random.bytes(60_000 * index));
});

const storage = Object.fromEntries(places.map((place) => [place, { backend: 'local', path: place }]));

function configure(changes: object = {}): void {
  const protection = { spread: { data: 3, parity: 2 } };
  const retention = { keepLast: 1 };
  const config = {
    files: ['tree'],
    storage,
    protection,
    retention,
    compression: 'none',
    encryption: 'none',
    ...changes,
  };
  writeFileSync('holdfast.config.json', JSON.stringify(config));
}

beforeEach(() => {
  for (const place of places) {
    rmSync(place, { recursive: true, force: true });
    mkdirSync(place);
  }
  rmSync('out', { recursive: true, force: true });
  rmSync('.holdfast', { recursive: true, force: true });
  environment = withPassphrase;
  configure();
});

/** Archives are sealed for an identity: without the work that a passphrase takes each time. */
function configureSealed(changes: object = {}): void {
  environment = {};
  writeFileSync('identity.txt', ageKeys[0].identity);
  configure({ encryption: 'aes-256-gcm', recipients: [ageKeys[0].recipient], ...changes });
}

async function run(...words: string[]) {
  return await runHere(words, { environment });
}

/** What is looked at of what commands print; what a command does not print is empty. */
interface Printed {
  readonly output: string;
  readonly state: string;
  readonly spread?: object;
  readonly outputs: readonly { readonly storage: string; readonly error?: { readonly code: string } }[];
  readonly archives: readonly {
    readonly name: string;
    readonly state: string;
    readonly error?: { readonly message: string };
    readonly spread?: { readonly there: readonly { readonly storage: string }[] };
  }[];
}

const nothingPrinted: Printed = { output: '', state: '', outputs: [], archives: [] };

async function json(...words: string[]) {
  const { stdout, stderr, exitCode } = await run(...words, '--json');
  const value: Printed = { ...nothingPrinted, ...(stdout === '' ? {} : (JSON.parse(stdout) as Partial<Printed>)) };
  return { exitCode, value, stderr };
}

/** The archive's name: there is one. */
async function backUp(exitCode = 0): Promise<string> {
  const made = await json('backup');
  assert.equal(made.exitCode, exitCode, made.stderr);
  return String(made.value.output).replace('spread:', '');
}

function shardsIn(place: string): string[] {
  return readdirSync(place).filter((file) => /\.3of5\.[0-9a-f]{8}\.\d$/.test(file));
}

async function assertRestores(...words: string[]): Promise<void> {
  rmSync('out', { recursive: true, force: true });
  const { exitCode, stderr } = await run('restore', ...words, '--files-to', 'out', '--yes');
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(await describeTree('out/tree'), await describeTree('tree'));
}

test('a plan says over which storages the shards would lie', async () => {
  const plan = await run('backup', '--dry-run');
  assert.equal(plan.exitCode, 0, plan.stderr);
  assert.match(plan.stdout, /^3 \+ 2 shards, of which any 3 restore it, on a, b, c, d, e$/m);
  const { value } = await json('backup', '--dry-run');
  assert.deepEqual(value.spread, { data: 3, parity: 2, storages: places });
  for (const place of places) assert.deepEqual(readdirSync(place), []);
});

test('a backup lays a shard on each storage; any two may be lost, three may not', async () => {
  const archive = await backUp();
  for (const place of places) assert.equal(shardsIn(place).length, 1);
  const listed = await json('list');
  assert.equal(listed.value.archives.length, 1);
  assert.deepEqual(
    listed.value.archives[0]?.spread?.there.map(({ storage: place }: { storage: string }) => place),
    places,
  );
  assert.match((await run('list')).stdout, /3 \+ 2 shards, 5 there/);
  assert.equal((await run('verify', archive, '--storage', 'spread')).exitCode, 0);
  await assertRestores(archive, '--storage', 'spread');
  for (const place of ['b', 'd']) rmSync(join(place, shardsIn(place)[0] ?? ''));
  await assertRestores(archive, '--storage', 'spread');
  const verified = await run('verify', archive, '--storage', 'spread');
  assert.equal(verified.exitCode, 10);
  assert.match(verified.stdout, /3 \+ 2, 3 there, 2 \(b\) missing, 4 \(d\) missing/);
  assert.match((await run('list')).stdout, /3 there/);
  assert.match((await run('inspect', archive, '--storage', 'spread')).stdout, /3 \+ 2, 3 there/);
  rmSync(join('a', shardsIn('a')[0] ?? ''));
  const refused = await run('restore', archive, '--storage', 'spread', '--files-to', 'other', '--yes');
  assert.equal(refused.exitCode, 11);
  assert.match(
    refused.stderr,
    /2 of the 3 shards that are needed are there: missing are 1 \(a\), 2 \(b\), 4 \(d\) of 5/,
  );
  assert.equal((await run('verify', archive, '--storage', 'spread')).exitCode, 11);
  const lost = await run('list');
  assert.match(lost.stdout, /archive\.damaged.*3 \+ 2 shards, 2 there/);
});

test('a scrub makes lost and damaged shards anew', async () => {
  const archive = await backUp();
  const before = places.map((place) => readFileSync(join(place, shardsIn(place)[0] ?? '')));
  const damaged = Buffer.from(before[2] ?? []);
  damaged.fill(1, 30_000, 60_000);
  writeFileSync(join('c', shardsIn('c')[0] ?? ''), damaged);
  rmSync(join('e', shardsIn('e')[0] ?? ''));
  const dry = await json('scrub', '--dry-run');
  assert.equal(dry.exitCode, 10);
  const { exitCode, value, stderr } = await json('scrub');
  // That one was gone though nobody removed it is told by the catalogue as well.
  assert.equal(exitCode, 14);
  assert.match(stderr, /1 of its 5 shards is gone from e without having been removed \(shard missing\)/);
  assert.deepEqual(
    value.archives.map((one: { name: string; state: string }) => [one.name, one.state]),
    [[archive, 'repaired']],
  );
  for (const [index, place] of places.entries()) {
    assert.ok(readFileSync(join(place, shardsIn(place)[0] ?? '')).equals(before[index] as Buffer), place);
  }
  const again = await json('scrub');
  assert.deepEqual([again.exitCode, again.value.archives[0]?.state], [0, 'intact']);
});

test('what rows cannot give, a scrub heals by the own parity of the archive, and lays it out anew', async () => {
  const archive = await backUp();
  for (const place of ['a', 'b', 'c']) {
    const path = join(place, shardsIn(place)[0] ?? '');
    const bytes = readFileSync(path);
    bytes.fill(0, 6 * 4096, 7 * 4096);
    writeFileSync(path, bytes);
  }
  assert.equal((await run('verify', archive, '--storage', 'spread')).exitCode, 10);
  await assertRestores(archive, '--storage', 'spread');
  assert.equal((await json('scrub')).value.archives[0]?.state, 'repaired');
  assert.equal((await json('verify', archive, '--storage', 'spread')).value.state, 'intact');
  for (const place of places) assert.equal(shardsIn(place).length, 1);
});

test('a scrub says which archives are lost', async () => {
  const archive = await backUp();
  for (const place of ['a', 'b', 'c']) rmSync(join(place, shardsIn(place)[0] ?? ''));
  const { exitCode, value } = await json('scrub');
  assert.equal(exitCode, 11);
  assert.deepEqual([value.archives[0]?.name, value.archives[0]?.state], [archive, 'lost']);
  assert.match(value.archives[0]?.error?.message ?? '', /missing are 1 \(a\)/);
});

test('a storage that is away makes a backup incomplete, too many make it fail', async () => {
  for (const place of ['d', 'e']) rmSync(place, { recursive: true });
  writeFileSync('d', 'no folder');
  writeFileSync('e', 'no folder');
  const made = await json('backup');
  assert.equal(made.exitCode, 3);
  assert.deepEqual(
    made.value.outputs.map((one: { storage: string; error?: { code: string } }) => [
      one.storage,
      one.error !== undefined,
    ]),
    [
      ['spread', false],
      ['d', true],
      ['e', true],
    ],
  );
  const archive = String(made.value.output).replace('spread:', '');
  await assertRestores(archive, '--storage', 'spread');
  const verified = await run('verify', archive, '--storage', 'spread');
  assert.equal(verified.exitCode, 10);
  assert.match(verified.stdout, /4 \(d\) unreadable, 5 \(e\) unreadable/);
  const scrubbed = await json('scrub');
  assert.deepEqual([scrubbed.exitCode, scrubbed.value.archives[0]?.state], [10, 'repairable']);
  rmSync('c', { recursive: true });
  writeFileSync('c', 'no folder');
  const failed = await json('backup');
  assert.equal(failed.exitCode, 1, failed.stderr);
  for (const place of ['a', 'b']) assert.deepEqual(shardsIn(place).length, 1, 'nothing of the second one stayed');
  for (const place of ['c', 'd', 'e']) rmSync(place);
});

test('archives can be pulled, copied elsewhere, and read from files', async () => {
  const archive = await backUp();
  assert.equal((await run('pull', archive, '--storage', 'spread', '--output', 'whole.holdfast')).exitCode, 0);
  assert.equal((await run('verify', 'whole.holdfast')).exitCode, 0);
  await assertRestores('whole.holdfast');
  mkdirSync('gathered', { recursive: true });
  const files = ['b', 'c', 'e'].map((place) => {
    const [file = ''] = shardsIn(place);
    const path = resolve(place, file);
    writeFileSync(join('gathered', file), readFileSync(path));
    return path;
  });
  const [first = '', second = '', third = ''] = files;
  await assertRestores(first, '--from', second, '--from', third);
  await assertRestores(join('gathered', shardsIn('c')[0] ?? ''));
  const lacking = await run('restore', first, '--from', second, '--files-to', 'no', '--yes');
  assert.equal(lacking.exitCode, 11);
  assert.match(lacking.stderr, /2 of the 3 shards/);
  assert.equal((await run('verify', join('gathered', shardsIn('c')[0] ?? ''))).exitCode, 10);
  assert.equal((await run('repair', first)).exitCode, 2);
  rmSync('gathered', { recursive: true });
});

test('pins, retention and deletion are of the whole', async () => {
  const first = await backUp();
  await run('pin', first, '--storage', 'spread');
  const second = await backUp();
  const third = await backUp();
  const pruned = await json('prune', '--yes');
  assert.equal(pruned.exitCode, 0, pruned.stderr);
  const left = (await json('list')).value.archives.map((one: { name: string }) => one.name);
  assert.deepEqual(left.sort(), [first, third].sort());
  for (const place of places) assert.equal(shardsIn(place).length, 2, place);
  assert.ok(!readdirSync('a').some((file) => file.startsWith(second)));
  assert.equal((await run('delete', third, '--storage', 'spread', '--yes')).exitCode, 0);
  for (const place of places) assert.equal(readdirSync(place).filter((file) => file.startsWith(third)).length, 0);
});

test('an archive of one copy can be put back, in place of the one that is there', async () => {
  configure({ encryption: 'aes-256-gcm' });
  const archive = await backUp();
  rmSync('whole.holdfast', { force: true });
  await run('pull', archive, '--storage', 'spread', '--output', 'whole.holdfast');
  writeFileSync('new.txt', 'another one');
  const added = await run('key', 'add', 'whole.holdfast', '--new-passphrase-file', 'new.txt');
  assert.equal(added.exitCode, 0, added.stderr);
  const [old = ''] = shardsIn('a');
  const pushed = await run('push', 'whole.holdfast', '--storage', 'spread', '--name', archive, '--overwrite');
  assert.equal(pushed.exitCode, 0, pushed.stderr);
  for (const place of places) assert.equal(shardsIn(place).length, 1);
  assert.notEqual(shardsIn('a')[0], old);
  for (const place of ['a', 'e']) rmSync(join(place, shardsIn(place)[0] ?? ''));
  await assertRestores(archive, '--storage', 'spread', '--passphrase-file', 'new.txt');
});

test('a configuration that cannot be is told of', async () => {
  const cases: [object, RegExp][] = [
    [
      { protection: { spread: { data: 3, parity: 3 } } },
      /3 \+ 3 shards need 6 storages, and 5 are named: a, b, c, d, e/,
    ],
    [{ protection: { spread: { data: 1, parity: 1 } } }, /protection\.spread\.data/],
    [{ protection: { spread: { data: 3, parity: 17 } } }, /protection\.spread\.parity/],
    [{ protection: { spread: { data: 2, parity: 1, storages: ['a', 'b', 'x'] } } }, /there is no storage x/],
    [{ protection: { spread: { data: 2, parity: 1, storages: ['a', 'b', 'a'] } } }, /a has a shard already/],
    [{ storage: { backend: 'local', path: 'a' } }, /storage is one: give 5 by name/],
    [{ format: 'plain' }, /plain dumps cannot be spread/],
    [{ copies: 2 }, /what is spread has one copy/],
    [{ storage: { ...storage, e: { backend: 'local', path: 'e', copies: 2 } } }, /storage\.e\.copies: it takes shards/],
    [
      {
        storage: { a: storage['a'], b: storage['b'], spread: storage['c'] },
        protection: { spread: { data: 2, parity: 1 } },
      },
      /spread is what the archives over all storages are called/,
    ],
  ];
  for (const [changes, message] of cases) {
    configure(changes);
    const { exitCode, stderr } = await run('backup');
    assert.equal(exitCode, 2, String(message));
    assert.match(stderr, message);
  }
});

test('some storages may take shards, and others whole archives', async () => {
  configure({ protection: { spread: { data: 2, parity: 1, storages: ['a', 'b', 'c'] } }, storage: { ...storage } });
  const made = await json('backup');
  assert.equal(made.exitCode, 0, made.stderr);
  assert.equal(readdirSync('d').filter((file) => file.endsWith('.holdfast')).length, 1);
  assert.equal(readdirSync('a').filter((file) => /\.2of3\./.test(file)).length, 1);
  assert.equal((await json('scrub')).exitCode, 0);
  const archive = String(made.value.output).replace('spread:', '');
  await assertRestores(archive, '--storage', 'spread');
});

test('a repair makes lost shards anew', async () => {
  const archive = await backUp();
  rmSync(join('b', shardsIn('b')[0] ?? ''));
  const dry = await json('repair', archive, '--storage', 'spread', '--dry-run');
  assert.deepEqual([dry.exitCode, dry.value.state, shardsIn('b').length], [0, 'repaired', 0]);
  const repaired = await json('repair', archive, '--storage', 'spread');
  assert.deepEqual([repaired.exitCode, repaired.value.state], [0, 'repaired'], repaired.stderr);
  for (const place of places) assert.equal(shardsIn(place).length, 1);
  assert.equal((await json('repair', archive, '--storage', 'spread')).value.state, 'intact');
});

test('whatever writes an archive tells of a storage that took no shard', async () => {
  configureSealed();
  const archive = await backUp();
  await run('pull', archive, '--storage', 'spread', '--output', 'there.holdfast', '--overwrite');
  rmSync('e', { recursive: true });
  writeFileSync('e', 'no folder');
  writeFileSync('another.txt', ageKeys[1].identity);
  const opening = ['--identity-file', 'identity.txt'];
  const message = /is written, but not on all of its storages: e: /;
  const commands = [
    ['key', 'add', archive, '--storage', 'spread', ...opening, '--recipient', ageKeys[1].recipient],
    ['push', 'there.holdfast', '--storage', 'spread', '--name', 'pushed.holdfast'],
  ];
  for (const words of commands) {
    const { exitCode, stderr } = await run(...words);
    assert.notEqual(exitCode, 0, words.join(' '));
    assert.match(stderr, message);
  }
  await assertRestores(archive, '--storage', 'spread', '--identity-file', 'another.txt');
  rmSync('e');
  mkdirSync('e');
  const states = (await json('scrub')).value.archives.map(({ state }) => state);
  assert.deepEqual(states, ['repaired', 'repaired']);
});

test('a damaged archive is healed before it is spread: no shard is made of what is wrong', async () => {
  const archive = await backUp();
  await run('pull', archive, '--storage', 'spread', '--output', 'sound.holdfast', '--overwrite');
  const sound = readFileSync('sound.holdfast');
  const damaged = Buffer.from(sound);
  const parity = Array.from({ length: damaged.length / 4096 }, (_, block) => block * 4096).find(
    (start) => damaged[start + 28] === 2,
  );
  assert.ok(parity !== undefined);
  damaged[parity + 100] = (damaged[parity + 100] ?? 0) ^ 1;
  writeFileSync('damaged.holdfast', damaged);
  const pushed = await run('push', 'damaged.holdfast', '--storage', 'spread', '--name', 'pushed.holdfast');
  assert.equal(pushed.exitCode, 0, pushed.stderr);
  assert.equal((await json('verify', 'pushed.holdfast', '--storage', 'spread')).value.state, 'intact');
  for (const place of ['a', 'b']) for (const shard of shardsIn(place)) rmSync(join(place, shard));
  await run('pull', 'pushed.holdfast', '--storage', 'spread', '--output', 'back.holdfast', '--overwrite');
  assert.ok(readFileSync('back.holdfast').equals(sound));
});

test('a shard with forged blocks gives out nothing wrong; left out, it is a missing one', async () => {
  configureSealed();
  const opening = ['--storage', 'spread', '--identity-file', 'identity.txt'];
  const archive = await backUp();
  const path = join('c', shardsIn('c')[0] ?? '');
  const shard = readFileSync(path);
  for (let start = 0; start < shard.length; start += 4096) {
    const block = shard.subarray(start, start + 4096);
    if (block[28] !== 1) continue;
    block[1000] = (block[1000] ?? 0) ^ 1;
    hashBlock(block);
  }
  writeFileSync(path, shard);
  assert.equal((await run('verify', archive, '--storage', 'spread', '--level', 'structure')).exitCode, 0);
  const refused = await run('restore', archive, ...opening, '--files-to', 'forged', '--yes');
  assert.equal(refused.exitCode, 11, refused.stderr);
  assert.ok(!existsSync('forged'));
  configureSealed({ storage: { ...storage, c: { backend: 'local', path: 'c', enabled: false } } });
  await assertRestores(archive, ...opening);
});
