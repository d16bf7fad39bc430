/** Commands on archives that are spread over storages, crashed: between any two shards, and between any two steps of their removal. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createBackup } from '../../src/operation/backup.ts';
import { addKeySlots } from '../../src/operation/keys.ts';
import { openArchive } from '../../src/operation/open.ts';
import { pruneStorages } from '../../src/operation/prune.ts';
import { scrubStorages } from '../../src/operation/scrub.ts';
import { validateBackup } from '../../src/operation/verify.ts';
import { FilesSource } from '../../src/source/files/files-source.ts';
import { SpreadStorage } from '../../src/storage/spread/spread-storage.ts';
import { ageKeys } from '../end-to-end/age-keys.ts';
import { configuration, keys, leftovers, policy, run, type Scenario, storageAt, writeTree } from './scenario.ts';

const labels = ['one', 'two', 'three'];
const names = [1, 2, 3, 4].map((day) => `tree_2026010${day}_000000_default.holdfast`);
const [older = '', ...newer] = names;
const kept = newer.slice(1);

function spreadAt(folder: string): SpreadStorage {
  const members = labels.map((label) => ({ label, storage: storageAt(folder, label) }));
  return new SpreadStorage({ shape: { data: 2, parity: 1 }, members });
}

/** A configuration of three storages, any two of which are enough, and archives on them. */
async function prepareSpread(folder: string, archives: readonly string[]): Promise<void> {
  for (const name of ['tmp', ...labels]) mkdirSync(join(folder, name), { recursive: true });
  const storage = Object.fromEntries(labels.map((label) => [label, { backend: 'local', path: label }]));
  const spread = { data: 2, parity: 1 };
  const settings = { ...configuration, storage, protection: { spread } };
  writeFileSync(join(folder, 'holdfast.config.json'), JSON.stringify(settings));
  writeFileSync(join(folder, 'identity.txt'), ageKeys[0].identity);
  writeTree(join(folder, 'tree'), 1);
  for (const name of archives) await makeSpread(folder, name);
}

async function makeSpread(folder: string, name: string): Promise<void> {
  const sources = [new FilesSource({ path: join(folder, 'tree') })];
  const sealed = { keys: { recipients: [ageKeys[0].recipient] }, temporaryFolder: join(folder, 'tmp'), copies: 1 };
  await createBackup({ ...run, ...sealed, sources, output: { storage: spreadAt(folder), name } });
}

/** The archives that are listed, each of which can be had; with `allShards` none of them lacks one. */
async function readableArchives(folder: string, allShards = false): Promise<string[]> {
  const storage = spreadAt(folder);
  const found: string[] = [];
  for await (const { name } of storage.list()) {
    if (!name.endsWith('.holdfast')) continue;
    const { state, blocks } = await validateBackup({ ...run, archive: { storage, name }, keys });
    assert.ok(state === 'intact' || (!allShards && state === 'repairable'), `${name} is listed, and ${state}`);
    assert.equal(blocks.damaged, 0, `the shards of ${name} do not give all of it`);
    found.push(name);
  }
  return found.sort();
}

/** Files of shards, and of marks, by what they are called. */
function shardFiles(folder: string): string[] {
  return labels.flatMap((label) =>
    readdirSync(join(folder, label)).filter((file) => /^[^.].*\.holdfast\.\d+of/.test(file)),
  );
}

async function scrubAll(folder: string) {
  return await scrubStorages({ ...run, storages: [{ name: 'spread', storage: spreadAt(folder) }] });
}

/** What stands after a recovery: every archive with all its shards, and nothing of another one. */
async function assertWholeAgain(folder: string, wanted: readonly string[]): Promise<void> {
  assert.deepEqual(await readableArchives(folder, true), wanted);
  assert.equal(shardFiles(folder).length, wanted.length * labels.length, shardFiles(folder).join(', '));
  await makeSpread(folder, 'again.holdfast');
  assert.deepEqual(leftovers(folder), []);
}

export const spread: Scenario = {
  async prepare(folder) {
    await prepareSpread(folder, [older]);
    writeTree(join(folder, 'tree'), 2);
  },
  words: ['backup'],
  async check(folder, { isDone }) {
    const found = await readableArchives(folder, isDone);
    assert.ok(found.includes(older), `${older} is gone`);
    assert.ok(found.length <= 2 && (!isDone || found.length === 2), `there are ${found.join(', ')}`);
    const { archives } = await scrubAll(folder);
    // A writing that died before enough of its shards stood is no archive: it is told, and stays until it is deleted.
    for (const { name } of archives.filter(({ state }) => state === 'lost')) {
      assert.ok(!found.includes(name));
      await spreadAt(folder).delete(name);
    }
    await assertWholeAgain(folder, found);
  },
};

export const spreadPrune: Scenario = {
  prepare: (folder) => prepareSpread(folder, names),
  words: ['prune', '--yes'],
  async check(folder, { isDone }) {
    const found = await readableArchives(folder);
    for (const name of kept) assert.ok(found.includes(name), `${name} is gone`);
    if (isDone) assert.deepEqual(found, kept);
    assert.ok(policy);
    const storages = [{ name: 'spread', storage: spreadAt(folder) }];
    await pruneStorages({ storages, policy, timezone: 'UTC' });
    await assertWholeAgain(folder, kept);
  },
};

export const spreadScrub: Scenario = {
  async prepare(folder) {
    await prepareSpread(folder, names.slice(0, 2));
    const [first, second] = names.map((name) => shardFiles(folder).find((file) => file.startsWith(name)) ?? '');
    const path = join(folder, 'one', first ?? '');
    writeFileSync(path, Uint8Array.from(readFileSync(path)).fill(0, 9000, 12_000));
    rmSync(join(folder, 'one', second ?? ''));
  },
  words: ['scrub'],
  async check(folder, { isDone }) {
    assert.deepEqual(await readableArchives(folder, isDone), names.slice(0, 2));
    await scrubAll(folder);
    await assertWholeAgain(folder, names.slice(0, 2));
  },
};

export const spreadKey: Scenario = {
  prepare: (folder) => prepareSpread(folder, [older]),
  words: [
    ...['key', 'add', older, '--storage', 'spread'],
    ...['--identity-file', 'identity.txt', '--recipient', ageKeys[1].recipient],
  ],
  async check(folder, { isDone }) {
    assert.deepEqual(await readableArchives(folder, isDone), [older]);
    const archive = { storage: spreadAt(folder), name: older };
    const opened = await openArchive({ ...run, archive, keys });
    const { slots } = opened.summary;
    await opened.close();
    assert.ok(slots.length === 2 || (slots.length === 1 && !isDone), `${slots.length} slots`);
    if (slots.length === 1) await addKeySlots({ ...run, archive, keys, add: { recipients: [ageKeys[1].recipient] } });
    else await scrubAll(folder);
    await spreadAt(folder).removeLeftovers();
    assert.deepEqual(await readableArchives(folder, true), [older]);
  },
};
