import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { Client } from 'pg';
import { type PostgresService, startPostgres } from '../../../../test/services/start-postgres.ts';
import { type RowCondition, rowConditions } from './row-condition.ts';
import { whereSql } from './where-sql.ts';

const conditions = (where: Record<string, unknown>) => rowConditions(where, 'Thing', (field) => field);

/** Filters and the ids of the rows that they fit. */
const cases: readonly [Record<string, unknown>, readonly number[]][] = [
  [{ id: 2 }, [2]],
  [{ id: { in: [1, 3n] } }, [1, 3]],
  [{ id: { in: [] } }, []],
  [{ id: { gte: 2, lt: 3 } }, [2]],
  [{ id: { gt: 1, lte: 3 } }, [2, 3]],
  [{ 'odd "name"': null }, [3]],
  [{ 'odd "name"': { not: null } }, [1, 2]],
  [{ 'odd "name"': "it's \\' OR 1=1 --" }, [1]],
  [{ 'odd "name"': { not: "it's \\' OR 1=1 --" } }, [2]],
  [{ 'odd "name"': '%' }, [2]],
  [{ flag: true, id: { gt: 1 } }, [3]],
];
const rows = `(1, 'it''s \\'' OR 1=1 --', TRUE, '2026-01-01'), (2, '%', FALSE, '2026-06-01'), (3, NULL, TRUE, NULL)`;

test('SQLite understands the conditions', () => {
  using database = new DatabaseSync(':memory:');
  database.exec(
    `CREATE TABLE thing (id INTEGER, "odd ""name""" TEXT, flag INTEGER, "at" TEXT); INSERT INTO thing VALUES ${rows}`,
  );
  for (const [where, expected] of cases) {
    const sql = `SELECT id FROM thing WHERE ${whereSql(conditions(where), 'sqlite')} ORDER BY id`;
    assert.deepEqual(
      database
        .prepare(sql)
        .all()
        .map((row) => row['id']),
      expected,
      sql,
    );
  }
  assert.throws(() => whereSql(conditions({ at: new Date(0) }), 'sqlite'), { code: 'config.invalid' });
});

let server: PostgresService;
before(async () => {
  server = await startPostgres({ settings: { timezone: 'Asia/Tokyo' } });
});
after(() => server.stop());

test('PostgreSQL understands them, with backslashes in either mode and dates in UTC', async () => {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    await client.query('CREATE TABLE thing (id int, "odd ""name""" text, flag boolean, "at" timestamp)');
    await client.query(`INSERT INTO thing VALUES ${rows}`);
    const dated = [{ at: { gte: new Date('2026-06-01T00:00:00Z') } }, [2]] as const;
    for (const mode of ['on', 'off']) {
      await client.query(
        `SET standard_conforming_strings = ${mode}; SET backslash_quote = on; SET escape_string_warning = off`,
      );
      for (const [where, expected] of [...cases, dated]) {
        const sql = `SELECT id FROM thing WHERE ${whereSql(conditions(where), 'postgres')} ORDER BY id`;
        const found = await client.query<{ id: number }>(sql);
        assert.deepEqual(
          found.rows.map(({ id }) => id),
          expected,
          sql,
        );
      }
    }
  } finally {
    await client.end();
  }
});

test('what MySQL gets', () => {
  const given: RowCondition[] = conditions({ 'a`b': "x'y", path: 'a\\b', at: new Date(1), on: false });
  assert.equal(
    whereSql(given, 'mariadb'),
    "`a``b` = 'x''y' AND `path` = CONVERT(X'615c62' USING utf8mb4) AND `at` = '1970-01-01 00:00:00.001' AND `on` = 0",
  );
  assert.equal(whereSql([], 'mysql'), undefined);
  assert.throws(() => whereSql(conditions({ a: 'x\0' }), 'mysql'), { code: 'config.invalid' });
});
