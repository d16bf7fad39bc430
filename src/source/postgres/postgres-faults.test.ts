import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, beforeEach, describe, it } from 'node:test';
import type pg from 'pg';
import { connectPostgres } from '../../../test/databases/connect-postgres.ts';
import { backUp, type Entry, restore } from '../../../test/postgres/restore.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { type PostgresService, startPostgres } from '../../../test/services/start-postgres.ts';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { collectSource } from '../../testing/source-cases.ts';
import { PostgresSource } from './postgres-source.ts';

leaveOutWithout('postgres');

let server: PostgresService;
let url: string;
let control: pg.Client;
before(async () => {
  server = await startPostgres({ settings: { max_connections: '40' } });
  url = await server.createDatabase('app');
  const client = await connectPostgres(url);
  await client.query(
    `CREATE TABLE large AS SELECT n, repeat(md5(n::text), 20) AS t FROM generate_series(1, 120000) n; CREATE TABLE other (a int)`,
  );
  await client.end();
});
beforeEach(async () => {
  control = await connectPostgres(server.url);
  control.on('error', () => undefined);
});
after(async () => await server.stop());

function hasCode(code: string, text = '') {
  return (error: unknown) => {
    assert.ok(error instanceof HoldfastError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(text), error.message);
    assert.ok(!error.message.includes('\n') && error.hint !== '');
    return true;
  };
}

const source = (options: object = {}) => new PostgresSource({ url: new Secret(url), timeoutMs: 20_000, ...options });

/** Reads until the large table is on its way, then does something to it. */
async function readUntil(act: () => Promise<unknown>, options: { signal?: AbortSignal } = {}): Promise<void> {
  let hasActed = false;
  await collectSource(source(), {
    ...options,
    async onChunk(path) {
      if (hasActed || !path.endsWith('public.large')) return;
      hasActed = true;
      await act();
    },
  });
}

/** Waits until nothing of a backup is at work on the server. */
async function waitForSilence(limitMs: number): Promise<void> {
  const startMs = performance.now();
  for (;;) {
    const { rows } = await control.query(`SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'holdfast%'`);
    if (rows.length === 0) return;
    assert.ok(performance.now() - startMs < limitMs, 'the server is still at work');
    await control.query('SELECT pg_sleep(0.01)');
  }
}

describe('PostgresSource under faults', () => {
  it('names the table that another program holds, and the time that was waited', async () => {
    const client = await connectPostgres(url);
    await client.query('BEGIN; LOCK TABLE other IN ACCESS EXCLUSIVE MODE');
    try {
      await assert.rejects(collectSource(source({ timeoutMs: 2_000 })), (error) => {
        assert.ok(hasCode('source.busy', 'public.other, which was waited for 2 s')(error));
        assert.deepEqual((error as HoldfastError).context, { table: 'public.other', timeoutMs: 2_000 });
        return true;
      });
      await assert.rejects(
        collectSource(source({ timeoutMs: 2_000, method: 'dump' })),
        hasCode('source.busy', 'public.other'),
      );
    } finally {
      await client.end();
    }
  });

  it('tells of a table that is dropped while the backup begins', async () => {
    const client = await connectPostgres(url);
    await client.query('CREATE TABLE short_lived ()');
    await client.query('BEGIN; DROP TABLE short_lived');
    const read = assert.rejects(collectSource(source()), hasCode('source.changed', 'public.short_lived was dropped'));
    for (;;) {
      const { rows } = await control.query(
        `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'holdfast'`,
      );
      if (rows.length > 0) break;
    }
    await client.query('COMMIT');
    await client.end();
    await read;
  });

  it('waits for who empties or rewrites a table before it takes its moment, so that no table is empty that never was', async () => {
    const target = await server.createDatabase('emptied');
    const client = await connectPostgres(target);
    await client.query('CREATE TABLE filled AS SELECT 1 AS a; CREATE TABLE rewritten AS SELECT 2 AS a');
    await client.query(`BEGIN; TRUNCATE filled; INSERT INTO filled VALUES (7), (8), (9);
      ALTER TABLE rewritten ALTER a TYPE text USING a::text; CREATE TABLE appeared AS SELECT 4 AS a`);
    const reading = collectSource(new PostgresSource({ url: new Secret(target), timeoutMs: 20_000 }));
    for (let isWaiting = false; !isWaiting; ) {
      const { rows } = await control.query(
        `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'holdfast'`,
      );
      isWaiting = rows.length > 0;
    }
    await client.query('COMMIT');
    await client.end();
    const { entries } = await reading;
    const rowsOf = (name: string) =>
      entries
        .find(({ path }) => path.endsWith(`public.${name}`))
        ?.bytes.toString()
        .trim()
        .split('\n').length;
    assert.deepEqual(['filled', 'rewritten', 'appeared'].map(rowsOf), [3, 1, 1]);
  });

  it('keeps tables from being dropped while they are read', async () => {
    const client = await connectPostgres(url);
    await client.query('SET lock_timeout = 100');
    await readUntil(async () => await assert.rejects(client.query('DROP TABLE other'), /lock timeout/));
    await client.query('RESET lock_timeout; DROP TABLE other; CREATE TABLE other (a int)');
    await client.end();
  });

  it('fails where a connection is cut in the middle of a table', async () => {
    const cut = () =>
      control.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast' AND query LIKE 'COPY%'`,
      );
    await assert.rejects(readUntil(cut), hasCode('source.unreadable', 'public.large'));
    await waitForSilence(10_000);
  });

  it('fails at once where the server is killed', async () => {
    const startMs = performance.now();
    await assert.rejects(
      readUntil(() => server.kill()),
      hasCode('source.unreadable'),
    );
    assert.ok(performance.now() - startMs < 10_000);
    await server.restart();
  });

  it('fails where the server falls silent, and ends nothing before', async () => {
    const backends = () =>
      readdirSync('/proc')
        .filter((id) => /^\d+$/.test(id) && isOfServer(Number(id)))
        .map(Number);
    const stopped: number[] = [];
    const stop = async () => {
      for (const id of [server.processId, ...backends()]) {
        process.kill(id, 'SIGSTOP');
        stopped.push(id);
      }
    };
    try {
      let hasActed = false;
      const read = collectSource(source({ timeoutMs: 500 }), {
        async onChunk(path) {
          if (!hasActed && path.endsWith('public.large')) await stop();
          hasActed ||= path.endsWith('public.large');
        },
      });
      await assert.rejects(read, hasCode('source.unreadable'));
    } finally {
      for (const id of stopped) process.kill(id, 'SIGCONT');
    }
  });

  it('ends within a second when it is aborted, and the server with it', async () => {
    for (const isReading of [true, false]) {
      const controller = new AbortController();
      const client = await connectPostgres(url);
      if (!isReading) await client.query('BEGIN; LOCK TABLE other IN ACCESS EXCLUSIVE MODE');
      let abortedMs = 0;
      const abort = async () => {
        abortedMs = performance.now();
        controller.abort();
      };
      const read = assert.rejects(readUntil(abort, { signal: controller.signal }), hasCode('operation.interrupted'));
      for (; !isReading && abortedMs === 0; ) {
        const { rows } = await control.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`);
        if (rows.length > 0) await abort();
      }
      await read;
      assert.ok(performance.now() - abortedMs < 1_500);
      await waitForSilence(10_000);
      await client.end();
    }
  });

  it('tells that the server has no more connections', async () => {
    const clients = await Promise.all(Array.from({ length: 36 }, () => connectPostgres(url)));
    try {
      await assert.rejects(
        collectSource(source({ connections: 20 })),
        hasCode('source.unreadable', 'too many clients'),
      );
    } finally {
      for (const client of clients) await client.end();
    }
    await waitForSilence(10_000);
  });
});

function isOfServer(id: number): boolean {
  try {
    return (
      readFileSync(`/proc/${id}/stat`, 'utf8').includes(`) S ${server.processId} `) &&
      readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('127.0.0.1')
    );
  } catch {
    return false;
  }
}

describe('PostgresTarget under faults', () => {
  let entries: readonly Entry[];
  before(async () => {
    entries = await backUp(url);
  });

  it('leaves the target as it was where the server is killed', async () => {
    const to = await server.createDatabase('kept');
    const client = await connectPostgres(to);
    await client.query('CREATE TABLE mine AS SELECT 7 AS a');
    await client.end();
    for (const mode of ['swap', 'transaction'] as const) {
      const killing = (path: string) => {
        if (path.endsWith('public.large')) process.kill(server.processId, 'SIGQUIT');
      };
      await assert.rejects(
        restore(to, entries, { mode, overwrite: true, onStaged: killing }),
        hasCode('storage.unavailable'),
      );
      await server.kill();
      await server.restart();
      const again = await connectPostgres(to);
      assert.deepEqual((await again.query('TABLE mine')).rows, [{ a: 7 }]);
      await again.end();
    }
    await restore(to, entries, { overwrite: true });
    const last = await connectPostgres(to);
    assert.deepEqual(
      (await last.query(`SELECT datname ~ 'undo' AS undo FROM pg_database WHERE datname LIKE 'kept\\_\\_%'`)).rows,
      [{ undo: true }],
    );
    await last.end();
  });

  it('tells that there is no space left, and leaves nothing', async () => {
    const full = await startPostgres({ settings: { temp_file_limit: '64kB' } });
    try {
      const large = entries.map((entry) => (entry.path.endsWith('post-data.sql') ? withIndex(entry) : entry));
      await assert.rejects(restore(full.urlOf('x'), large), hasCode('storage.failed', 'temp_file_limit'));
      const client = await connectPostgres(full.url);
      assert.deepEqual((await client.query(`SELECT 1 FROM pg_database WHERE datname LIKE 'x%'`)).rows, []);
      await client.end();
    } finally {
      await full.stop();
    }
  });
});

/** Definitions that have the server sort more than it may keep on disk. */
function withIndex(entry: Entry): Entry {
  const index =
    '--\n-- Name: i; Type: INDEX; Schema: public; Owner: x\n--\n\nSET maintenance_work_mem = 1024;\nCREATE INDEX i ON public.large (t);\n';
  const bytes = Buffer.concat([entry.bytes, Buffer.from(index)]);
  return { ...entry, bytes, sizeBytes: bytes.length };
}
