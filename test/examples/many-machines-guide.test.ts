import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { openConfiguredHistory } from '../../src/cli/record.ts';
import { configSchema } from '../../src/config/config-schema.ts';
import { type LoadedConfig, loadConfig } from '../../src/config/load-config.ts';
import { openSharedQueue, queueSettingNames } from '../../src/config/queue-settings.ts';
import { configuredJobs, queueNames } from '../../src/config/scheduled-jobs.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';
import { type RedisService, startRedis } from '../services/start-redis.ts';

leaveOutWithout('redis');
leaveOutWithout('postgres');

let redis: RedisService;
let postgres: PostgresService;
before(async () => {
  [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
});
after(async () => {
  await redis.stop();
  await postgres.stop();
});

const guide = await readFile(new URL('../../docs/guides/many-machines.md', import.meta.url), 'utf8');

async function loadGuide(historyUrl: string): Promise<LoadedConfig> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-guide-'));
  try {
    const [, example = ''] = /```ts\n(.*?)```/s.exec(guide) ?? [];
    await writeFile(join(folder, 'holdfast.config.ts'), example);
    const others = ['SHOP_URL', 'CRM_URL', 'WIKI_URL'].map((name) => [name, 'sqlite:x.db'] as const);
    const storage = { S3_URL: 'https://s3.example', S3_ACCESS_KEY: 'key', S3_SECRET_KEY: 'secret' };
    const shared = { QUEUE_URL: redis.url, HISTORY_URL: historyUrl };
    return await loadConfig(folder, { ...Object.fromEntries(others), ...storage, ...shared });
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('the configuration of the guide puts its jobs into queues, and opens its history', {
  timeout: 60_000,
}, async (t) => {
  const loaded = await loadGuide(postgres.url);
  assert.deepEqual(queueNames(loaded.config), ['backups', 'hourly']);
  const queue = await openSharedQueue(loaded.config, loaded.file);
  t.after(() => queue.close());
  const jobs = configuredJobs(loaded.config).map(({ name: job, ...rest }) => ({ job, ...rest }));
  assert.deepEqual((await queue.repeat(jobs)).added, ['backup:crm', 'backup:wiki', 'backup:shop']);
  const history = await openConfiguredHistory(loaded);
  await history.close();
});

test('the rights of the guide are enough', { timeout: 60_000 }, async () => {
  const url = await postgres.createDatabase('rights');
  await (await openConfiguredHistory(await loadGuide(url))).close();
  const [, statements = ''] = /```sql\n(.*?)```/s.exec(guide) ?? [];
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statements);
  await client.end();
  const history = await openConfiguredHistory(await loadGuide(url.replace('postgres@', 'holdfast@')));
  const id = await history.begin({ kind: 'backup', startedMs: 1 });
  await history.end(id, { state: 'succeeded', endedMs: 2, phases: [], archives: [] });
  assert.equal((await history.runs())[0]?.state, 'succeeded');
  await history.close();
});

test('every setting of its tables is one, and none is left out', () => {
  const told = [...guide.matchAll(/^\| `(queue|history)\.(\w+)` /gm)].map(([, part, name]) => `${part}.${name}`);
  const history = Object.keys(configSchema.shape.history.unwrap().shape);
  const known = [...queueSettingNames.map((name) => `queue.${name}`), ...history.map((name) => `history.${name}`)];
  assert.deepEqual(told.sort(), known.sort());
});
