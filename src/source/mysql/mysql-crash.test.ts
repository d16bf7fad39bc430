import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeEverything, portrait } from '../../../test/mysql/everything.ts';
import { type MariadbServer, startMariadb } from '../../../test/mysql/mariadb-server.ts';
import { backUp, restore } from '../../../test/mysql/restore.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { Secret } from '../../secret.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { parseMysqlUrl } from './mysql-address.ts';
import { settleSwaps } from './swap.ts';
import { lockTarget } from './target-lock.ts';
import { undoMysql } from './undo-mysql.ts';

leaveOutWithout('mariadb');

const childScript = fileURLToPath(new URL('../../../test/mysql/restore-child.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-crash-'));
const file = join(folder, 'entries.json');
let server: MariadbServer;

before(async () => {
  server = await startMariadb();
  await makeEverything(server, 'app', { withBig: false });
  const entries = await backUp(server.url('app'));
  writeFileSync(file, JSON.stringify(entries.map((entry) => ({ ...entry, base64: entry.bytes.toString('base64') }))));
  await restore(server.url('model'), entries);
  await makeEverything(server, 'shop', { withBig: false });
  await server.query(
    'USE shop',
    'CREATE TABLE old (id int PRIMARY KEY)',
    'CREATE TRIGGER old_trigger BEFORE INSERT ON old FOR EACH ROW SET @a = 1',
    'CREATE VIEW old_view AS SELECT * FROM z_first',
    'CREATE EVENT old_event ON SCHEDULE EVERY 1 YEAR STARTS NOW() + INTERVAL 1 YEAR DO SELECT 1',
    'DROP VIEW a_last',
    'CREATE VIEW a_last AS SELECT 1 AS name',
  );
});
after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the restore through a relay that kills it, with SIGKILL, at the given message to the server: before or after that is passed on. */
async function restoreKilledAt(message: number, isPassedOn: boolean): Promise<number> {
  let count = 0;
  let child: ChildProcess | undefined;
  const relay: Server = createServer((client) => {
    const upstream = createConnection(server.port, '127.0.0.1');
    client.on('data', (chunk) => {
      count += 1;
      if (count === message) child?.kill('SIGKILL');
      if (count < message || (count === message && isPassedOn)) upstream.write(chunk);
    });
    upstream.on('data', (chunk) => client.write(chunk));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('close', () => other.end());
      one.on('error', () => other.end());
    }
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const address = relay.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  child = spawn(process.execPath, [childScript, file, `mariadb://root@127.0.0.1:${port}/shop`], { stdio: 'inherit' });
  await once(child, 'exit');
  relay.close();
  return count;
}

/** Waits until the server has done what the dead restore asked for last. */
async function afterServer<Result>(work: (settle: () => Promise<void>) => Promise<Result>): Promise<Result> {
  const control = await server.connect();
  try {
    await lockTarget(control, parseMysqlUrl(new Secret(server.url('shop'))), 20_000);
    return await work(() => settleSwaps({ control, isMariadb: true, timeoutMs: 20_000 }, 'shop'));
  } finally {
    await control.close();
  }
}

/** Few here, 50 by `npm run crash`. */
const points = Number(process.env['HOLDFAST_KILL_POINTS'] ?? 6);

it(`a restore that is killed at any of ${points} points leaves the old database or the new one, whole`, async (test) => {
  const old = await portrait(server, 'shop');
  const next = await portrait(server, 'model');
  assert.notDeepEqual(old, next);
  let total = 0;
  // All but the first find an undo, and say more.
  for (let whole = 0; whole < 2; whole += 1) {
    total = await restoreKilledAt(Number.POSITIVE_INFINITY, true);
    assert.deepEqual(await portrait(server, 'shop'), next);
    await undoMysql({ url: new Secret(server.url('shop')) });
    assert.deepEqual(await portrait(server, 'shop'), old);
  }
  const random = new SeededRandom(20_26);
  const seen = { old: 0, new: 0 };
  for (let point = 0; point < points; point += 1) {
    // The tables change places near the end: most points are there.
    const isLast = point === points - 1;
    const message = isLast ? total : point % 4 === 0 ? 1 + random.integer(total) : total - random.integer(40);
    const isPassedOn = isLast || random.integer(2) === 1;
    await restoreKilledAt(message, isPassedOn);
    await afterServer(async (settle) => {
      const found = await portrait(server, 'shop');
      const isNew = JSON.stringify(found) === JSON.stringify(next);
      assert.deepEqual(found, isNew ? next : old, `killed at message ${message} of ${total}`);
      await settle();
      assert.deepEqual(await portrait(server, 'shop'), found, `settled after message ${message} of ${total}`);
      const besides = await server.query("SHOW DATABASES LIKE 'shop\\_\\_holdfast\\_%'");
      assert.ok(
        besides.every((row) => /undo/.test(String(Object.values(row)[0]))),
        JSON.stringify(besides),
      );
      seen[isNew ? 'new' : 'old'] += 1;
    });
    if (JSON.stringify(await portrait(server, 'shop')) === JSON.stringify(next)) {
      await undoMysql({ url: new Secret(server.url('shop')) });
    }
    assert.deepEqual(await portrait(server, 'shop'), old);
  }
  test.diagnostic(`${total} messages; old ${seen.old}, new ${seen.new}`);
  assert.ok(seen.old > 0 && seen.new > 0, 'both sides of the moment were met');
});
