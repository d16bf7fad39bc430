/** Values that go from one engine into another and back are the ones that set out; what an engine cannot hold is refused by its name. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, suite, test } from 'node:test';
import { connectMariadb } from '../databases/connect-mariadb.ts';
import { connectPostgres } from '../databases/connect-postgres.ts';
import { databaseServers } from './database-servers.ts';
import { alike, contentsOf, keepModels, ModelArchives, putModels } from './model-archive.ts';

const awkward = `'it''s \\ "quoted" \t\n 💾'`;

/** Column, type, and values that every engine can keep. */
const postgresColumns: readonly (readonly [string, ...string[]])[] = [
  ['boolean', 'true', 'false'],
  ['smallint', '-32768', '32767'],
  ['integer', '-2147483648', '2147483647'],
  ['bigint', '-9223372036854775808', '9223372036854775807'],
  ['numeric(30,10)', '99999999999999999999.9999999999', '-0.0000000001'],
  ['numeric(10,2)', '0.99', '-12345678.90'],
  ['real', `'-0'`, '3.4e38', '0.1'],
  ['double precision', `'-0'`, '5e-324', '0.30000000000000004', '1.7976931348623157e308'],
  ['text', awkward.replace('\\', '\\\\').replace("'it", "E'it"), `''`, `repeat('x', 70000)`],
  ['varchar(10)', `'  padded '`, `'💾💾💾💾💾💾💾💾💾💾'`],
  ['bytea', `'\\x'`, `'\\x00ff5c27'`],
  ['date', `'0001-01-01'`, `'9999-12-31'`, `'2020-02-29'`],
  ['time', `'00:00:00'`, `'23:59:59.999999'`],
  ['timestamp', `'2000-01-01 00:00:00.000001'`, `'9999-12-31 23:59:59.999999'`],
  ['timestamptz', `'2021-10-31 02:30:00.5+02'`],
  ['interval', `'1 year -1 mons +2 days 03:04:05.000006'`],
  ['uuid', `'123e4567-e89b-12d3-a456-426655440000'`],
  ['json', `'{"b": 1, "a":  [1, 2.50, 1e400],  "b": 2}'`, `'"\\u0000"'`],
  ['bit(8)', `'10101010'`, `'00000000'`],
  ['integer[]', `'{{1,NULL},{3,4}}'`, `'[0:1]={1,2}'`],
  ['int4range', `'[1,5)'`, `'empty'`],
  ['inet', `'10.1.2.3/8'`],
  ['mood', `'sad'`, `'it''s'`],
];

const mariadbColumns: readonly (readonly [string, ...string[]])[] = [
  ['tinyint(1)', '1', '-1'],
  ['tinyint unsigned', '255'],
  ['mediumint', '-8388608'],
  ['int unsigned', '4294967295'],
  ['bigint unsigned', '9223372036854775807', '0'],
  ['decimal(65,30)', `${'9'.repeat(35)}.${'9'.repeat(30)}`],
  ['float', '0.1', '3.40282e38', '-0e0'],
  ['double', '5e-324', '0.30000000000000004'],
  ['varchar(40)', `'größer 💾'`, `'\\\\N'`],
  ['longtext', `'a\\tb\\\\'`],
  ['varbinary(20)', `x'00ff5c27'`, `''`],
  ['date', `'1000-01-01'`],
  ['datetime(6)', `'2020-01-01 00:00:00.000001'`],
  ['timestamp(3) NULL', `'2021-10-31 00:30:00.5'`],
  ['time(2)', `'23:59:59.25'`],
  ['year', '2155', '1901'],
  ['bit(10)', `b'1010101010'`],
  ['json', `'{"a":  1}'`],
  [`enum('a','it''s')`, `'it''s'`],
  [`set('a','b')`, `'a,b'`, `''`],
  ['point', `point(1, -2.5)`, `st_geomfromtext('POINT(1 2)', 4326)`],
  ['uuid', `'123e4567-e89b-12d3-a456-426655440000'`],
];

/** A table of such columns, and rows in which each value has its turn. */
function sampleOf(columns: readonly (readonly [string, ...string[]])[]): string {
  const definitions = columns.map(([type], index) => `c${index} ${type}`).join(', ');
  const turns = Math.max(...columns.map(([, ...values]) => values.length));
  const rows = Array.from({ length: turns }, (_, turn) =>
    columns.map(([, ...values]) => values[turn % values.length]).join(', '),
  );
  const nulls = columns.map(() => 'NULL').join(', ');
  const inserts = [...rows, nulls].map((row, index) => `INSERT INTO sample VALUES (${index + 1}, ${row})`);
  return [`CREATE TABLE sample (id int PRIMARY KEY, ${definitions})`, ...inserts].join(';\n');
}

suite('values across engines', () => {
  const archives = new ModelArchives();
  const { postgres, mariadb } = databaseServers();
  let count = 0;

  after(() => archives.remove());

  const newDatabase = async (engine: string): Promise<string> => {
    count += 1;
    if (engine === 'postgres') return await postgres.createDatabase(`cross_${count}`);
    if (engine === 'mariadb') return await mariadb.createDatabase(`cross_${count}`);
    return `sqlite:${archives.path('cross.db')}`;
  };

  /** A database takes its time to be made. */
  const shared = new Map<string, string>();
  const sharedDatabase = async (role: 'from' | 'to', engine: string): Promise<string> => {
    const known = shared.get(`${role} ${engine}`) ?? (await newDatabase(engine));
    shared.set(`${role} ${engine}`, known);
    if (engine === 'sqlite') await runIn(known, 'CREATE TABLE IF NOT EXISTS other (id int)');
    return known;
  };
  const newTable = () => {
    count += 1;
    return `t${count}`;
  };

  const runIn = async (url: string, sql: string): Promise<void> => {
    if (url.startsWith('sqlite:')) {
      using database = new DatabaseSync(url.slice('sqlite:'.length));
      database.exec(sql);
      return;
    }
    if (url.startsWith('postgres:')) {
      const client = await connectPostgres(url);
      await client.query(sql).finally(() => client.end());
      return;
    }
    const connection = await connectMariadb(url, { script: true });
    await connection.query(`SET sql_mode = ''; ${sql}`).finally(() => connection.end());
  };

  const sources = {
    postgres: `CREATE TYPE mood AS ENUM ('sad', 'it''s'); ${sampleOf(postgresColumns)}`,
    mariadb: sampleOf(mariadbColumns),
  } as const;
  const ways = [
    ['postgres', 'sqlite'],
    ['postgres', 'mariadb'],
    ['mariadb', 'sqlite'],
    ['mariadb', 'postgres'],
  ] as const;
  for (const [engine, through] of ways) {
    test(`${engine} through ${through}, and back`, async () => {
      const from = await newDatabase(engine);
      await runIn(from, sources[engine]);
      const before = await contentsOf(from);
      const first = await keepModels(from);
      const between = await newDatabase(through);
      await putModels(first, between, { createSchema: true });
      const second = await keepModels(between);
      await putModels(second, from, { onConflict: 'replace-all' });
      const after = await contentsOf(from);
      assert.deepEqual(alike(after).get('sample'), alike(before).get('sample'));
      assert.equal(after.lines.get('sample')?.length, before.lines.get('sample')?.length);
    });
  }

  const refusals: readonly (readonly [from: string, type: string, value: string, to: string, message: RegExp])[] = [
    ['postgres', 'double precision', `'NaN'`, 'sqlite', /^t\d+\.v, row 1: "NaN" cannot be held by REAL/],
    ['postgres', 'double precision', `'Infinity'`, 'mariadb', /^t\d+\.v, row 1: "Infinity" cannot be held by double/],
    ['postgres', 'numeric', `'NaN'`, 'mariadb', /^t\d+\.v, row 1: "NaN" cannot be held by decimal\(65,30\)/],
    ['postgres', 'numeric', `1e-40`, 'mariadb', /^t\d+\.v, row 1: "0\.0*1" cannot be held by decimal\(65,30\)/],
    ['postgres', 'timestamp', `'infinity'`, 'mariadb', /^t\d+\.v, row 1: "infinity" cannot be held by datetime\(6\)/],
    ['postgres', 'date', `'0044-03-15 BC'`, 'mariadb', /^t\d+\.v, row 1: "0044-03-15 BC" cannot be held by date/],
    [
      'mariadb',
      'bigint unsigned',
      '18446744073709551615',
      'sqlite',
      /^t\d+\.v, row 1: "18446744073709551615" cannot be held by INTEGER/,
    ],
    [
      'mariadb',
      'bigint unsigned',
      '18446744073709551615',
      'postgres',
      /^t\d+\.v, row 1: .*"18446744073709551615" is out of range/,
    ],
    ['mariadb', 'date', `'0000-00-00'`, 'postgres', /^t\d+\.v, row 1: .*0000-00-00/],
    ['mariadb', 'time', `'838:59:59'`, 'postgres', /^t\d+\.v, row 1: .*838:59:59/],
    ['mariadb', 'varchar(9)', `'a\\0b'`, 'postgres', /^t\d+\.v, row 1: the text holds U\+0000/],
    ['sqlite', 'INTEGER', `'many'`, 'postgres', /^t\d+\.v, row 1: .*"many"/],
    ['sqlite', 'INTEGER', `'many'`, 'mariadb', /^t\d+\.v, row 1: "many" cannot be held by bigint/],
    ['sqlite', 'DATE', '20200101', 'mariadb', /^t\d+\.v, row 1: "20200101" cannot be held by date/],
    ['sqlite', 'TEXT', `x'00ff'`, 'postgres', /^t\d+\.v, row 1: "\\\\x00ff" cannot be held by text/],
    ['sqlite', 'BLOB', `'text'`, 'postgres', /^t\d+\.v, row 1: "text" cannot be held by bytea/],
  ];
  for (const [from, type, value, to, message] of refusals) {
    test(`${value} of ${from}, ${type}, is refused by ${to}, and nothing is left`, async () => {
      const source = await sharedDatabase('from', from);
      const table = newTable();
      await runIn(
        source,
        `CREATE TABLE ${table} (id int PRIMARY KEY, v ${type}); INSERT INTO ${table} VALUES (1, ${value})`,
      );
      const kept = await keepModels(source, {}, { includeTables: [table] });
      const target = await sharedDatabase('to', to);
      await assert.rejects(putModels(kept, target, { createSchema: true }), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'target.incompatible');
        assert.match(error.message, message);
        return true;
      });
      assert.ok(!(await contentsOf(target)).lines.has(table));
    });
  }

  /** Into tables that are there and have less room: servers round and cut such values without a word. */
  const narrower: readonly (readonly [type: string, value: string, to: string, narrow: string])[] = [
    ['numeric(10,4)', '0.0001', 'postgres', 'numeric(10,2)'],
    ['numeric(10,4)', '0.0001', 'mariadb', 'decimal(10,2)'],
    ['timestamp', `'2020-01-01 00:00:00.000001'`, 'postgres', 'timestamp(3)'],
    ['timestamp', `'2020-01-01 00:00:00.000001'`, 'mariadb', 'datetime'],
    ['timestamp', `'2020-01-01 00:00:01'`, 'postgres', 'date'],
    ['time', `'00:00:00.5'`, 'mariadb', 'time'],
    ['double precision', '0.30000000000000004', 'postgres', 'real'],
    ['text', `'ab   '`, 'postgres', 'varchar(3)'],
    ['bigint', '4294967296', 'postgres', 'integer'],
    ['numeric(20,2)', '123456789012345678.25', 'sqlite', 'NUMERIC'],
  ];
  for (const [type, value, to, narrow] of narrower) {
    test(`${value} of ${type} is not made less by ${narrow} of ${to}`, async () => {
      const source = await sharedDatabase('from', 'postgres');
      const table = newTable();
      await runIn(
        source,
        `CREATE TABLE ${table} (id int PRIMARY KEY, v ${type}); INSERT INTO ${table} VALUES (1, ${value})`,
      );
      const kept = await keepModels(source, {}, { includeTables: [table] });
      const target = await sharedDatabase('to', to);
      await runIn(target, `CREATE TABLE ${table} (id int PRIMARY KEY, v ${narrow})`);
      await assert.rejects(putModels(kept, target), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'target.incompatible');
        assert.match(error.message, /^t\d+\.v, row 1: /);
        return true;
      });
      assert.deepEqual((await contentsOf(target)).lines.get(table), []);
    });
  }
});
