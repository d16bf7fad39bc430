/** `holdfast drill`: what it takes, what it tells, what it leaves in the history. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { openHistory } from '../../src/history/history.ts';
import { retentionFacts } from '../../src/operation/retention-facts.ts';
import { HttpReceiver } from '../notify/http-receiver.ts';
import { runHere } from './command-line.ts';
import { makeDatabase, makeWorkspace } from './workspace.ts';

const folder = makeWorkspace('drill-command');
const temporaryFolder = join(folder, 'tmp');
let receiver: HttpReceiver;

const startFolder = process.cwd();
before(async () => {
  process.chdir(folder);
  process.env['TMPDIR'] = temporaryFolder;
  receiver = await HttpReceiver.start();
  await mkdir(temporaryFolder);
  await mkdir(join(folder, 'uploads'));
  writeFileSync(join(folder, 'uploads', 'a.txt'), 'a');
  makeDatabase(join(folder, 'shop.db'), 20);
  makeDatabase(join(folder, 'crm.db'), 5);
  makeDatabase(join(folder, 'wiki.db'), 3);
});
after(async () => {
  process.chdir(startFolder);
  await receiver.stop();
});

const holdfast = (...args: string[]) => runHere(args);

function configure(drill: object): void {
  const config = {
    databases: [
      { alias: 'shop', url: 'sqlite:shop.db' },
      { alias: 'crm', url: 'sqlite:crm.db', scheduleOverride: { intervalHours: 6 } },
      { alias: 'wiki', url: 'sqlite:wiki.db', format: 'plain' },
    ],
    files: ['uploads'],
    encryption: 'none',
    storage: { backend: 'local', path: 'backups' },
    notifications: [{ type: 'webhook', url: `${receiver.url}/hook` }],
    drill,
  };
  writeFileSync(join(folder, 'holdfast.config.json'), JSON.stringify(config));
}

const told = () => receiver.take().map(({ body }) => JSON.parse(body) as { readonly event: string; text: string });

async function withHistory<Result>(work: (history: Awaited<ReturnType<typeof openHistory>>) => Promise<Result>) {
  const history = await openHistory({ path: join(folder, '.holdfast', 'history.db') });
  try {
    return await work(history);
  } finally {
    await history.close();
  }
}

/** The rows of a drill, as name, verdict, rows and files. */
function drills(stdout: string): unknown[] {
  const parsed = JSON.parse(stdout) as { drills: Record<string, unknown>[] };
  return parsed.drills.map(({ database, isProven, rowCount, fileCount }) => [database, isProven, rowCount, fileCount]);
}

it('restores models, and files of a database of its own', async () => {
  const made = await holdfast(
    'backup',
    '--models',
    '--url',
    'sqlite:shop.db',
    '--output',
    'rows.holdfast',
    '--encryption',
    'none',
  );
  assert.equal(made.exitCode, 0, made.stderr);
  const { exitCode, stdout, stderr } = await holdfast('drill', 'rows.holdfast');
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /rows\.holdfast: proven[\s\S]*databases +shop \(1 table, 20 rows\)/);
  rmSync('rows.holdfast');
});

describe('holdfast drill', () => {
  it('without a backup there is nothing to prove, and that is told', async () => {
    configure({});
    const { exitCode, stderr } = await holdfast('drill', 'crm');
    assert.equal(exitCode, 1);
    assert.match(stderr, /there is no backup of crm to drill \[storage\.not_found\]/);
    assert.deepEqual(
      told().map(({ event }) => event),
      ['drill-failed'],
    );
  });

  it('takes the newest of all that the configuration names, archives and plain dumps', async () => {
    configure({ checks: [{ database: 'shop', sql: 'SELECT count(*) FROM item', expect: 21 }] });
    for (const job of ['backup', 'backup:crm']) assert.equal((await holdfast('backup', '--job', job)).exitCode, 0);
    using shop = new DatabaseSync(join(folder, 'shop.db'));
    shop.exec("INSERT INTO item (name) VALUES ('one more')");
    assert.equal((await holdfast('backup', '--job', 'backup')).exitCode, 0);
    const { exitCode, stdout, stderr } = await holdfast('drill', '--json');
    assert.equal(exitCode, 0, stderr + stdout);
    assert.deepEqual(drills(stdout), [
      ['shop', true, 21, 1],
      ['wiki', true, 3, 0],
      ['crm', true, 5, 0],
    ]);
    assert.deepEqual(told(), []);
    assert.deepEqual(await readdir(temporaryFolder), []);
  });

  it('is recorded with its proof, which the list, the runs, the retention and the doctor know', async () => {
    const runs = await withHistory((history) => history.runs({ kind: 'drill' }));
    const shop = runs.find(({ database, state }) => database === 'shop' && state === 'succeeded');
    assert.deepEqual([shop?.job, shop?.rowCount, shop?.proof?.isProven], ['drill', 21, true]);
    assert.deepEqual(
      shop?.proof?.checks.map(({ check, isPassed }) => [check, isPassed]),
      [['SELECT count(*) FROM item', true]],
    );
    const facts = retentionFacts(await withHistory((history) => history.runs()));
    assert.ok(facts.isProven(shop?.archives[0]?.url ?? ''));
    assert.match((await holdfast('list')).stdout, /shop_.*none +proven just now/);
    assert.match((await holdfast('list', '--json')).stdout, /"isProven":true,"drilledMs":\d+/);
    assert.match((await holdfast('runs', '--kind', 'drill')).stdout, /drill +shop .*succeeded, proven just now/);
    const doctor = await holdfast('doctor');
    assert.match(doctor.stdout, /drills +shop +ok +proven just now/);
    const before = Date.now() - 40 * 86_400_000;
    using file = new DatabaseSync(join(folder, '.holdfast', 'history.db'));
    file.exec(`UPDATE run SET ended_ms = ${before} WHERE kind = 'drill' AND database = 'crm'`);
    assert.match((await holdfast('doctor')).stdout, /drills +crm +warning +proven 40 days ago, more than 30 days/);
    file.exec("UPDATE run SET database = 'another' WHERE kind = 'drill' AND database = 'crm'");
    assert.match((await holdfast('doctor')).stdout, /drills +crm +warning +a backup of it was never restored/);
  });

  it('a check that fails refutes the archive: told, recorded, shown, and doubtful to the retention', async () => {
    configure({ checks: [{ database: 'shop', sql: 'SELECT count(*) FROM item', expect: 7 }] });
    const { exitCode, stdout, stderr } = await holdfast('drill', 'shop');
    assert.equal(exitCode, 1);
    assert.match(stdout, /^local: shop_.*: not proven$/m);
    assert.match(stderr, /check failed: SELECT count\(\*\) FROM item: it gave 21 where 7 is expected/);
    const [notification] = told();
    assert.equal(notification?.event, 'drill-failed');
    assert.match(notification?.text ?? '', /it gave 21 where 7 is expected/);
    const [run] = await withHistory((history) => history.runs({ kind: 'drill', limit: 1 }));
    assert.deepEqual([run?.state, run?.error?.code, run?.archives[0]?.state], ['failed', 'drill.failed', 'suspect']);
    const url = run?.archives[0]?.url ?? '';
    const doubtful = retentionFacts(await withHistory((history) => history.runs()));
    assert.deepEqual([doubtful.isDoubtful(url), doubtful.isProven(url)], [true, false]);
    assert.match((await holdfast('list')).stdout, /shop_.*failed just now/);
    assert.match((await holdfast('doctor')).stdout, /drills +shop +failed +the last drill failed; proven just now/);
    configure({});
    assert.equal((await holdfast('drill', 'shop')).exitCode, 0);
    const again = retentionFacts(await withHistory((history) => history.runs()));
    assert.deepEqual([again.isDoubtful(url), again.isProven(url)], [false, true]);
  });

  it('takes an archive by its path, with and without a configuration, and by its name on a storage', async () => {
    const name = readdirSync(join(folder, 'backups')).find((one) => one.startsWith('crm_')) ?? '';
    const path = join('backups', name);
    const onStorage = await holdfast('drill', name, '--storage', 'local');
    assert.match(onStorage.stdout, /crm \(1 table, 5 rows\)/);
    rmSync(join(folder, 'holdfast.config.json'));
    assert.match((await holdfast('drill', path)).stdout, /^backups\/crm_.*: proven$/m);
    const none = await holdfast('drill', 'elsewhere.holdfast');
    assert.deepEqual([none.exitCode, /neither an archive nor the name/.test(none.stderr)], [1, true]);
    assert.ok((await stat(join(folder, path))).size > 0);
  });

  it('a configuration with a check of a database that it does not name is refused', async () => {
    configure({ checks: [{ database: 'shp', sql: 'SELECT 1', expect: 1 }] });
    const { exitCode, stderr } = await holdfast('drill');
    assert.equal(exitCode, 2);
    assert.match(stderr, /drill\.checks\[0\]\.database: there is no database shp \(did you mean shop\?\)/);
    configure({ checks: [{ sql: 'SELECT 1' }] });
    assert.match((await holdfast('drill')).stderr, /drill\.checks\[0\]/);
  });

  it('runs by a schedule of its own, and is exported', async () => {
    configure({ schedule: { dailyTime: '04:00' } });
    const listed = JSON.parse((await holdfast('schedule', 'list', '--json')).stdout) as { jobs: { job: string }[] };
    assert.deepEqual(
      listed.jobs.map(({ job }) => job),
      ['backup', 'backup:crm', 'drill'],
    );
    const cron = (await holdfast('schedule', 'export', '--format', 'cron')).stdout;
    assert.match(cron, /^0 4 \* \* \* cd .* && npx holdfast drill$/m);
    configure({ enabled: false, schedule: { dailyTime: '04:00' } });
    assert.doesNotMatch((await holdfast('schedule', 'export', '--format', 'cron')).stdout, /npx holdfast drill/);
  });
});
