/** Commands that make, remove and mend archives, crashed. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openHistory } from '../../src/history/history.ts';
import { addKeySlots } from '../../src/operation/keys.ts';
import { openArchive } from '../../src/operation/open.ts';
import { pruneStorages } from '../../src/operation/prune.ts';
import { repairArchive } from '../../src/operation/repair.ts';
import { scrubStorages } from '../../src/operation/scrub.ts';
import { syncStorages } from '../../src/operation/sync.ts';
import { Secret } from '../../src/secret.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { ageKeys } from '../end-to-end/age-keys.ts';

import {
  assertWhole,
  copyFile,
  keys,
  leftovers,
  makeArchive,
  policy,
  prepareConfigured,
  run,
  type Scenario,
  storageAt,
  storagesAt,
  wholeArchives,
  writeTree,
} from './scenario.ts';

const older = 'tree_20260101_000000_default.holdfast';
const names = [1, 2, 3, 4].map((day) => `tree_2026010${day}_000000_default.holdfast`);
const kept = names.slice(2);

export const backup: Scenario = {
  async prepare(folder) {
    await prepareConfigured(folder);
    await makeArchive(folder, `near/${older}`);
    copyFile(folder, `near/${older}`, `far/${older}`);
    writeTree(join(folder, 'tree'), 2);
  },
  words: ['backup'],
  async check(folder, { isDone }) {
    for (const label of ['near', 'far']) {
      const found = await wholeArchives(folder, label);
      assert.ok(found.includes(older), `${older} is gone from ${label}`);
      assert.ok(found.length <= 2 && (!isDone || found.length === 2), `${label} has ${found.join(', ')}`);
    }
    const history = await openHistory({ path: join(folder, '.holdfast/history.db') });
    const runs = await history.runs();
    await history.close();
    assert.ok(
      runs.every(({ state }) => state === 'succeeded' || state === 'died'),
      `runs are ${runs.map(({ state }) => state).join(', ')}`,
    );
    for (const label of ['near', 'far']) await makeArchive(folder, `${label}/again.holdfast`);
    assert.deepEqual(leftovers(folder), []);
  },
};

export const replace: Scenario = {
  async prepare(folder) {
    mkdirSync(join(folder, 'tmp'));
    await makeArchive(folder, 'out.holdfast', 1);
    writeTree(join(folder, 'tree'), 2);
  },
  words: ['backup', '--files', 'tree', '--output', 'out.holdfast', '--recipient', ageKeys[0].recipient],
  async check(folder, { isDone }) {
    const path = join(folder, 'out.holdfast');
    await assertWhole(path);
    const versions = [1, 2].map((version) => Buffer.from(new SeededRandom(version).bytes(3000)).toString('hex'));
    await using archive = await openArchive({ ...run, archive: path, keys });
    const chunks: Uint8Array[] = [];
    for await (const chunk of archive.read('files/tree/a')) chunks.push(Uint8Array.from(chunk));
    const found = versions.indexOf(Buffer.concat(chunks).toString('hex'));
    assert.ok(found === 1 || (found === 0 && !isDone), `the archive holds version ${found + 1}`);
    await makeArchive(folder, 'out.holdfast', 3);
    assert.deepEqual(leftovers(folder), []);
  },
};

export const prune: Scenario = {
  async prepare(folder) {
    await prepareConfigured(folder);
    await makeArchive(folder, `near/${older}`);
    for (const label of ['near', 'far'])
      for (const name of names) copyFile(folder, `near/${older}`, `${label}/${name}`);
  },
  words: ['prune', '--yes'],
  async check(folder, { isDone }) {
    for (const label of ['near', 'far']) {
      const found = await wholeArchives(folder, label);
      for (const name of kept) assert.ok(found.includes(name), `${name} is gone from ${label}`);
      if (isDone) assert.deepEqual(found, kept);
    }
    assert.ok(policy);
    await pruneStorages({ storages: storagesAt(folder), policy, timezone: 'UTC' });
    for (const label of ['near', 'far']) assert.deepEqual(await wholeArchives(folder, label), kept);
  },
};

/** Damages an archive as far as it heals; gives what it was. */
function damage(folder: string, path: string): void {
  const bytes = new Uint8Array(readFileSync(join(folder, path)));
  writeFileSync(join(folder, 'original'), bytes);
  writeFileSync(join(folder, path), Uint8Array.from(bytes).fill(0, 20_000, 45_000));
  copyFile(folder, path, 'damaged');
}

/** Which of the files beside it an archive is. */
function assertOneOf(folder: string, path: string, allowed: readonly string[]): void {
  const bytes = readFileSync(join(folder, path));
  const found = allowed.some((name) => readFileSync(join(folder, name)).equals(bytes));
  assert.ok(found, `${path} is none of ${allowed.join(', ')}`);
}

export const scrub: Scenario = {
  async prepare(folder) {
    await prepareConfigured(folder);
    await makeArchive(folder, `near/${older}`);
    damage(folder, `near/${older}`);
  },
  words: ['scrub'],
  async check(folder, { isDone }) {
    assertOneOf(folder, `near/${older}`, isDone ? ['original'] : ['original', 'damaged']);
    const isThere = existsSync(join(folder, 'far', older));
    assert.ok(isThere || !isDone);
    if (isThere) assertOneOf(folder, `far/${older}`, ['original']);
    await scrubStorages({ ...run, storages: storagesAt(folder) });
    for (const label of ['near', 'far']) assertOneOf(folder, `${label}/${older}`, ['original']);
    for (const label of ['near', 'far']) await makeArchive(folder, `${label}/again.holdfast`);
    assert.deepEqual(leftovers(folder), []);
  },
};

export const sync: Scenario = {
  async prepare(folder) {
    await prepareConfigured(folder);
    await makeArchive(folder, `near/${older}`);
    copyFile(folder, `near/${older}`, 'original');
  },
  words: ['sync', '--from', 'near', '--to', 'far'],
  async check(folder, { isDone }) {
    const found = await wholeArchives(folder, 'far');
    assert.deepEqual(found, isDone || found.length > 0 ? [older] : []);
    await syncStorages({ ...run, from: storageAt(folder, 'near'), to: storageAt(folder, 'far') });
    assertOneOf(folder, `far/${older}`, ['original']);
    await makeArchive(folder, 'far/again.holdfast');
    assert.deepEqual(leftovers(folder), []);
  },
};

export const repair: Scenario = {
  async prepare(folder) {
    mkdirSync(join(folder, 'tmp'));
    await makeArchive(folder, 'out.holdfast');
    damage(folder, 'out.holdfast');
  },
  words: ['repair', 'out.holdfast'],
  async check(folder, { isDone }) {
    assertOneOf(folder, 'out.holdfast', isDone ? ['original'] : ['original', 'damaged']);
    const archive = join(folder, 'out.holdfast');
    await repairArchive({ ...run, archive });
    assertOneOf(folder, 'out.holdfast', ['original']);
    await makeArchive(folder, 'out.holdfast');
    assert.deepEqual(leftovers(folder), []);
  },
};

export const key: Scenario = {
  async prepare(folder) {
    mkdirSync(join(folder, 'tmp'));
    await makeArchive(folder, 'out.holdfast');
    writeFileSync(join(folder, 'identity.txt'), ageKeys[0].identity);
  },
  words: ['key', 'add', 'out.holdfast', '--identity-file', 'identity.txt', '--recipient', ageKeys[1].recipient],
  async check(folder, { isDone }) {
    const archive = join(folder, 'out.holdfast');
    await assertWhole(archive);
    const others = { identities: [new Secret(ageKeys[1].identity)] };
    const opened = await openArchive({ ...run, archive, keys });
    const { slots } = opened.summary;
    await opened.close();
    assert.ok(slots.length === 2 || (slots.length === 1 && !isDone), `${slots.length} slots`);
    if (slots.length === 1) await addKeySlots({ ...run, archive, keys, add: { recipients: [ageKeys[1].recipient] } });
    await (await openArchive({ ...run, archive, keys: others })).close();
    await makeArchive(folder, 'out.holdfast');
    assert.deepEqual(leftovers(folder), []);
  },
};
