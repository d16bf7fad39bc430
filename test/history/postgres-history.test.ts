import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import pg from 'pg';
import { openHistory } from '../../src/history/history.ts';
import { schemaVersion } from '../../src/history/history-schema.ts';
import { openPostgres } from '../../src/history/open-postgres.ts';
import { recordRun } from '../../src/operation/record-run.ts';
import { Secret } from '../../src/secret.ts';
import { historyCases } from '../../src/testing/history-cases.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';

leaveOutWithout('postgres');

const password = 'canary-of-the-history';
const openingChild = fileURLToPath(new URL('opening-child.ts', import.meta.url));
let server: PostgresService;
before(async () => {
  server = await startPostgres({ password });
});
after(() => server.stop());

async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

let made = 0;
async function newDatabase(): Promise<string> {
  made += 1;
  return await server.createDatabase(`history ${made}`);
}

for (const { name, run } of historyCases) {
  test(`PostgreSQL: ${name}`, async () => {
    const url = await newDatabase();
    await run({
      open: () => openHistory({ url: new Secret(url), schema: 'Backups of "shop"' }),
      execute: async (statement) => {
        await query(url, `SET search_path = 'Backups of "shop"'; ${statement}`);
      },
      isServer: true,
    });
    const schemas = await query(url, "SELECT nspname FROM pg_namespace WHERE nspname = 'holdfast'");
    assert.deepEqual(schemas, []);
  });
}

test('of many processes that open a new one at once each finds the tables', { timeout: 60_000 }, async () => {
  const url = await newDatabase();
  const exits = Array.from({ length: 4 }, () =>
    once(spawn(process.execPath, [openingChild, url], { stdio: 'inherit' }), 'exit'),
  );
  for (const exit of await Promise.all(exits)) assert.deepEqual(exit, [0, null]);
  const versions = await query(url, 'SELECT version FROM holdfast.schema_version ORDER BY version');
  assert.deepEqual(
    versions.map(({ version }) => version),
    Array.from({ length: schemaVersion }, (_, index) => index + 1),
  );
});

test('a role that may read and write rows is enough, and one that may not is told what it lacks', async () => {
  const url = await newDatabase();
  await query(url, `CREATE ROLE writer LOGIN PASSWORD '${password}'`);
  const asWriter = new URL(url);
  asWriter.username = 'writer';
  const open = () => openHistory({ url: new Secret(asWriter.href) });
  await assert.rejects(open(), (error: Error & { code?: string; hint?: string }) => {
    assert.equal(error.code, 'history.unavailable');
    assert.match(error.hint ?? '', /CREATE on the database/);
    return true;
  });
  await (await openHistory({ url: new Secret(url) })).close();
  await query(
    url,
    `GRANT USAGE ON SCHEMA holdfast TO writer;
     GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA holdfast TO writer`,
  );
  const history = await open();
  const id = await history.begin({ kind: 'backup', startedMs: 1, archives: [{ url: 'x', state: 'pending' }] });
  await history.end(id, { state: 'succeeded', endedMs: 2, phases: [], archives: [] });
  const lease = await history.takeLease('backup', { nowMs: 0, durationMs: 60_000 });
  assert.ok(lease);
  await history.releaseLease(lease);
  await history.close();
});

test('no error shows the password', { timeout: 60_000 }, async () => {
  const wrong = new URL(server.url);
  wrong.password = 'wrong-canary';
  const away = new URL(server.url);
  away.port = '1';
  const nowhere = new URL(server.url);
  nowhere.pathname = '/nowhere';
  for (const url of [wrong, away, nowhere]) {
    const error = await openPostgres({ url: new Secret(url.href), wait: async () => undefined }).then(
      () => assert.fail('it was opened'),
      (thrown: unknown) => thrown,
    );
    assert.equal((error as { code?: string }).code, 'history.unavailable');
    const shown = `${inspect(error, { depth: 10 })}${JSON.stringify(error)}`;
    assert.ok(!shown.includes('canary'), shown);
  }
});

test('a server that restarts loses no record of a run', { timeout: 60_000 }, async () => {
  const history = await openHistory({ url: new Secret(await newDatabase()) });
  const problems: unknown[] = [];
  await recordRun(
    { history, kind: 'backup', onProblem: (error) => problems.push(error) },
    async () => {
      await server.kill();
      await server.restart();
    },
    () => ({ state: 'succeeded', archives: [] }),
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    (await history.runs()).map(({ state }) => state),
    ['succeeded'],
  );
  await history.close();
});

test('a server that is gone is told, and the run goes on', { timeout: 60_000 }, async () => {
  const own = await startPostgres();
  const store = await openPostgres({ url: new Secret(own.url), wait: async () => undefined });
  const { History } = await import('../../src/history/history.ts');
  const { systemRandom } = await import('../../src/random.ts');
  const history = new History(store, systemRandom);
  await own.kill();
  const codes: unknown[] = [];
  const result = await recordRun(
    { history, kind: 'backup', onProblem: (error) => codes.push((error as { code?: string }).code) },
    async () => 'made',
    () => ({ state: 'succeeded', archives: [] }),
  );
  assert.equal(result, 'made');
  assert.ok(codes.length > 0 && codes.every((code) => code === 'history.unavailable'));
  await history.close();
  await own.stop();
});
