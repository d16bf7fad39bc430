/** Runs of a configuration: a disk that is nearly full, an archive beside a plain dump, and what other commands do with such dumps. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { openHistory } from '../../src/history/history.ts';
import { HttpReceiver } from '../notify/http-receiver.ts';
import { runHere } from './command-line.ts';
import { makeDatabase, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('operations');
const startFolder = process.cwd();
let receiver: HttpReceiver;
let folder = '';
before(async () => {
  receiver = await HttpReceiver.start();
});
after(async () => {
  process.chdir(startFolder);
  await receiver.stop();
});
beforeEach(() => {
  folder = mkdtempSync(join(workspace, 'run-'));
  process.chdir(folder);
});

function configure(settings: object): void {
  const notifications = [{ type: 'webhook', url: `${receiver.url}/hook` }];
  writeFileSync('holdfast.config.json', JSON.stringify({ encryption: 'none', notifications, ...settings }));
}

const told = () =>
  receiver.take().map(({ body }) => JSON.parse(body) as { event: string; title: string; text: string });

/** Mounts a file system of its own; false where that is not allowed here. */
function mount(place: string, size: string): boolean {
  mkdirSync(place, { recursive: true });
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', place]).status === 0;
}

const probe = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-mount-')));
const canMount = mount(probe, '1m');
if (canMount) spawnSync('umount', [probe]);
rmSync(probe, { recursive: true });
const skip = canMount || process.env['CI'] === 'true' ? false : 'no file system may be mounted here';

it('a storage that is nearly full is told, with what is free of how much', { skip }, async (t) => {
  const small = join(folder, 'small');
  assert.ok(mount(small, '1m'));
  t.after(() => spawnSync('umount', [small]));
  makeDatabase('shop.db', 100);
  configure({ databases: [{ alias: 'shop', url: 'sqlite:shop.db' }], storage: { backend: 'local', path: 'small' } });
  assert.equal((await runHere(['backup'])).exitCode, 0);
  assert.deepEqual(told(), []);
  const { bsize, bavail } = statfsSync(small);
  writeFileSync(join(small, 'others'), Buffer.alloc(bsize * bavail - 120 * 1024));
  const { exitCode, stderr } = await runHere(['backup']);
  assert.equal(exitCode, 0, stderr);
  const [notification, ...others] = told();
  assert.deepEqual([notification?.event, others], ['storage-nearly-full', []]);
  assert.equal(notification?.title, 'The storage local is nearly full');
  assert.match(notification?.text ?? '', /^\d+(\.\d)? KiB of 1 MiB are free\.$/);
});

it('a job that another run keeps from beginning is told as missed, and that is recorded', async () => {
  configure({ databases: [{ alias: 'shop', url: 'sqlite:shop.db' }] });
  const due = String(Date.UTC(2026, 0, 2, 3));
  assert.equal((await runHere(['notify', 'missed', '--overdue', '--job', 'backup:crm', '--due', due])).exitCode, 0);
  const [notification] = told();
  assert.deepEqual([notification?.event, notification?.title], ['missed', 'The run of the job backup:crm was missed']);
  assert.match(notification?.text ?? '', /another run of it is still at work/);
  const [delivery] = JSON.parse((await runHere(['notify', 'list', '--json'])).stdout);
  assert.deepEqual([delivery.event, delivery.sent, delivery.runId], ['missed', true, undefined]);
});

describe('an archive and plain dumps in one run', () => {
  const storages = { near: { backend: 'local', path: 'near' }, far: { backend: 'local', path: 'far' } };
  const databases = [
    { alias: 'shop', url: 'sqlite:shop.db' },
    { alias: 'wiki', url: 'sqlite:wiki.db', format: 'plain' },
  ];
  beforeEach(() => {
    makeDatabase('shop.db', 20);
    makeDatabase('wiki.db', 3);
    configure({ databases, storage: storages });
  });
  const namesIn = (place: string) =>
    readdirSync(place)
      .filter((name) => !name.startsWith('.'))
      .sort();

  it('are made by one command, recorded each by its name, and kept each by itself', async () => {
    const { exitCode, stdout } = await runHere(['backup', '--json']);
    assert.equal(exitCode, 0);
    const { rowCount, outputs, others } = JSON.parse(stdout);
    assert.deepEqual([rowCount, outputs.length, others.length], [20, 4, 1]);
    assert.match(namesIn('near').join(' '), /^shop_\S+\.holdfast wiki_\S+\.db\.gz$/);
    assert.deepEqual(namesIn('far'), namesIn('near'));
    const history = await openHistory({ path: join(folder, '.holdfast', 'history.db') });
    const runs = await history.runs({ kind: 'backup' });
    await history.close();
    assert.deepEqual(runs.map(({ database, state, archives }) => `${database} ${state} ${archives.length}`).sort(), [
      'shop succeeded 2',
      'wiki succeeded 2',
    ]);
    const pruned = JSON.parse((await runHere(['prune', '--dry-run', '--json'])).stdout) as {
      database: string;
      keep: boolean;
    }[];
    assert.deepEqual(pruned.map(({ database, keep }) => `${database} ${keep}`).sort(), [
      'shop true',
      'shop true',
      'wiki true',
      'wiki true',
    ]);
    rmSync('wiki.db');
    const failed = await runHere(['backup', '--json']);
    assert.equal(failed.exitCode, 3);
    assert.deepEqual(
      told().map(({ event }) => event),
      ['failure'],
    );
  });

  it('are listed with their kind, size and date', async () => {
    await runHere(['backup', '--storage', 'near']);
    const { archives } = JSON.parse((await runHere(['list', '--json'])).stdout) as {
      archives: Record<string, unknown>[];
    };
    const [plain, archive] = archives.toSorted((a, b) => String(b['name']).localeCompare(String(a['name'])));
    assert.deepEqual([archive?.['format'], plain?.['format'], plain?.['state']], [undefined, 'plain', 'readable']);
    assert.ok(Number(plain?.['sizeBytes']) > 0 && Number(plain?.['createdMs']) > 0);
    assert.equal(plain?.['encryption'], 'none');
    assert.match(
      (await runHere(['list'])).stdout,
      /near: wiki_\S+\.db\.gz +\d\S* \S+ +\d{4}-\S+ \S+ UTC +none +plain dump/,
    );
    assert.match((await runHere(['list', 'near'])).stdout, /near\/wiki_\S+\.db\.gz .*plain dump/);
  });

  it('are copied as they are by push, pull and sync', async () => {
    await runHere(['backup', '--storage', 'near']);
    const [, plain = ''] = namesIn('near');
    const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
    const synced = JSON.parse((await runHere(['sync', '--from', 'near', '--to', 'far', '--json'])).stdout);
    assert.deepEqual([synced.archives.length, namesIn('far')], [2, namesIn('near')]);
    assert.equal(digest(join('far', plain)), digest(join('near', plain)));
    assert.equal(
      JSON.parse((await runHere(['sync', '--from', 'near', '--to', 'far', '--json'])).stdout).copiedCount,
      0,
    );
    const pulled = await runHere(['pull', plain, '--storage', 'near', '--output', 'out.db.gz', '--json']);
    assert.equal(pulled.exitCode, 0, pulled.stderr);
    assert.equal(digest('out.db.gz'), digest(join('near', plain)));
    const pushed = await runHere(['push', 'out.db.gz', '--storage', 'far']);
    assert.equal(pushed.exitCode, 0, pushed.stderr);
    assert.equal(digest(join('far', 'out.db.gz')), digest('out.db.gz'));
  });

  const plainOf = (stdout: string) =>
    (JSON.parse(stdout).archives as Record<string, unknown>[])
      .filter(({ format }) => format === 'plain')
      .map(({ storage, state, isCompared, from }) => [storage, state, isCompared, from]);

  it('are compared with what they were when a lost history was rebuilt, which is told', async () => {
    assert.equal((await runHere(['backup'])).exitCode, 0);
    const [, plain = ''] = namesIn('near');
    rmSync('.holdfast', { recursive: true });
    const rebuild = async () => {
      const { addedCount, unreadableCount, differingDumps } = JSON.parse((await runHere(['rebuild', '--json'])).stdout);
      return [addedCount, unreadableCount, differingDumps];
    };
    assert.deepEqual(await rebuild(), [4, 0, []]);
    assert.deepEqual(await rebuild(), [0, 0, []]);
    const compared = (stdout: string) =>
      (JSON.parse(stdout).archives as Record<string, unknown>[])
        .filter(({ format }) => format === 'plain')
        .map(({ state, isCompared, isComparedFromRebuild }) => [state, isCompared, isComparedFromRebuild]);
    assert.deepEqual(compared((await runHere(['scrub', '--json'])).stdout), [
      ['intact', true, true],
      ['intact', true, true],
    ]);
    assert.match(
      (await runHere(['scrub'])).stderr,
      /2 plain dumps compared with what they were when the history was rebuilt/,
    );
    const bytes = readFileSync(join('near', plain));
    const other = Buffer.from(bytes);
    other[bytes.length >> 1] = (other[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(join('near', plain), other);
    assert.deepEqual(compared((await runHere(['scrub', '--json'])).stdout)[0], ['repaired', true, true]);
    assert.ok(readFileSync(join('near', plain)).equals(bytes));
    // Of two that differ nobody knows which one is right; one that is damaged is none to compare with.
    writeFileSync(join('near', plain), Buffer.concat([bytes, bytes]));
    rmSync('.holdfast', { recursive: true });
    assert.deepEqual(await rebuild(), [4, 0, [plain]]);
    assert.deepEqual(compared((await runHere(['scrub', '--json'])).stdout)[0], ['intact', false, undefined]);
    writeFileSync(join('near', plain), bytes.subarray(0, bytes.length >> 1));
    rmSync('.holdfast', { recursive: true });
    assert.deepEqual(await rebuild(), [4, 1, []]);
    assert.deepEqual(compared((await runHere(['scrub', '--json'])).stdout)[0], ['repaired', true, true]);
    told();
  });

  it('are compared by a scrub with what was recorded, and brought back from another storage', async () => {
    assert.equal((await runHere(['backup', '--json'])).exitCode, 0);
    const [, plain = ''] = namesIn('near');
    const bytes = readFileSync(join('near', plain));
    const isAsWritten = (storage: string) => readFileSync(join(storage, plain)).equals(bytes);
    const whole = await runHere(['scrub', '--json']);
    assert.deepEqual(plainOf(whole.stdout), [
      ['near', 'intact', true, undefined],
      ['far', 'intact', true, undefined],
    ]);
    // One bit, in what is neither head nor tail: without the record only the key would tell.
    const other = Buffer.from(bytes);
    other[bytes.length >> 1] = (other[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(join('near', plain), other);
    const foreseen = await runHere(['scrub', '--dry-run', '--json']);
    assert.deepEqual([foreseen.exitCode, plainOf(foreseen.stdout)[0]], [10, ['near', 'repairable', true, ['far']]]);
    assert.equal(isAsWritten('near'), false);
    const mended = await runHere(['scrub', '--json']);
    assert.deepEqual([mended.exitCode, plainOf(mended.stdout)[0]], [0, ['near', 'repaired', true, ['far']]]);
    assert.ok(isAsWritten('near'));
    rmSync(join('far', plain));
    const brought = await runHere(['scrub', '--json']);
    assert.deepEqual(plainOf(brought.stdout).at(-1), ['far', 'restored', true, ['near']]);
    assert.ok(isAsWritten('far'));
    // That it was gone though nobody removed it is told by the catalogue as well.
    assert.deepEqual(
      told().map(({ event }) => event),
      ['healed', 'healed', 'failure'],
    );
    // Where both are others, neither is taken for the other's.
    for (const storage of ['near', 'far']) writeFileSync(join(storage, plain), other);
    const lost = await runHere(['scrub']);
    assert.equal(lost.exitCode, 11);
    assert.match(lost.stderr, /has other bytes than the backup wrote \[archive\.damaged\]/);
    assert.deepEqual(
      told().map(({ event }) => event),
      ['unrepairable'],
    );
  });

  it('that the history does not know are checked as far as that goes without a key, which is told', async () => {
    await runHere(['backup', '--storage', 'near']);
    rmSync('.holdfast', { recursive: true });
    const { exitCode, stdout } = await runHere(['scrub', '--storage', 'near', '--json']);
    assert.deepEqual([exitCode, plainOf(stdout)], [0, [['near', 'intact', false, undefined]]]);
    assert.match(
      (await runHere(['scrub', '--storage', 'near'])).stderr,
      /1 plain dump of which the history has no SHA-256/,
    );
    const [, plain = ''] = namesIn('near');
    const bytes = readFileSync(join('near', plain));
    writeFileSync(join('near', plain), bytes.subarray(0, bytes.length - 100));
    const damaged = await runHere(['scrub', '--storage', 'near']);
    assert.equal(damaged.exitCode, 11);
    assert.match(damaged.stdout + damaged.stderr, /plain dump/);
    assert.deepEqual(
      told().map(({ event }) => event),
      ['unrepairable'],
    );
  });
});

describe('a job that cannot even be begun', () => {
  it('is a run that failed, and is told; what was mistyped is not', async () => {
    configure({
      databases: [{ alias: 'shop', url: 'sqlite:shop.db', includeTables: ['item'] }],
      storage: { backend: 'local', path: 'near' },
    });
    const { exitCode, stderr } = await runHere(['backup', '--job', 'backup', '--scheduled-at', '86400000']);
    assert.equal(exitCode, 2);
    assert.match(stderr, /includeTables is not for it \[usage\.invalid\]/);
    assert.deepEqual(
      told().map(({ event, title }) => [event, title]),
      [['failure', 'the job backup failed']],
    );
    const [run] = JSON.parse((await runHere(['runs', '--json'])).stdout) as Record<string, unknown>[];
    assert.deepEqual(
      [run?.['state'], run?.['job'], run?.['scheduledMs'], (run?.['error'] as { code?: string })?.code],
      ['failed', 'backup', 86_400_000, 'usage.invalid'],
    );
    assert.equal((await runHere(['backup', '--job', 'bakcup'])).exitCode, 2);
    assert.equal((await runHere(['backup', '--url', 'nothing', '--storage', 'local'])).exitCode, 2);
    assert.deepEqual(told(), []);
  });

  it('keeps the archives of all that it would have backed up, while another job backs up well', async () => {
    for (const name of ['shop', 'log', 'crm']) makeDatabase(`${name}.db`, 1);
    mkdirSync('near');
    const names = ['shop', 'log', 'crm'].flatMap((name) =>
      ['01', '02'].map((day) => `${name}_202501${day}_020000_default.holdfast`),
    );
    for (const name of names) writeFileSync(join('near', name), 'archive');
    configure({
      databases: [
        { alias: 'shop', url: 'sqlite:shop.db', includeTables: ['item'] },
        { alias: 'log', url: 'sqlite:log.db', format: 'plain' },
        { alias: 'crm', url: 'sqlite:crm.db', scheduleOverride: { dailyTime: '02:00' } },
      ],
      storage: { backend: 'local', path: 'near' },
      retention: { keepDaily: 1, keepWeekly: 0, keepMonthly: 0, keepWithin: '1d' },
    });
    assert.equal((await runHere(['backup', '--job', 'backup'])).exitCode, 2);
    assert.deepEqual(
      told().map(({ event }) => event),
      ['failure'],
    );
    assert.equal((await runHere(['backup', '--job', 'backup:crm'])).exitCode, 0);
    const { stdout } = await runHere(['prune', '--dry-run', '--json']);
    const archives = JSON.parse(stdout) as { name: string; keep: boolean; reasons: string[] }[];
    assert.deepEqual(
      archives.filter(({ keep }) => !keep).map(({ name }) => name),
      ['crm_20250102_020000_default.holdfast', 'crm_20250101_020000_default.holdfast'],
    );
    for (const { name, reasons } of archives.filter(({ name }) => !name.startsWith('crm'))) {
      assert.ok(reasons.includes('the last run failed'), `${name}: ${reasons}`);
    }
  });

  it('keeps trees that are backed up without a database where their storage refuses its settings', async () => {
    mkdirSync('uploads');
    configure({ files: ['uploads'], storage: { backend: 'webdav', url: 'https://localhost/dav', ca: 'gone.pem' } });
    const refused = await runHere(['backup']);
    assert.notEqual(refused.exitCode, 0, refused.stderr);
    const runs = JSON.parse((await runHere(['runs', '--json'])).stdout) as Record<string, unknown>[];
    assert.deepEqual(
      runs.map(({ state, database }) => [state, database]),
      [['failed', 'uploads']],
      refused.stderr,
    );
  });
});
