/** Every value of every type of every engine comes back from an archive of models as it was. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, suite, test } from 'node:test';
import { Secret } from '../../src/secret.ts';
import { ModelSource } from '../../src/source/model/model-source.ts';
import { sourceCases } from '../../src/testing/source-cases.ts';
import { connectPostgres } from '../databases/connect-postgres.ts';
import { makeMariadb } from '../databases/make-mariadb.ts';
import { makePostgres } from '../databases/make-postgres.ts';
import { databaseServers } from './database-servers.ts';
import { contentsOf, keepModels, ModelArchives, putModels } from './model-archive.ts';

suite('every type, in its own engine', () => {
  const archives = new ModelArchives();
  const { postgres, mariadb } = databaseServers();

  after(() => archives.remove());

  test('PostgreSQL: into tables that are there, and into tables that are made', async () => {
    const from = await postgres.createDatabase('every');
    await makePostgres(from, { rows: 60 });
    const kept = await keepModels(from);
    const before = await contentsOf(from);
    const client = await connectPostgres(postgres.url);
    await client.query('CREATE DATABASE there TEMPLATE every');
    await client.end();
    // Rows that are there already go, and come back.
    await putModels(kept, postgres.urlOf('there'), { onConflict: 'replace-all' });
    assert.deepEqual((await contentsOf(postgres.urlOf('there'))).lines, before.lines);
    const made = await postgres.createDatabase('made');
    await putModels(kept, made, { createSchema: true });
    assert.deepEqual((await contentsOf(made)).lines, before.lines);
  });

  test('MariaDB: into tables that are made', async () => {
    const from = await mariadb.createDatabase('every');
    await makeMariadb(from, { rows: 60, blobSizeBytes: 200_000 });
    const kept = await keepModels(from);
    const made = await mariadb.createDatabase('made');
    await putModels(kept, made, { createSchema: true });
    assert.deepEqual((await contentsOf(made)).lines, (await contentsOf(from)).lines);
  });

  for (const engine of ['postgres', 'mariadb'] as const) {
    for (const { name, run } of sourceCases) {
      test(`contract of ModelSource of ${engine}: ${name}`, async () => {
        const server = engine === 'postgres' ? postgres : mariadb;
        const make = async (database: string) =>
          new ModelSource({ url: new Secret(server.urlOf(database)), models: {}, timeoutMs: 5_000 });
        await run({ prefix: 'models/', make: () => make('every'), makeMissing: () => make('missing') });
      });
    }
  }

  test('SQLite: any class of value in any column', async () => {
    const path = archives.path('every.db');
    const database = new DatabaseSync(path);
    const columns = ['', 'INTEGER', 'TEXT', 'REAL', 'BLOB', 'NUMERIC', 'BOOLEAN', 'DATE', 'DATETIME', 'JSON', 'UUID'];
    database.exec(`CREATE TABLE every (${columns.map((type, index) => `c${index} ${type}`).join(', ')})`);
    const values = [
      null,
      0n,
      1n,
      -9223372036854775808n,
      9223372036854775807n,
      0.1,
      -0,
      1e300,
      5e-324,
      Number.POSITIVE_INFINITY,
      5,
      '',
      '1',
      't',
      'x\0y',
      '💾 "quoted" \\ \u2028 \ufffd',
      '2020-01-01',
      new Uint8Array(0),
      Uint8Array.from([0, 255, 92]),
    ];
    const insert = database.prepare(`INSERT INTO every VALUES (${columns.map(() => '?').join(', ')})`);
    for (const value of values) insert.run(...columns.map(() => value));
    database.exec('CREATE TABLE strict_one (id INTEGER PRIMARY KEY, any ANY, text TEXT) STRICT');
    database.exec(`INSERT INTO strict_one VALUES (1, 1.0, '1'), (2, x'00', NULL)`);
    database.close();
    const kept = await keepModels(`sqlite:${path}`);
    const made = `sqlite:${archives.path('made.db')}`;
    await putModels(kept, made, { createSchema: true });
    assert.deepEqual((await contentsOf(made)).lines, (await contentsOf(`sqlite:${path}`)).lines);
    assert.equal((await contentsOf(made)).lines.get('every')?.length, values.length);
  });

  test('a text of SQLite that is no Unicode is refused by table and column', async () => {
    const path = archives.path('surrogate.db');
    const database = new DatabaseSync(path);
    database.exec(`CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT);
      INSERT INTO note VALUES (1, 'fine'), (2, CAST(x'eda080' AS TEXT))`);
    database.close();
    await assert.rejects(keepModels(`sqlite:${path}`), (error: Error) => {
      assert.match(error.message, /note\.body: text number 2 is not Unicode/);
      return true;
    });
  });
});
