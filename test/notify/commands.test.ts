/** Whom commands tell, and the hooks around them: configurations with a receiver on the loopback. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { emptyFolder, makeDatabase, makeWorkspace } from '../end-to-end/workspace.ts';
import { programEnvironment } from '../program-environment.ts';
import { HttpReceiver } from './http-receiver.ts';

const workspace = makeWorkspace('notify-commands');
const program = fileURLToPath(new URL('../transcript/holdfast.ts', import.meta.url));
const canary = 'canary-4711';
let folder = '';
let receiver: HttpReceiver;
before(async () => {
  receiver = await HttpReceiver.start();
});
after(() => receiver.stop());
beforeEach(async () => {
  folder = await emptyFolder(workspace, 'run');
  receiver.answer = 'accept';
  receiver.take();
});

/** Runs `holdfast`; the receiver of this process answers meanwhile. */
function holdfast(...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const { promise, resolve } = Promise.withResolvers<{ exitCode: number; stdout: string; stderr: string }>();
  const env = { ...programEnvironment(), HOLDFAST_PASSPHRASE: 'correct horse', TMPDIR: process.env['TMPDIR'] };
  execFile(process.execPath, [program, ...args], { cwd: folder, env }, (error, stdout, stderr) => {
    const exitCode = error === null ? 0 : Number(error.code);
    assert.ok(!`${stdout}${stderr}`.includes(canary), 'a secret is shown');
    resolve({ exitCode, stdout, stderr });
  });
  return promise;
}

function configure(settings: Record<string, unknown>, functions = ''): void {
  const config = {
    databases: [{ alias: 'shop', url: 'sqlite:shop.db' }],
    notificationLink: 'https://backups.example/',
    notifications: [
      { type: 'webhook', url: `${receiver.url}/hook/${canary}` },
      { type: 'ping', url: `${receiver.url}/ping/${canary}` },
    ],
    ...settings,
  };
  const text = JSON.stringify(config).slice(0, -1);
  writeFileSync(
    join(folder, 'holdfast.config.js'),
    `export default ${text}${functions === '' ? '' : `, ${functions}`} };\n`,
  );
}

/** What a storage shows of itself. */
async function shownIn(path: string): Promise<string[]> {
  return (await readdir(path)).filter((name) => !name.startsWith('.'));
}

interface RecordedRun {
  readonly kind: string;
  readonly state: string;
  readonly database?: string;
  readonly error?: { readonly code: string };
  readonly archives: readonly { readonly state: string }[];
  readonly notifications?: readonly {
    readonly event: string;
    readonly type: string;
    readonly sent: boolean;
    readonly error?: { readonly code: string };
  }[];
}

/** What the webhook was told, as event and title; and the paths that the ping was called at. */
function told(): { readonly hook: string[]; readonly ping: string[] } {
  const requests = receiver.take();
  const hook = requests
    .filter(({ path }) => path.startsWith('/hook'))
    .map(({ body }) => {
      const { event, title, link } = JSON.parse(body) as Record<string, string>;
      assert.equal(link, 'https://backups.example/');
      return `${event}: ${title}`;
    })
    .sort();
  return { hook, ping: requests.filter(({ path }) => path.startsWith('/ping')).map(({ path }) => path.slice(17)) };
}

describe('backup', () => {
  it('a success is told where that is asked for, and always to a ping', async () => {
    makeDatabase(join(folder, 'shop.db'), 10);
    configure({});
    assert.equal((await holdfast('backup')).exitCode, 0);
    assert.deepEqual(told(), { hook: [], ping: [''] });
    configure({ notifyOnSuccess: true });
    const { stdout } = await holdfast('backup', '--json');
    assert.deepEqual(told(), { hook: ['success: shop is backed up'], ping: [''] });
    const { notifications } = JSON.parse(stdout) as { notifications: { type: string; sent: boolean }[] };
    assert.deepEqual(notifications.map(({ type, sent }) => [type, sent]).sort(), [
      ['ping', true],
      ['webhook', true],
    ]);
  });

  it('a failure and a suspect backup are told, with what to do', async () => {
    configure({});
    assert.equal((await holdfast('backup')).exitCode, 1);
    assert.deepEqual(told(), { hook: ['failure: the backup of shop failed'], ping: ['/fail'] });
    makeDatabase(join(folder, 'shop.db'), 100);
    assert.equal((await holdfast('backup')).exitCode, 0);
    rmSync(join(folder, 'shop.db'));
    makeDatabase(join(folder, 'shop.db'), 3);
    told();
    assert.equal((await holdfast('backup')).exitCode, 3);
    assert.deepEqual(told(), { hook: ['suspect: The backup of shop is suspect'], ping: ['/fail'] });
    configure({ notifyOnFailure: false });
    assert.equal((await holdfast('backup')).exitCode, 3);
    assert.deepEqual(told().hook, []);
  });

  it('a notifier that refuses never fails the backup, and is named', async () => {
    makeDatabase(join(folder, 'shop.db'), 10);
    configure({ notifyOnSuccess: true });
    receiver.answer = 'refuse';
    const { exitCode, stderr } = await holdfast('backup');
    assert.equal(exitCode, 0);
    const [run] = JSON.parse((await holdfast('runs', '--kind', 'backup', '--json')).stdout) as RecordedRun[];
    const [webhook] = run?.notifications?.filter(({ type }) => type === 'webhook') ?? [];
    assert.deepEqual([webhook?.event, webhook?.sent, webhook?.error?.code], ['success', false, 'notify.failed']);
    assert.match(
      (await holdfast('notify', 'list')).stdout,
      /success +webhook +127\.0\.0\.1:\d+ +failed +.*\[notify\.failed\]/,
    );
    assert.match(stderr, /not told by webhook \(127\.0\.0\.1:\d+\): .*the answer was 400 \[notify\.failed\]/);
  });
});

describe('scrub and verify', () => {
  it('healed and unrepairable archives are told', async () => {
    makeDatabase(join(folder, 'shop.db'), 500);
    configure({});
    await holdfast('backup');
    const [name = ''] = await shownIn(join(folder, 'backups'));
    const path = join(folder, 'backups', name);
    const whole = readFileSync(path);
    const damaged = Buffer.from(whole).fill(0xff, 20_000, 30_000);
    writeFileSync(path, damaged);
    told();
    assert.equal((await holdfast('verify', name, '--storage', 'local', '--level', 'structure')).exitCode, 10);
    assert.deepEqual(told().hook, [`failure: local: ${name} is damaged or missing, and can be repaired`]);
    assert.equal((await holdfast('scrub')).exitCode, 0);
    assert.deepEqual(told().hook, [`healed: local: ${name} is damaged or missing, and whole again`]);
    const lost = Buffer.from(whole)
      .fill(0xff, 8_192, whole.length / 2 - 4_096)
      .fill(0xff, whole.length / 2 + 8_192, whole.length - 4_096);
    writeFileSync(path, lost);
    assert.equal((await holdfast('scrub')).exitCode, 11);
    assert.deepEqual(told().hook, [`unrepairable: local: ${name} cannot be repaired`]);
  });
});

describe('notify test', () => {
  it('tries every way of telling, and says which works', async () => {
    configure({});
    const { exitCode, stdout } = await holdfast('notify', 'test', '--type', 'webhook');
    assert.equal(exitCode, 0);
    assert.match(stdout, /webhook +127\.0\.0\.1:\d+ +sent/);
    assert.deepEqual(told(), { hook: ['failure: This is a test'], ping: [] });
    receiver.answer = 'refuse';
    const failed = await holdfast('notify', 'test', '--json', '--event', 'success');
    assert.equal(failed.exitCode, 1);
    assert.match(failed.stdout, /"sent":false,"tries":1,"error":\{"code":"notify\.failed"/);
    configure({ notifications: [] });
    assert.equal((await holdfast('notify', 'test')).exitCode, 2);
  });
});

describe('hooks', () => {
  const log = () =>
    existsSync(join(folder, 'log'))
      ? readFileSync(join(folder, 'log'), 'utf8')
          .trimEnd()
          .split('\n')
          .map((line) => line.trimEnd())
      : [];
  const shell = (text: string) => ['sh', '-c', text];
  const tell = shell('echo "$HOLDFAST_EVENT $HOLDFAST_SUBJECT $HOLDFAST_OUTCOME $HOLDFAST_ERROR" >> log');

  it('commands run before and after, and are told how it ended', async () => {
    makeDatabase(join(folder, 'shop.db'), 10);
    configure({ hooks: { beforeBackup: tell, afterBackup: tell, beforeRestore: tell, afterRestore: tell } });
    assert.equal((await holdfast('backup')).exitCode, 0);
    assert.deepEqual(log(), ['before-backup shop', 'after-backup shop success']);
    const [name = ''] = await shownIn(join(folder, 'backups'));
    rmSync(join(folder, 'log'));
    await holdfast('backup', '--dry-run');
    await holdfast('restore', name, '--storage', 'local', '--to', 'sqlite:copy.db', '--dry-run');
    assert.deepEqual(log(), []);
    assert.equal(
      (await holdfast('restore', name, '--storage', 'local', '--to', 'sqlite:copy.db', '--yes')).exitCode,
      0,
    );
    assert.deepEqual(log(), [`before-restore ${name}`, `after-restore ${name} success`]);
    rmSync(join(folder, 'log'));
    rmSync(join(folder, 'shop.db'));
    assert.equal((await holdfast('backup')).exitCode, 1);
    assert.deepEqual(log(), ['before-backup shop', 'after-backup shop failure source.not_found']);
    rmSync(join(folder, 'log'));
    await holdfast('backup', '--no-hooks');
    assert.deepEqual(log(), []);
  });

  it('one that fails before keeps the backup from being made; the one after runs, and is told', async () => {
    makeDatabase(join(folder, 'shop.db'), 10);
    configure({ hooks: { beforeBackup: shell('echo no >&2; exit 7'), afterBackup: tell } });
    const { exitCode, stderr } = await holdfast('backup');
    assert.equal(exitCode, 1);
    assert.match(stderr, /the hook before-backup failed: sh ended with exit code 7: no \[hook\.failed\]/);
    assert.ok(!existsSync(join(folder, 'backups')) || (await shownIn(join(folder, 'backups'))).length === 0);
    assert.deepEqual(log(), ['after-backup shop failure hook.failed']);
    assert.deepEqual(told().ping, ['/fail']);
    const [run, ...others] = JSON.parse((await holdfast('runs', '--json')).stdout) as RecordedRun[];
    assert.deepEqual([run?.kind, run?.state, run?.database, others], ['backup', 'failed', 'shop', []]);
    assert.deepEqual([run?.error?.code, run?.archives[0]?.state], ['hook.failed', 'failed']);
    assert.deepEqual(
      run?.notifications?.map(({ event, sent }) => [event, sent]),
      [
        ['failure', true],
        ['failure', true],
      ],
    );
  });

  it('one that fails after leaves the backup, and the exit code is 3', async () => {
    makeDatabase(join(folder, 'shop.db'), 10);
    configure({}, "hooks: { afterBackup: ({ outcome }) => { throw new Error('after ' + outcome); } }");
    const { exitCode, stderr } = await holdfast('backup');
    assert.equal(exitCode, 3);
    assert.match(stderr, /the hook after-backup failed: after success \[hook\.failed\]/);
    assert.equal((await shownIn(join(folder, 'backups'))).length, 1);
    assert.deepEqual(told().hook, ['failure: the hook after the backup of shop failed']);
  });
});
