/** A database of PostgreSQL by the operations: from its URL to an undo, over a real server. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  createBackup,
  HoldfastError,
  inspectArchive,
  restoreBackup,
  sourceFromUrl,
  undoRestore,
} from '../../src/index.ts';
import { comparePostgres } from '../databases/compare-postgres.ts';
import { connectPostgres } from '../databases/connect-postgres.ts';
import { makePostgres } from '../databases/make-postgres.ts';
import { leftOut } from '../services/service-packages.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';
import { makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('postgres');
const archive = join(workspace, 'app.holdfast');
const options = { threads: 0, encryption: 'none' } as const;

describe('a database of PostgreSQL', { skip: leftOut('postgres') }, () => {
  let server: PostgresService;

  /** The first value of the last statement. */
  async function query(database: string, text: string): Promise<unknown> {
    const client = await connectPostgres(server.urlOf(database));
    try {
      const last = [await client.query<Record<string, unknown>>(text)].flat().at(-1);
      return Object.values(last?.rows[0] ?? {})[0];
    } finally {
      await client.end();
    }
  }

  before(async () => {
    server = await startPostgres();
    await makePostgres(await server.createDatabase('app'));
    await query(
      'app',
      "CREATE TABLE public.paid (n int PRIMARY KEY, t text); INSERT INTO public.paid VALUES (1, 'new')",
    );
    await createBackup({ ...options, sources: [await sourceFromUrl(server.urlOf('app'))], output: archive });
  });
  after(async () => await server.stop());

  it('is an entry for each table, with its exact rows, which the report adds up', async () => {
    const output = join(workspace, 'again.holdfast');
    const report = await createBackup({ ...options, sources: [await sourceFromUrl(server.urlOf('app'))], output });
    assert.deepEqual(report.problems, []);
    const { entries = [] } = await inspectArchive({ archive: output });
    const rows = entries.map(({ metadata }) => metadata['rows']).filter((count) => typeof count === 'number');
    assert.equal(
      report.rowCount,
      rows.reduce((sum, count) => sum + count, 0),
    );
    const paid = entries.find(({ path }) => path === 'databases/app/tables/public.paid');
    assert.deepEqual([paid?.kind, paid?.metadata['rows']], ['table', 1]);
  });

  it('comes back with every object and row in a new database', async () => {
    await restoreBackup({ archive, threads: 0, to: [server.urlOf('fresh')], mode: 'fresh' });
    assert.deepEqual(await comparePostgres(server.urlOf('app'), server.urlOf('fresh')), []);
    const again = restoreBackup({ archive, threads: 0, to: [server.urlOf('fresh')], mode: 'fresh' });
    await assert.rejects(again, (error) => error instanceof HoldfastError && error.code === 'target.exists');
  });

  it('gives back one table, or all; what was there comes back by an undo', async () => {
    const to = [await server.createDatabase('live')];
    await restoreBackup({ archive, threads: 0, to, mode: 'fresh' });
    const change = "UPDATE public.paid SET t = 'old'; CREATE TABLE public.added (n int)";
    await query('live', change);
    await restoreBackup({ archive, threads: 0, to, only: ['databases/*/tables/public.paid'], overwrite: true });
    assert.equal(await query('live', 'SELECT t FROM public.paid'), 'new');
    assert.equal(await query('live', "SELECT to_regclass('public.added')::text"), 'added');
    await query('live', "UPDATE public.paid SET t = 'old'");
    await restoreBackup({ archive, threads: 0, to, mode: 'swap', overwrite: true });
    assert.deepEqual(await comparePostgres(server.urlOf('app'), server.urlOf('live')), []);
    await undoRestore({ to: server.urlOf('live') });
    assert.equal(await query('live', 'SELECT t FROM public.paid'), 'old');
    await restoreBackup({ archive, threads: 0, to, mode: 'transaction', overwrite: true });
    assert.equal(await query('live', 'SELECT t FROM public.paid'), 'new');
  });
});
