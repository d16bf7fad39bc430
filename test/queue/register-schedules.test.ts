/** What a queue that lost its jobs is given again: by the command line, with a history in a file. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openHistory } from '../../src/history/history.ts';
import { BullmqQueue } from '../../src/queue/bullmq/bullmq-queue.ts';
import { Secret } from '../../src/secret.ts';
import { runHere } from '../end-to-end/command-line.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type RedisService, startRedis } from '../services/start-redis.ts';

leaveOutWithout('redis');

const startFolder = process.cwd();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-register-'));
let redis: RedisService;
before(async () => {
  redis = await startRedis({ password: 'canary-queue' });
  process.chdir(folder);
});
after(async () => {
  process.chdir(startFolder);
  rmSync(folder, { recursive: true });
  await redis.stop();
});

test('what was missed is found once the history answers, of backups, drills and scrubs', {
  timeout: 60_000,
}, async (t) => {
  const schedule = { cron: '0 0 1 1 *' };
  const database = (alias: string, more: object) => ({ alias, url: `sqlite:${alias}.db`, ...more });
  const config = {
    databases: [database('shop', {}), database('crm', { scheduleOverride: schedule })],
    schedule: { ...schedule, timezone: 'UTC' },
    drill: { schedule },
    scrub: { schedule },
    queue: { backend: 'bullmq', url: redis.url, prefix: 'register' },
    history: { path: 'history.db' },
  };
  writeFileSync('holdfast.config.json', JSON.stringify(config));
  // No file can be there now.
  mkdirSync('history.db');
  const refused = await runHere(['schedule', 'register']);
  assert.match(refused.stderr, /\[history\.unavailable\]/);
  rmdirSync('history.db');
  const history = await openHistory({ path: 'history.db' });
  for (const [kind, job] of [
    ['backup', 'backup'],
    ['drill', 'drill'],
    ['scrub', 'scrub'],
  ] as const) {
    const id = await history.begin({ kind, job, startedMs: Date.UTC(2025, 0, 1, 1) });
    await history.end(id, { state: 'succeeded', endedMs: Date.UTC(2025, 0, 1, 2), archives: [], phases: [] });
  }
  await history.close();
  const register = async () => JSON.parse((await runHere(['schedule', 'register', '--json'])).stdout);
  const { added, missed } = await register();
  assert.deepEqual(
    [added, missed],
    [
      ['backup', 'backup:crm', 'drill', 'scrub'],
      ['backup', 'drill', 'scrub'],
    ],
    'one that was never run has missed nothing',
  );
  const queue = await BullmqQueue.open({ url: new Secret(redis.url), prefix: 'register' });
  t.after(() => queue.close());
  const jobs = await queue.jobs('default');
  assert.deepEqual(
    jobs
      .filter(({ state }) => state === 'waiting')
      .map(({ job }) => job)
      .sort(),
    ['backup', 'drill', 'scrub'],
  );
  assert.deepEqual((await register()).missed, []);
});
