/** Commands that are crashed at every step, what they begin with, and what must hold whatever stands on the disk afterwards. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { retentionPolicy } from '../../src/config/retention-settings.ts';
import { openHistory } from '../../src/history/history.ts';
import { createBackup } from '../../src/operation/backup.ts';
import { addKeySlots } from '../../src/operation/keys.ts';
import { openArchive } from '../../src/operation/open.ts';
import { pruneStorages } from '../../src/operation/prune.ts';
import { repairArchive } from '../../src/operation/repair.ts';
import { restoreBackup } from '../../src/operation/restore.ts';
import { scrubStorages } from '../../src/operation/scrub.ts';
import { syncStorages } from '../../src/operation/sync.ts';
import { validateBackup } from '../../src/operation/verify.ts';
import { Secret } from '../../src/secret.ts';
import { FilesSource } from '../../src/source/files/files-source.ts';
import { SqliteSource } from '../../src/source/sqlite/sqlite-source.ts';
import { LocalStorage } from '../../src/storage/local/local-storage.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { ageKeys } from '../end-to-end/age-keys.ts';
import { dumpDatabase, makeDatabase } from '../end-to-end/workspace.ts';

/** A command that is crashed. */
export interface Scenario {
  /** Makes what the command begins with. */
  prepare(folder: string): Promise<void>;
  /** What the command line is, behind `holdfast`. */
  readonly words: readonly string[];
  /**
   * Looks at what a crash left, recovers, and looks again; throws where a promise is broken. `isDone`: the command had ended well before.
   */
  check(folder: string, state: { readonly isDone: boolean }): Promise<void>;
}

const run = { threads: 0 };
const keys = { identities: [new Secret(ageKeys[0].identity)] };
const retention = { keepDaily: 2, keepWeekly: 0, keepMonthly: 0 };
const policy = retentionPolicy({ retention });
const configuration = {
  files: ['tree'],
  storage: { near: { backend: 'local', path: 'near' }, far: { backend: 'local', path: 'far' } },
  retention,
  recipients: [ageKeys[0].recipient],
};

/** A tree of two files, of one version or another. */
function writeTree(folder: string, version: number): void {
  mkdirSync(join(folder, 'b'), { recursive: true });
  const random = new SeededRandom(version);
  writeFileSync(join(folder, 'a'), random.bytes(3000));
  writeFileSync(join(folder, 'b/c'), random.bytes(9000));
}

/** What a tree holds, as text; without what is being written. */
function treeAt(folder: string): string {
  if (!existsSync(folder)) return 'nothing';
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files
    .sort()
    .map((path) => `${path.slice(folder.length)} ${readFileSync(path, 'hex')}`)
    .join('\n');
}

function storageAt(folder: string, label: string): LocalStorage {
  return new LocalStorage({ root: join(folder, label) });
}

function storagesAt(folder: string) {
  return ['near', 'far'].map((name) => ({ name, storage: storageAt(folder, name) }));
}

async function makeArchive(folder: string, output: string, version = 1): Promise<void> {
  writeTree(join(folder, 'tree'), version);
  const sources = [new FilesSource({ path: join(folder, 'tree') })];
  const sealed = { keys: { recipients: [ageKeys[0].recipient] }, temporaryFolder: join(folder, 'tmp') };
  await createBackup({ ...run, ...sealed, sources, output: join(folder, output) });
}

async function prepareConfigured(folder: string): Promise<void> {
  for (const name of ['tmp', 'near', 'far']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'holdfast.config.json'), JSON.stringify(configuration));
  writeFileSync(join(folder, 'identity.txt'), ageKeys[0].identity);
  writeTree(join(folder, 'tree'), 1);
}

function copyFile(folder: string, from: string, to: string): void {
  writeFileSync(join(folder, to), readFileSync(join(folder, from)));
}

/** The archives on a storage; each of them is whole and holds one version of the tree, or the check fails. */
async function wholeArchives(folder: string, label: string): Promise<string[]> {
  const storage = storageAt(folder, label);
  const names: string[] = [];
  for await (const { name } of storage.list()) {
    if (!name.endsWith('.holdfast')) continue;
    names.push(name);
    await assertWhole(join(folder, label, name));
  }
  return names.sort();
}

async function assertWhole(path: string): Promise<void> {
  const { state } = await validateBackup({ ...run, archive: path, keys });
  assert.equal(state, 'intact', `${path} is listed, and ${state}`);
}

/** What a writer or a run that died left behind. */
function leftovers(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.partial'));
}

const older = 'tree_20260101_000000_default.holdfast';
const names = [1, 2, 3, 4].map((day) => `tree_2026010${day}_000000_default.holdfast`);
const kept = names.slice(2);

const backup: Scenario = {
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

const replace: Scenario = {
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

const prune: Scenario = {
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

const scrub: Scenario = {
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

const sync: Scenario = {
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

const repair: Scenario = {
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

const key: Scenario = {
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

const restore: Scenario = {
  async prepare(folder) {
    mkdirSync(join(folder, 'tmp'));
    await makeArchive(folder, 'out.holdfast');
  },
  words: ['restore', 'out.holdfast', '--identity-file', 'identity.txt', '--files-to', 'restored', '--yes'],
  async check(folder, { isDone }) {
    const found = treeAt(join(folder, 'restored/tree'));
    const wanted = treeAt(join(folder, 'tree'));
    assert.ok(found === wanted || (found === 'nothing' && !isDone), 'the tree is neither old nor new');
    const options = { archive: join(folder, 'out.holdfast'), keys, filesTo: join(folder, 'restored'), overwrite: true };
    await restoreBackup({ ...run, ...options });
    assert.equal(treeAt(join(folder, 'restored/tree')), wanted);
    assert.deepEqual(leftovers(folder), []);
  },
};

/** Every file of it is the old one or the new one. */
function assertEachOldOrNew(folder: string, isDone: boolean): void {
  for (const [file, index] of [
    ['a', 0],
    ['b/c', 1],
  ] as const) {
    const versions = [5, 1].map((version) => {
      const random = new SeededRandom(version);
      return [random.bytes(3000), random.bytes(9000)][index] as Uint8Array;
    });
    const bytes = readFileSync(join(folder, 'restored/tree', file));
    const found = versions.findIndex((version) => bytes.equals(version));
    assert.ok(found === 1 || (found === 0 && !isDone), `${file} is neither old nor new`);
    // The old one is kept before the new one takes its place.
    if (found === 1) {
      const undo = readdirSync(join(folder, 'restored')).find((name) => name.includes('holdfast-undo'));
      assert.ok(undo, 'what was replaced is not kept');
      assert.ok(readFileSync(join(folder, 'restored', undo, file)).equals(versions[0] as Uint8Array));
    }
  }
}

const overwrite: Scenario = {
  async prepare(folder) {
    await restore.prepare(folder);
    writeTree(join(folder, 'restored/tree'), 5);
  },
  words: [...restore.words, '--overwrite'],
  async check(folder, { isDone }) {
    assertEachOldOrNew(folder, isDone);
    const options = { archive: join(folder, 'out.holdfast'), keys, filesTo: join(folder, 'restored'), overwrite: true };
    await restoreBackup({ ...run, ...options });
    assert.equal(treeAt(join(folder, 'restored/tree')), treeAt(join(folder, 'tree')));
    assert.deepEqual(leftovers(folder), []);
  },
};

const sqlite: Scenario = {
  async prepare(folder) {
    mkdirSync(join(folder, 'tmp'));
    makeDatabase(join(folder, 'shop.db'), 40);
    const sources = [new SqliteSource({ path: join(folder, 'shop.db') })];
    const sealed = { keys: { recipients: [ageKeys[0].recipient] }, temporaryFolder: join(folder, 'tmp') };
    await createBackup({ ...run, ...sealed, sources, output: join(folder, 'out.holdfast') });
    makeDatabase(join(folder, 'copy.db'), 7);
    makeDatabase(join(folder, 'old.db'), 7);
  },
  words: [
    'restore',
    'out.holdfast',
    '--identity-file',
    'identity.txt',
    '--to',
    'sqlite:copy.db',
    '--overwrite',
    '--yes',
  ],
  async check(folder, { isDone }) {
    const [before, wanted] = ['old.db', 'shop.db'].map((name) => dumpDatabase(join(folder, name)).join('\n'));
    const found = dumpDatabase(join(folder, 'copy.db')).join('\n');
    assert.ok(found === wanted || (found === before && !isDone), 'the database is neither old nor new');
    const options = {
      archive: join(folder, 'out.holdfast'),
      keys,
      to: [`sqlite:${join(folder, 'copy.db')}`],
      overwrite: true,
    };
    await restoreBackup({ ...run, ...options });
    assert.equal(dumpDatabase(join(folder, 'copy.db')).join('\n'), wanted);
    assert.deepEqual(leftovers(folder), []);
  },
};

/** The rows of a database, of its write-ahead log too. */
function rowsOf(path: string): string {
  const database = new DatabaseSync(path);
  try {
    return JSON.stringify(database.prepare('SELECT id, name FROM item ORDER BY id').all());
  } finally {
    database.close();
  }
}

/** The database that is replaced was left by a program that died: its newest rows are in the log beside it alone. */
const sqliteLog: Scenario = {
  async prepare(folder) {
    await sqlite.prepare(folder);
    const path = join(folder, 'live.db');
    makeDatabase(path, 7);
    const live = new DatabaseSync(path);
    live.exec(
      "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; INSERT INTO item (name) VALUES ('in the log')",
    );
    for (const suffix of ['', '-wal']) copyFile(folder, `live.db${suffix}`, `copy.db${suffix}`);
    live.close();
  },
  words: sqlite.words,
  async check(folder, { isDone }) {
    const [before, wanted] = ['live.db', 'shop.db'].map((name) => rowsOf(join(folder, name)));
    assert.ok(before?.includes('in the log'));
    const found = rowsOf(join(folder, 'copy.db'));
    assert.ok(found === wanted || (found === before && !isDone), `the database is neither old nor new: ${found}`);
    const to = [`sqlite:${join(folder, 'copy.db')}`];
    await restoreBackup({ ...run, archive: join(folder, 'out.holdfast'), keys, to, overwrite: true });
    assert.equal(rowsOf(join(folder, 'copy.db')), wanted);
    assert.deepEqual(leftovers(folder), []);
  },
};

/** The identity that opens what is restored lies beside it. */
function withIdentity(scenario: Scenario): Scenario {
  return {
    ...scenario,
    async prepare(folder) {
      await scenario.prepare(folder);
      writeFileSync(join(folder, 'identity.txt'), ageKeys[0].identity);
    },
  };
}

/** By the name that `npm run crash -- --what` takes. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  backup,
  replace,
  prune,
  scrub,
  sync,
  repair,
  key,
  restore: withIdentity(restore),
  overwrite: withIdentity(overwrite),
  sqlite: withIdentity(sqlite),
  'sqlite-log': withIdentity(sqliteLog),
};
