/** Tables of a SQLite database are all the old ones or all the new ones, wherever the restore is killed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createBackup, restoreBackup, SqliteSource, undoRestore } from '../../src/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { emptyFolder, makeWorkspace } from './workspace.ts';

const program = fileURLToPath(new URL('../transcript/holdfast.ts', import.meta.url));
const workspace = makeWorkspace('table-restore');
const rowCount = 40_000;

function makeTables(path: string, text: string): void {
  using database = new DatabaseSync(path);
  database.exec(`CREATE TABLE a (n INTEGER PRIMARY KEY, t TEXT); CREATE TABLE b (n INTEGER PRIMARY KEY, t TEXT);
    WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < ${rowCount}) INSERT INTO a SELECT n, '${text}' FROM i;
    INSERT INTO b SELECT * FROM a; CREATE INDEX a_t ON a (t, n); CREATE TABLE own (t TEXT); INSERT INTO own VALUES ('${text}')`);
}

/** What both tables hold, when each is whole. */
function textIn(path: string): string {
  using database = new DatabaseSync(path);
  assert.equal(database.prepare('PRAGMA integrity_check').get()?.['integrity_check'], 'ok');
  const found = database
    .prepare('SELECT t, count(*) AS rows FROM (SELECT t FROM a UNION ALL SELECT t FROM b) GROUP BY t')
    .all();
  assert.equal(found.length, 1, JSON.stringify(found));
  assert.equal(found[0]?.['rows'], 2 * rowCount);
  assert.equal(database.prepare('SELECT t FROM own').get()?.['t'], 'old');
  return String(found[0]?.['t']);
}

/** Lets the restore run until the folder has changed so often, and a little longer, then kills it; whether it ended before. */
async function killAfter(folder: string, args: readonly string[], changes: number, turns: number): Promise<boolean> {
  const child = spawn(process.execPath, [program, ...args], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  let seen = '';
  let count = 0;
  for (let left = turns; left > 0 && child.exitCode === null && child.signalCode === null; ) {
    const names = readdirSync(folder).sort().join();
    if (names !== seen) count += 1;
    seen = names;
    if (count > changes) left -= 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  child.kill('SIGKILL');
  const [code] = await exited;
  return code === 0;
}

test('a restore of tables killed at 14 seeded points leaves the old ones or the new ones', async () => {
  const folder = await emptyFolder(workspace, 'killed');
  const archive = join(workspace, 'new.holdfast');
  const source = join(workspace, 'new.db');
  makeTables(source, 'new');
  await createBackup({
    threads: 1,
    sources: [new SqliteSource({ path: source, name: 'x' })],
    output: archive,
    encryption: 'none',
  });
  const old = join(workspace, 'old.db');
  makeTables(old, 'old');
  const random = new SeededRandom(7);
  const path = join(folder, 'live.db');
  const only = ['databases/x/tables/a', 'databases/x/tables/b'];
  const args = [
    'restore',
    archive,
    '--to',
    `sqlite:${path}`,
    '--overwrite',
    '--yes',
    ...only.flatMap((glob) => ['--only', glob]),
  ];
  const found = new Set<string>();
  for (let point = 0; point < 14; point++) {
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    copyFileSync(old, path);
    const [turns = 0] = random.bytes(1);
    // The first is killed at once, the last left alone: that both are met does not depend on how fast the machine is.
    const wanted = point === 0 ? 0 : point === 13 ? Number.POSITIVE_INFINITY : 1 + turns * 2;
    const hasEnded = await killAfter(folder, args, point % 7, wanted);
    const text = textIn(path);
    assert.ok(['old', 'new'].includes(text));
    if (hasEnded) assert.equal(text, 'new');
    found.add(text);
    // The next restore cleans up behind the killed one, and can be undone.
    if (point % 4 > 0) continue;
    await restoreBackup({ archive, threads: 1, only, to: [`sqlite:${path}`], overwrite: true });
    assert.equal(textIn(path), 'new');
    assert.ok(
      readdirSync(folder).every((name) => !name.endsWith('.partial')),
      readdirSync(folder).join(),
    );
    await undoRestore({ to: `sqlite:${path}` });
    assert.equal(textIn(path), text);
  }
  assert.deepEqual([...found].sort(), ['new', 'old'], 'both were met');
});
