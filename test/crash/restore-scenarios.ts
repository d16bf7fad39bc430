/** Restores of files and of SQLite, crashed. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createBackup } from '../../src/operation/backup.ts';
import { restoreBackup } from '../../src/operation/restore.ts';
import { SqliteSource } from '../../src/source/sqlite/sqlite-source.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { ageKeys } from '../end-to-end/age-keys.ts';
import { dumpDatabase, makeDatabase } from '../end-to-end/workspace.ts';

import { copyFile, keys, leftovers, makeArchive, run, type Scenario, treeAt, writeTree } from './scenario.ts';

export const restoreNew: Scenario = {
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

/** More small files than are staged one by one. */
export const smallFiles: Scenario = {
  ...restoreNew,
  async prepare(folder) {
    mkdirSync(join(folder, 'tree/many'), { recursive: true });
    for (let index = 0; index < 210; index++) writeFileSync(join(folder, 'tree/many', `${index}`), `small ${index}`);
    await restoreNew.prepare(folder);
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

export const overwrite: Scenario = {
  async prepare(folder) {
    await restoreNew.prepare(folder);
    writeTree(join(folder, 'restored/tree'), 5);
  },
  words: [...restoreNew.words, '--overwrite'],
  async check(folder, { isDone }) {
    assertEachOldOrNew(folder, isDone);
    const options = { archive: join(folder, 'out.holdfast'), keys, filesTo: join(folder, 'restored'), overwrite: true };
    await restoreBackup({ ...run, ...options });
    assert.equal(treeAt(join(folder, 'restored/tree')), treeAt(join(folder, 'tree')));
    assert.deepEqual(leftovers(folder), []);
  },
};

export const sqlite: Scenario = {
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
export const sqliteLog: Scenario = {
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
export function withIdentity(scenario: Scenario): Scenario {
  return {
    ...scenario,
    async prepare(folder) {
      await scenario.prepare(folder);
      writeFileSync(join(folder, 'identity.txt'), ageKeys[0].identity);
    },
  };
}
