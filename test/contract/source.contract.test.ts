import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { Secret } from '../../src/secret.ts';
import { FilesSource } from '../../src/source/files/files-source.ts';
import { ModelSource } from '../../src/source/model/model-source.ts';
import { SqliteSource } from '../../src/source/sqlite/sqlite-source.ts';
import { type SourceCaseSubject, sourceCases } from '../../src/testing/source-cases.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-contract-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const tree = join(folder, 'tree');
mkdirSync(join(tree, 'sub'), { recursive: true });
writeFileSync(join(tree, 'sub', 'large'), Buffer.alloc(3_000_000, 'x'));
writeFileSync(join(tree, 'small'), 'y');
const single = join(folder, 'single.bin');
writeFileSync(single, Buffer.alloc(1024 * 1024 + 1, 'z'));
const database = join(folder, 'app.db');
const connection = new DatabaseSync(database);
connection.exec(
  'PRAGMA journal_mode = WAL; CREATE TABLE item (body BLOB); INSERT INTO item VALUES (zeroblob(3000000))',
);
connection.close();

const missing = join(folder, 'missing');
const subjects: Record<string, SourceCaseSubject> = {
  'FilesSource of a folder': {
    prefix: 'files/',
    make: async () => new FilesSource({ path: tree }),
    makeMissing: async () => new FilesSource({ path: missing }),
  },
  'FilesSource of a file': {
    prefix: 'files/',
    make: async () => new FilesSource({ path: single }),
    makeMissing: async () => new FilesSource({ path: missing }),
  },
  SqliteSource: {
    prefix: 'databases/',
    make: async () => new SqliteSource({ path: database }),
    makeMissing: async () => new SqliteSource({ path: missing }),
  },
  'ModelSource of SQLite': {
    prefix: 'models/',
    make: async () => new ModelSource({ url: new Secret(`sqlite:${database}`), models: {} }),
    makeMissing: async () => new ModelSource({ url: new Secret(`sqlite:${missing}`), models: {} }),
  },
};

for (const [name, subject] of Object.entries(subjects)) {
  describe(`contract of ${name}`, () => {
    assert.ok(sourceCases.length > 0);
    for (const { name: promise, run } of sourceCases) it(promise, () => run(subject));
  });
}
