/** The differ finds every kind of difference, and none where there is none. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { leftOut } from '../services/service-packages.ts';
import { type MariadbService, startMariadb } from '../services/start-mariadb.ts';
import { compareMariadb } from './compare-mariadb.ts';
import { connectMariadb } from './connect-mariadb.ts';
import { type MakeMariadbOptions, makeMariadb } from './make-mariadb.ts';

const skip = leftOut('mariadb');
// Of one name on two servers: a database's name is in places that a dump brings along.
let service: MariadbService;
let other: MariadbService;
before(async () => {
  if (skip === false) [service, other] = await Promise.all([startMariadb(), startMariadb()]);
});
after(() => Promise.all([service?.stop(), other?.stop()]));

async function run(url: string, ...statements: string[]): Promise<void> {
  const connection = await connectMariadb(url);
  try {
    for (const statement of statements) await connection.query(statement);
  } finally {
    await connection.end();
  }
}

async function made(on: MariadbService, name: string, options: MakeMariadbOptions): Promise<string> {
  const url = await on.createDatabase(name);
  await makeMariadb(url, options);
  return url;
}

function factsOf(differences: readonly string[]): string[] {
  return differences.map((line) => line.split(/ (?:is only|differs)/)[0] ?? '').sort();
}

/** What MariaDB's own programs make of a database of the first server on the other. */
async function restoredByTools(name: string): Promise<string> {
  const url = await other.createDatabase(name);
  const options = ['--no-defaults', '--user=root', '--default-character-set=utf8mb4'];
  const dumped = ['--routines', '--triggers', '--events', '--hex-blob', '--skip-add-locks', '--single-transaction'];
  const dump = execFileSync(
    join(service.programFolder, 'mariadb-dump'),
    [...options, `--socket=${service.socketPath}`, ...dumped, name],
    { maxBuffer: 1 << 30 },
  );
  const client = [...options, `--socket=${other.socketPath}`, '--comments', '--binary-mode', name];
  execFileSync(join(service.programFolder, 'mariadb'), client, { input: dump });
  return url;
}

test('what MariaDB itself dumps and restores is equal, but for the past of its rows', { skip }, async () => {
  const original = await made(service, 'dumped', { rows: 40 });
  const restored = await restoredByTools('dumped');
  assert.deepEqual(await compareMariadb(original, restored, { database: true }), []);
  const versioned = ['rows of `versioned_columns`', 'rows of `versioned`'];
  assert.deepEqual(factsOf(await compareMariadb(original, restored, { history: true })), versioned);
});

test('a seed makes the same database again, another one other rows in the same schema', { skip }, async () => {
  const small = { rows: 30, blobSizeBytes: 100_000, beyondTheTool: true };
  const one = await made(service, 'seeded', { ...small, seed: 1 });
  const again = await made(service, 'again', { ...small, seed: 1 });
  assert.deepEqual(await compareMariadb(one, again), []);
  const differing = factsOf(await compareMariadb(one, await made(other, 'seeded', { ...small, seed: 2 })));
  assert.deepEqual(differing, ['rows of `by_range`', 'rows of `every_type`', 'rows of `large_value`']);
});

/** Statements, and the facts that then differ: these and no others. */
const changes: readonly (readonly [statement: string, ...facts: string[]])[] = [
  // Rows.
  ["UPDATE no_key SET note = '' WHERE number = 1 AND note IS NULL", 'rows of `no_key`'],
  ["INSERT INTO by_list VALUES (1, 'north')", 'rows of `by_list`'],
  ['DELETE FROM by_key WHERE id = 50', 'rows of `by_key`'],
  ["UPDATE in_latin1 SET fixed = 'a' WHERE id = 1", 'rows of `in_latin1`'],
  ["UPDATE in_myisam SET place = point(1, 2.5) WHERE kind = 'b'", 'rows of `in_myisam`'],
  ["UPDATE in_aria SET note = 'aria ' WHERE id = 1", 'rows of `in_aria`'],
  [
    'UPDATE large_value SET bytes = insert(bytes, 99999, 1, char(ascii(substr(bytes, 99999, 1)) ^ 1)) WHERE id = 2',
    'rows of `large_value`',
  ],
  ['UPDATE exact_floats SET number = 16777214 WHERE id = 1', 'rows of `exact_floats`'],
  ['UPDATE generated_columns SET secret = 2 WHERE id = 1', 'rows of `generated_columns`'],
  ["UPDATE every_type SET c34 = concat(c34, ' ') WHERE id = 5", 'rows of `every_type`'],
  ["UPDATE versioned SET note = 'third' WHERE id = 1", 'rows of `versioned`'],
  ['UPDATE hen SET egg_id = 1 WHERE id = 2', 'rows of `hen`'],
  ['DO nextval(unused)', 'value of sequence `unused`'],
  ['ALTER SEQUENCE backwards MINVALUE -600', 'SEQUENCE `backwards`'],
  // Tables.
  ['CREATE TABLE more (id int)', 'BASE TABLE `more`', 'rows of `more`'],
  ['DROP TABLE `*`', 'BASE TABLE `*`', 'rows of `*`'],
  ['ALTER TABLE parent AUTO_INCREMENT = 2000', 'BASE TABLE `parent`'],
  ['ALTER TABLE child DROP FOREIGN KEY child_parent', 'BASE TABLE `child`'],
  ["ALTER TABLE no_rows COMMENT 'other'", 'BASE TABLE `no_rows`'],
  ['ALTER TABLE two_keys DROP KEY backwards', 'BASE TABLE `two_keys`'],
  ["ALTER TABLE `table` MODIFY id int COMMENT 'of a column'", 'BASE TABLE `table`'],
  ['ALTER TABLE `Table` ENGINE = Aria', 'BASE TABLE `Table`'],
  ['ALTER TABLE `a.b` CHARACTER SET latin1', 'BASE TABLE `a.b`'],
  ['ALTER TABLE `-dash` PARTITION BY HASH (id) PARTITIONS 2', 'BASE TABLE `-dash`'],
  ['ALTER TABLE `%2F` ADD CONSTRAINT CHECK (id > 0)', 'BASE TABLE `%2F`'],
  // Views and code.
  ['ALTER VIEW b_upon_both AS SELECT 1 AS most, 2 AS `count it`', 'VIEW `b_upon_both`'],
  ['ALTER SQL SECURITY INVOKER VIEW with_text AS SELECT 1 AS text', 'VIEW `with_text`'],
  ["ALTER FUNCTION twice COMMENT 'other'", 'FUNCTION `twice`'],
  ['DROP PROCEDURE `note it`', 'PROCEDURE `note it`'],
  ['ALTER EVENT clean_up ENABLE', 'EVENT `clean_up`'],
  ['DROP EVENT `once; "only"`', 'EVENT `once; "only"`'],
  ['DROP TRIGGER document_delete', 'TRIGGER `document_delete`', 'order of trigger `document_delete`'],
  [
    'DROP TRIGGER `Second; "trigger"`;; CREATE TRIGGER `Second; "trigger"` BEFORE INSERT ON document FOR EACH ROW PRECEDES document_insert SET NEW.changes = NEW.changes + 1',
    'TRIGGER `Second; "trigger"`',
    'order of trigger `Second; "trigger"`',
    'order of trigger `document_insert`',
  ],
  ["SET sql_mode = 'ORACLE';; DROP PACKAGE BODY counting", 'PACKAGE BODY `counting`'],
];

test('each change is found, and nothing else', { skip }, async () => {
  const small = { rows: 30, blobSizeBytes: 100_000, beyondTheTool: true };
  const original = await made(service, 'changed', small);
  const changed = await made(other, 'changed', small);
  assert.deepEqual(await compareMariadb(original, changed), []);
  const statements = changes.flatMap(([several]) => several.split(';; '));
  await run(changed, "SET sql_mode = 'NO_ENGINE_SUBSTITUTION'", ...statements);
  const expected = changes.flatMap(([, ...facts]) => facts).sort();
  assert.deepEqual(factsOf(await compareMariadb(original, changed)), expected);
  assert.deepEqual(factsOf(await compareMariadb(changed, original)), expected);
});

test('what belongs to the database and its users is compared when asked for', { skip }, async () => {
  const [one, two] = [await service.createDatabase('granted'), await other.createDatabase('granted')];
  const same = ['CREATE TABLE t (a int, b int)', 'CREATE PROCEDURE p() SELECT 1', 'CREATE USER reader@localhost'];
  await run(one, ...same);
  await run(two, ...same);
  assert.deepEqual(await compareMariadb(one, two, { database: true }), []);
  await run(
    two,
    'GRANT SELECT ON granted.* TO reader@localhost',
    'GRANT INSERT ON t TO reader@localhost WITH GRANT OPTION',
    'GRANT UPDATE (b) ON t TO reader@localhost',
    'GRANT EXECUTE ON PROCEDURE p TO reader@localhost',
    'ALTER DATABASE granted CHARACTER SET latin1',
  );
  const grants = ['', ' on p', ' on t', ' on t.b'].map((object) => `grant to 'reader'@'localhost'${object}`);
  assert.deepEqual(factsOf(await compareMariadb(one, two, { database: true })), ['database', ...grants]);
  assert.deepEqual(await compareMariadb(one, two), []);
});
