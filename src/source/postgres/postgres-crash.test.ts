import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type pg from 'pg';
import { connectPostgres } from '../../../test/databases/connect-postgres.ts';
import { backUp, type Entry, restore } from '../../../test/postgres/restore.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { type PostgresService, startPostgres } from '../../../test/services/start-postgres.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';

leaveOutWithout('postgres');

/** How often a restore is killed in each mode: few times here, 50 times by `npm run crash`. */
const killCount = Number(process.env['HOLDFAST_KILL_POINTS'] ?? 4);
const child = new URL('../../../test/postgres/restore-child.ts', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-crash-'));
let server: PostgresService;
let control: pg.Client;
let entries: readonly Entry[];

before(async () => {
  server = await startPostgres();
  control = await connectPostgres(server.url);
  await fill(await server.createDatabase('archived'), 'new', 20_000);
  entries = await backUp(server.urlOf('archived'));
});
after(async () => {
  await control?.end();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function fill(url: string, text: string, rows: number): Promise<void> {
  const client = await connectPostgres(url);
  await client.query(`CREATE TABLE a (id int PRIMARY KEY, t text); CREATE TABLE b (id int REFERENCES a, t text);
    INSERT INTO a SELECT n, '${text}' FROM generate_series(1, ${rows}) n; INSERT INTO b TABLE a; CREATE INDEX ON b (t);
    CREATE MATERIALIZED VIEW m AS SELECT t, count(*) AS n FROM b GROUP BY t`);
  await client.end();
}

/** What stands in a database: a word for one that is whole. Waits until the server has seen that the killed client is gone. */
async function stateOf(name: string): Promise<string> {
  for (;;) {
    const { rows } = await control.query(`SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'holdfast%'`);
    if (rows.length === 0) break;
    await control.query('SELECT pg_sleep(0.02)');
  }
  const { rows: found } = await control.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (found.length === 0) return 'missing';
  const client = await connectPostgres(server.urlOf(name));
  try {
    const { rows: tables } = await client.query(
      `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1`,
    );
    if (tables.length === 0) return 'empty';
    const { rows } = await client.query(`SELECT (SELECT string_agg(DISTINCT t, ',') || count(*) FROM a) AS a,
      (SELECT string_agg(DISTINCT t, ',') || count(*) FROM b) AS b, (SELECT string_agg(t || n, ',') FROM m) AS m,
      (SELECT count(*)::int FROM pg_constraint WHERE contype = 'f' AND convalidated) AS keys, to_regclass('b_t_idx') IS NOT NULL AS index`);
    return JSON.stringify(rows[0]);
  } finally {
    await client.end();
  }
}

const whole = (text: string, rows: number) =>
  JSON.stringify({ a: `${text}${rows}`, b: `${text}${rows}`, m: `${text}${rows}`, keys: 1, index: true });
const oldRows = 50;

/** Starts a restore, kills it after a time, and gives whether it had ended before. */
async function killAfter(file: string, name: string, mode: string, delayMs: number): Promise<boolean> {
  const process = fork(child, [file, server.urlOf(name), mode], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  let isDone = false;
  process.on('message', (message) => {
    isDone ||= message === 'done';
  });
  const exited = once(process, 'exit');
  await once(process, 'message');
  await Promise.race([new Promise((resolve) => setTimeout(resolve, delayMs)), exited]);
  process.kill('SIGKILL');
  await exited;
  return isDone;
}

describe('a restore that is killed leaves the old database or the new one, whole', () => {
  for (const mode of ['fresh', 'swap', 'transaction', 'rows'] as const) {
    it(mode, async () => {
      const name = `killed_${mode}`;
      const chosen = mode === 'rows' ? entries.filter(({ kind }) => kind === 'table') : entries;
      const file = join(folder, `${mode}.json`);
      writeFileSync(
        file,
        JSON.stringify(chosen.map((entry) => ({ ...entry, bytes: null, base64: entry.bytes.toString('base64') }))),
      );
      const isThere = mode !== 'fresh';
      const old = isThere ? whole('old', oldRows) : 'missing';
      // Rows alone leave the view, which shows what it was filled with.
      const fresh =
        mode === 'rows' ? whole('new', 20_000).replace('"m":"new20000"', `"m":"old${oldRows}"`) : whole('new', 20_000);
      const reset = async () => {
        await control.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
        if (isThere) await fill(await server.createDatabase(name), 'old', oldRows);
      };
      await reset();
      const startMs = performance.now();
      assert.ok(await killAfter(file, name, mode, 60_000));
      const lengthMs = performance.now() - startMs;
      const random = new SeededRandom(mode.length);
      const seen = new Set<string>([await stateOf(name)]);
      await reset();
      for (let turn = 0; turn < killCount; turn += 1) {
        const delayMs = ((turn + random.integer(100) / 100) / killCount) * lengthMs;
        const isDone = await killAfter(file, name, mode, delayMs);
        const state = await stateOf(name);
        assert.ok(state === fresh || (state === old && !isDone), `after ${delayMs} of ${lengthMs} ms: ${state}`);
        seen.add(state);
        if (state === fresh) await reset();
      }
      if (!seen.has(old)) {
        await killAfter(file, name, mode, 0);
        seen.add(await stateOf(name));
      }
      assert.ok(seen.has(old) && seen.has(fresh), 'both were seen');
      await restore(server.urlOf(name), chosen, { overwrite: true });
      assert.equal(await stateOf(name), fresh);
      const { rows } = await control.query(
        `SELECT datname FROM pg_database WHERE datname ~ '^${name}__holdfast_(new|old)'`,
      );
      assert.deepEqual(rows, []);
    });
  }
});
