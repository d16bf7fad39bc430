/** A real database in three dialects: each is backed up by models, and restored into all three engines, itself among them. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  chinookLeftOut,
  loadChinookIntoMariadb,
  loadChinookIntoPostgres,
  loadChinookIntoSqlite,
} from '../databases/load-chinook.ts';
import { databaseServers } from './database-servers.ts';
import { alike, contentsOf, ModelArchives } from './model-archive.ts';

const engines = ['postgres', 'mariadb', 'sqlite'] as const;

suite('chinook, across engines', { skip: chinookLeftOut() }, () => {
  const archives = new ModelArchives();
  const { postgres, mariadb } = databaseServers();
  const sources = new Map<string, { readonly url: string; readonly archive: string }>();

  before(async () => {
    const urls = {
      postgres: await postgres.createDatabase('chinook'),
      mariadb: await mariadb.createDatabase('chinook'),
      sqlite: `sqlite:${archives.path('chinook.db')}`,
    };
    await loadChinookIntoPostgres(urls.postgres);
    await loadChinookIntoMariadb(urls.mariadb);
    loadChinookIntoSqlite(urls.sqlite.slice('sqlite:'.length));
    for (const engine of engines) {
      const { archive, report } = await archives.backUp(urls[engine]);
      assert.equal(report.rowCount, 15_607);
      assert.equal(report.entryCount, 12);
      sources.set(engine, { url: urls[engine], archive });
    }
  });

  after(() => archives.remove());

  const emptyTarget = async (engine: (typeof engines)[number], name: string) => {
    if (engine === 'postgres') return await postgres.createDatabase(name);
    if (engine === 'mariadb') return await mariadb.createDatabase(name);
    return `sqlite:${archives.path(`${name}.db`)}`;
  };

  for (const from of engines) {
    for (const to of engines) {
      test(`${from} to ${to}: every row, key and relation`, async () => {
        const source = sources.get(from);
        assert.ok(source);
        const url = await emptyTarget(to, `from_${from}`);
        const report = await archives.restore(source.archive, url, { createSchema: true });
        assert.equal(report.rowCount, 15_607);
        const [before, after] = [await contentsOf(source.url), await contentsOf(url)];
        assert.deepEqual(alike(after), alike(before));
        for (const model of before.models) {
          const made = after.models.find(({ name }) => name === model.name);
          assert.deepEqual(made?.primaryKey?.columns, model.primaryKey?.columns, model.name);
          const relations = (foreignKeys: typeof model.foreignKeys) =>
            foreignKeys.map((key) => `${key.columns} ${key.references.table.name} ${key.references.columns}`).sort();
          assert.deepEqual(relations(made?.foreignKeys ?? []), relations(model.foreignKeys), model.name);
        }
      });
    }
  }
});
