import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { leftOut } from '../services/service-packages.ts';
import { startMariadb } from '../services/start-mariadb.ts';
import { startPostgres } from '../services/start-postgres.ts';
import { compareMariadb } from './compare-mariadb.ts';
import { comparePostgres, takePostgresPicture } from './compare-postgres.ts';
import { connectMariadb } from './connect-mariadb.ts';
import {
  chinookLeftOut,
  loadChinookIntoMariadb,
  loadChinookIntoPostgres,
  loadChinookIntoSqlite,
} from './load-chinook.ts';

const skip = chinookLeftOut();
const tracks = 3503;
/** Found in every dialect when no character was lost. */
const artist = 'Antônio Carlos Jobim';

test('PostgreSQL has all its tables', { skip: skip || leftOut('postgres') }, async (context) => {
  const service = await startPostgres();
  context.after(() => service.stop());
  const [one, other] = [await service.createDatabase('one'), await service.createDatabase('other')];
  await loadChinookIntoPostgres(one);
  await loadChinookIntoPostgres(other);
  const rows = [...(await takePostgresPicture(one))].filter(([fact]) => fact.startsWith('rows of '));
  assert.equal(rows.length, 11);
  assert.match(rows.find(([fact]) => fact === 'rows of public.track')?.[1] ?? '', new RegExp(`^r ${tracks} rows`));
  assert.match(rows.find(([fact]) => fact === 'rows of public.artist')?.[1] ?? '', new RegExp(`\\t${artist}$`, 'm'));
  assert.deepEqual(await comparePostgres(one, other), []);
});

test('MariaDB has all its tables', { skip: skip || leftOut('mariadb') }, async (context) => {
  const service = await startMariadb();
  context.after(() => service.stop());
  const [one, other] = [await service.createDatabase('one'), await service.createDatabase('other')];
  await loadChinookIntoMariadb(one);
  await loadChinookIntoMariadb(other);
  const connection = await connectMariadb(one);
  context.after(() => connection.end());
  const [found] = await connection.query(
    'SELECT (SELECT count(*) FROM Track) AS tracks, (SELECT count(*) FROM Artist WHERE Name = ?) AS artists',
    [artist],
  );
  assert.deepEqual(found, [{ tracks, artists: 1 }]);
  assert.deepEqual(await compareMariadb(one, other), []);
});

test('SQLite has all its tables', { skip }, (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-chinook-'));
  context.after(() => rmSync(folder, { recursive: true }));
  loadChinookIntoSqlite(join(folder, 'chinook.db'));
  const database = new DatabaseSync(join(folder, 'chinook.db'), { readOnly: true });
  context.after(() => database.close());
  const found = database.prepare(
    'SELECT (SELECT count(*) FROM Track) AS tracks, count(*) AS artists FROM Artist WHERE Name = ?',
  );
  assert.deepEqual({ ...found.get(artist) }, { tracks, artists: 1 });
});
