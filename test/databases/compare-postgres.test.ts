/** The differ finds every kind of difference, and none where there is none. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { leftOut } from '../services/service-packages.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';
import { comparePostgres } from './compare-postgres.ts';
import { connectPostgres } from './connect-postgres.ts';
import { makePostgres } from './make-postgres.ts';
import { splitSchema } from './postgres-schema.ts';

const skip = leftOut('postgres');
let service: PostgresService;
let original: string;
before(async () => {
  if (skip !== false) return;
  service = await startPostgres();
  original = await service.createDatabase('original');
  await makePostgres(original, { rows: 10 });
});
after(() => service?.stop());

async function run(url: string, ...statements: string[]): Promise<void> {
  const client = await connectPostgres(url);
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function copyOfOriginal(name: string): Promise<string> {
  await run(service.url, `CREATE DATABASE ${name} TEMPLATE original STRATEGY file_copy`);
  return service.urlOf(name);
}

function factsOf(differences: readonly string[]): string[] {
  return differences.map((line) => line.split(/ (?:is only|differs)/)[0] ?? '').sort();
}

test('a copy is equal, and so is what PostgreSQL itself dumps and restores', { skip }, async () => {
  assert.deepEqual(await comparePostgres(original, await copyOfOriginal('same'), { roles: true }), []);
  const restored = await service.createDatabase('restored');
  const dump = execFileSync(join(service.programFolder, 'pg_dump'), ['-Fc', '-Z0', original], { maxBuffer: 1 << 30 });
  execFileSync(join(service.programFolder, 'pg_restore'), ['--exit-on-error', '-d', restored], { input: dump });
  assert.deepEqual(await comparePostgres(original, restored, { roles: true }), []);
});

/** Each statement, and the facts that then differ: these and no others. */
const changes: readonly (readonly [statement: string, ...facts: string[]])[] = [
  // Rows.
  ['DELETE FROM shop.visit_0 WHERE id = (SELECT min(id) FROM shop.visit_0)', 'rows of shop.visit_0'],
  ["INSERT INTO shop.no_key VALUES (1, 'twice')", 'rows of shop.no_key'],
  ["DELETE FROM shop.person WHERE id = 2; INSERT INTO shop.person VALUES (2, 3, 'Two')", 'rows of shop.person'],
  ['INSERT INTO shop.no_columns DEFAULT VALUES', 'rows of shop.no_columns'],
  ["UPDATE types.every_type SET c6 = 0 WHERE c6 = '1e-45'", 'rows of types.every_type'],
  [
    'UPDATE shop.large_value SET bytes = set_byte(bytes, 149999, 255 - get_byte(bytes, 149999)) WHERE id = 1',
    'rows of shop.large_value',
  ],
  ['UPDATE shop.hen SET egg_id = egg_id % 10 + 1 WHERE id < 3', 'rows of shop.hen'],
  [
    "UPDATE shop.sale_south SET note = note || ' ' WHERE id = (SELECT min(id) FROM shop.sale_south)",
    'rows of shop.sale_south',
  ],
  [
    'WITH moved AS (DELETE FROM ONLY shop.animal WHERE id = 1 RETURNING *) INSERT INTO shop.dog (id, name) SELECT * FROM moved',
    'rows of shop.animal',
    'rows of shop.dog',
  ],
  ['TRUNCATE shop.scratch', 'rows of shop.scratch'],
  ['REFRESH MATERIALIZED VIEW code.m_second WITH NO DATA', 'rows of code.m_second'],
  ['REFRESH MATERIALIZED VIEW code.b_never', 'rows of code.b_never'],
  // Sequences and large objects.
  ["SELECT setval('shop.ahead', 4711, true)", 'value of sequence shop.ahead'],
  ["SELECT nextval('shop.animal_id_seq')", 'value of sequence shop.animal_id_seq'],
  ['ALTER SEQUENCE shop.down CACHE 6', 'SEQUENCE shop down of shop_owner'],
  ["SELECT lo_put(700003, 150000, '\\x01')", 'large object 700003'],
  ["COMMENT ON LARGE OBJECT 700002 IS 'other'", 'large object 700002'],
  ['REVOKE UPDATE ON LARGE OBJECT 700004 FROM shop_reader', 'large object 700004'],
  ['ALTER LARGE OBJECT 700001 OWNER TO shop_owner', 'large object 700001'],
  ['SELECT lo_create(700009)', 'large object 700009'],
  // Tables, columns, constraints, indexes.
  ['CREATE TABLE public.more ()', 'TABLE public more of postgres', 'rows of public.more'],
  ['DROP TABLE public."CON"', 'TABLE public CON of postgres', 'rows of public."CON"'],
  ['ALTER TABLE shop.empty ADD COLUMN more integer', 'TABLE shop empty of postgres'],
  [
    "ALTER TABLE shop.owned ALTER COLUMN owner SET DEFAULT ''",
    'DEFAULT shop dog owner of postgres',
    'TABLE shop owned of postgres',
  ],
  ['ALTER TABLE shop.indexed ALTER COLUMN text SET STATISTICS 3', 'TABLE shop indexed of postgres'],
  ['ALTER TABLE shop.booking SET (fillfactor = 50)', 'TABLE shop booking of postgres'],
  [
    'ALTER TABLE shop.egg ALTER CONSTRAINT egg_hen_id_fkey INITIALLY IMMEDIATE',
    'FK CONSTRAINT shop egg egg_hen_id_fkey of postgres',
  ],
  [
    'ALTER TABLE shop.not_valid DROP CONSTRAINT not_checked',
    'CHECK CONSTRAINT shop not_valid not_checked of postgres',
    'COMMENT shop CONSTRAINT not_checked ON not_valid of postgres',
  ],
  ['DROP INDEX shop.indexed_brin', 'INDEX shop indexed_brin of postgres'],
  [
    'DROP STATISTICS shop.item_shape',
    'STATISTICS shop item_shape of postgres',
    'COMMENT shop STATISTICS item_shape of postgres',
  ],
  ['ALTER TABLE a.b SET UNLOGGED', 'TABLE a b of postgres'],
  // Types.
  ["ALTER TYPE shop.mood ADD VALUE 'new' BEFORE 'ok'", 'TYPE shop mood of postgres'],
  ['ALTER DOMAIN shop.positives DROP CONSTRAINT positives_check', 'DOMAIN shop positives of postgres'],
  // Code.
  [
    "CREATE OR REPLACE FUNCTION code.instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN  NEW; END'",
    'FUNCTION code instead() of postgres',
  ],
  ['ALTER PROCEDURE code.note(text) SECURITY DEFINER', 'PROCEDURE code note(text) of postgres'],
  ['ALTER TABLE code.document ENABLE TRIGGER switched_off', 'TRIGGER code document switched_off of postgres'],
  ['DROP TRIGGER after_all ON code.document', 'TRIGGER code document after_all of postgres'],
  ['DROP RULE log_insert ON code.document', 'RULE code document log_insert of postgres'],
  ['ALTER VIEW code.checked RESET (check_option)', 'VIEW code checked of postgres'],
  ['ALTER POLICY narrow ON code.document USING (id <> 14)', 'POLICY code document narrow of postgres'],
  ['ALTER TABLE code.log NO FORCE ROW LEVEL SECURITY', 'TABLE code log of postgres'],
  ['ALTER EVENT TRIGGER on_drop ENABLE', 'EVENT TRIGGER - on_drop of postgres'],
  [
    'ALTER PUBLICATION some_rows SET TABLE shop.person',
    'PUBLICATION TABLE shop some_rows hen of postgres',
    'PUBLICATION TABLE shop some_rows person of postgres',
  ],
  ["ALTER SERVER elsewhere OPTIONS (SET port '2')", 'SERVER - elsewhere of postgres'],
  // Comments, owners, grants.
  ["COMMENT ON COLUMN shop.item.area IS 'other'", 'COMMENT shop COLUMN item.area of postgres'],
  ['COMMENT ON SCHEMA shop IS NULL', 'COMMENT - SCHEMA shop of postgres'],
  ['ALTER TYPE code.celsius OWNER TO shop_owner', 'TYPE code celsius of postgres', 'TYPE code celsius of shop_owner'],
  ['REVOKE UPDATE (mood) ON shop.item FROM "Role, ""with"" quotes"', 'ACL shop COLUMN item.mood of postgres'],
  ['REVOKE GRANT OPTION FOR CREATE ON SCHEMA shop FROM shop_owner', 'ACL - SCHEMA shop of postgres'],
  ['GRANT EXECUTE ON FUNCTION code.double(integer) TO PUBLIC', 'ACL code FUNCTION double(number integer) of postgres'],
  [
    'ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA shop REVOKE SELECT ON TABLES FROM shop_reader',
    'DEFAULT ACL shop DEFAULT PRIVILEGES FOR TABLES of shop_owner',
  ],
  [
    'DROP EXTENSION cube CASCADE',
    'COMMENT - EXTENSION cube of ',
    'EXTENSION - cube of -',
    'TABLE extensions extended of postgres',
    'rows of extensions.extended',
  ],
];

test('each change is found, and nothing else', { skip }, async () => {
  const changed = await copyOfOriginal('changed');
  await run(changed, "SET session_replication_role = 'replica'", ...changes.map(([statement]) => statement));
  const expected = changes.flatMap(([, ...facts]) => facts).sort();
  assert.deepEqual(factsOf(await comparePostgres(original, changed)), expected);
  assert.deepEqual(factsOf(await comparePostgres(changed, original)), expected);
});

test('what belongs to the database and to the server is compared when asked for', { skip }, async () => {
  const one = await service.createDatabase('plain');
  const other = await service.createDatabase('set');
  await run(other, 'ALTER DATABASE set SET work_mem = 4096', "COMMENT ON DATABASE set IS 'other'");
  assert.deepEqual(await comparePostgres(one, other), []);
  assert.deepEqual(factsOf(await comparePostgres(one, other, { database: true })), [
    'database',
    'settings of the database for ',
  ]);
  const second = await startPostgres();
  try {
    await run(second.url, 'CREATE ROLE one_more');
    const differences = await comparePostgres(one, second.url, { roles: true });
    const roles = ['role Role, "with" quotes', 'role one_more', 'role shop_owner', 'role shop_reader'];
    assert.deepEqual(factsOf(differences), roles);
  } finally {
    await second.stop();
  }
});

test('a schema is split at headers, and not at what looks like one', () => {
  const text = [
    '\\restrict abc',
    '-- Dumped by pg_dump version 15',
    'SET x = 1;',
    '--',
    '-- Name: a; Type: TABLE; Schema: s; Owner: o',
    '--',
    '',
    "COMMENT '",
    '-- Name: b; Type: TABLE; Schema: s; Owner: o',
    "';",
    '',
    '--',
  ].join('\n');
  const comment = "COMMENT '\n-- Name: b; Type: TABLE; Schema: s; Owner: o\n';";
  assert.deepEqual(splitSchema(text), [
    { name: 'settings', text: 'SET x = 1;' },
    { name: 'TABLE s a of o', text: comment },
  ]);
});
