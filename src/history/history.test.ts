import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { historyCases } from '../testing/history-cases.ts';
import { openHistory } from './history.ts';
import { schemaVersion } from './history-schema.ts';

const openingChild = fileURLToPath(new URL('../../test/history/opening-child.ts', import.meta.url));

async function newPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-history-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, '.holdfast', 'history.db');
}

for (const { name, run } of historyCases) {
  test(`SQLite: ${name}`, async (t) => {
    const path = await newPath(t);
    await run({
      open: () => openHistory({ path }),
      execute: async (statement) => {
        using file = new DatabaseSync(path);
        file.exec(statement);
      },
      isServer: false,
    });
  });
}

test('the folder is private, and kept out of version control', async (t) => {
  const path = await newPath(t);
  await (await openHistory({ path })).close();
  assert.equal((await stat(join(path, '..'))).mode & 0o777, 0o700);
  assert.equal(await readFile(join(path, '..', '.gitignore'), 'utf8'), '*\n');
});

test('the file is private, in a folder that others may read as well', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-history-'));
  t.after(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o755);
  const history = await openHistory({ path: join(folder, 'history.db') });
  await history.begin({ kind: 'backup', startedMs: 1 });
  for (const name of await readdir(folder)) assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600, name);
  await history.close();
});

test('a history of the first version is brought to the present one, by one of many who open it at once', async (t) => {
  const path = await newPath(t);
  const first = await openHistory({ path });
  for (const startedMs of [2, 1, 3]) await first.begin({ kind: 'backup', startedMs });
  await first.close();
  using file = new DatabaseSync(path);
  file.exec(
    `DROP TABLE delivery; DROP TABLE drill; DROP INDEX run_job; ALTER TABLE run DROP COLUMN scheduled_ms;
    DROP INDEX run_sequence; ALTER TABLE run DROP COLUMN sequence;
    ALTER TABLE run_archive DROP COLUMN sha256;
    DELETE FROM schema_version WHERE version > 1`,
  );
  const exits = Array.from({ length: 4 }, () =>
    once(spawn(process.execPath, [openingChild, path], { stdio: 'inherit' }), 'exit'),
  );
  for (const exit of await Promise.all(exits)) assert.deepEqual(exit, [0, null]);
  assert.deepEqual(
    file
      .prepare('SELECT version FROM schema_version ORDER BY version')
      .all()
      .map(({ version }) => version),
    Array.from({ length: schemaVersion }, (_, index) => index + 1),
  );
  const again = await openHistory({ path });
  // In what order they began nobody wrote then: by their time.
  await again.begin({ kind: 'backup', startedMs: 0 });
  assert.deepEqual(
    (await again.runs()).map(({ startedMs }) => startedMs),
    [0, 3, 2, 1],
  );
  await again.close();
});

test('the logs of the oldest runs make room', async (t) => {
  const path = await newPath(t);
  const history = await openHistory({ path });
  t.after(() => history.close());
  using file = new DatabaseSync(path);
  file.exec(`INSERT INTO run (id, kind, state, started_ms, process_id, process_space, phases)
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 2000)
    SELECT 'run' || n, 'backup', 'succeeded', n, 0, '', '[]' FROM number;
    INSERT INTO run_log SELECT id, started_ms, '[[1,"x"]]' FROM run`);
  const id = await history.begin({ kind: 'backup', startedMs: 3000 });
  const log = [{ timeMs: 3000, text: 'the newest' }];
  await history.end(id, { state: 'succeeded', endedMs: 3001, phases: [], archives: [], log });
  const lengths = await Promise.all(['run1', 'run2', id].map(async (one) => (await history.runLog(one)).length));
  assert.deepEqual(lengths, [0, 1, 1]);
});

test('the maps of archives that nobody looked at for longest make room', async (t) => {
  const path = await newPath(t);
  const history = await openHistory({ path });
  t.after(() => history.close());
  using file = new DatabaseSync(path);
  file.exec(`INSERT INTO block_map
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 10000)
    SELECT 'place' || n, 'ab', n, 9, 0, 0, 0, 239, 16, '=9' FROM number`);
  const counts = { perCopy: 9, damaged: 0, solved: 0, lost: 0, dataBlocks: 239, parityBlocks: 16 };
  const map = { archiveId: 'ab', lookedMs: 20_000, ...counts, copies: ['=========', '=========='] };
  await history.setBlockMap('new', map);
  const found = await history.blockMaps(['place1', 'place2', 'new']);
  assert.deepEqual([...found.keys()].sort(), ['new', 'place2']);
});

test('a file that is no history is told, and left as it is', async (t) => {
  const path = await newPath(t);
  const folder = join(path, '..', '..');
  await writeFile(join(folder, 'history.db'), 'this is not a database, but a text of some length\n'.repeat(40));
  await assert.rejects(openHistory({ path: join(folder, 'history.db') }), { code: 'history.unavailable' });
  await assert.rejects(openHistory({ path: join(folder, 'history.db', 'x', 'history.db') }), {
    code: 'history.unavailable',
  });
  assert.match(await readFile(join(folder, 'history.db'), 'utf8'), /^this is not/);
});
