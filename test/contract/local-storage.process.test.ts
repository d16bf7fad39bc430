/** Local storage where its process dies, or the disk refuses: real kills, real limits, real permissions. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LocalStorage } from '../../src/storage/local/local-storage.ts';
import type { ChildAnswer, ChildOrder } from './local-storage-child.ts';

const program = fileURLToPath(new URL('local-storage-child.ts', import.meta.url));
const isSuperUser = process.getuid?.() === 0;
const nobody = 65534;
/** Runs a command with mounts of its own, which vanish with it. */
const unshare = isSuperUser ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
const canMount =
  spawnSync('unshare', [...unshare, 'bash', '-c', 'mount -t tmpfs -o size=1m none "$0"', tmpdir()]).status === 0;

let root: string;
let storage: LocalStorage;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-process-'));
  storage = new LocalStorage({ root });
});
afterEach(() => rm(root, { recursive: true, force: true }));

function command(order: Partial<ChildOrder>): string[] {
  const whole: ChildOrder = { root, name: 'x', steps: ['put'], sizeBytes: 3 * 1024 * 1024, copies: 1, ...order };
  return [process.execPath, program, JSON.stringify(whole)];
}

/** The answer of a child that runs below another program. */
function answerOf(words: string[], options: { uid?: number; gid?: number } = {}): ChildAnswer {
  const [file = '', ...args] = words;
  const { stdout, stderr, status } = spawnSync(file, args, { encoding: 'utf8', ...options });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

/** Kills the child once it has said a line so many times. */
async function killAfter(child: ChildProcess, line: string, times: number): Promise<void> {
  assert.ok(child.stdout);
  const exited = once(child, 'exit');
  let heard = 0;
  for await (const said of createInterface(child.stdout)) {
    if (said === line) heard += 1;
    if (heard === times) child.kill('SIGKILL');
  }
  assert.deepEqual(await exited, [null, 'SIGKILL']);
}

function start(order: Partial<ChildOrder>): ChildProcess {
  const [file = '', ...args] = command(order);
  return spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function listNames(): Promise<string[]> {
  const names: string[] = [];
  for await (const object of storage.list()) names.push(object.name);
  return names;
}

for (const stopAt of ['write', 'replicate', 'check'] as const) {
  test(`a process killed in mid-${stopAt} leaves no object, and the next writer cleans up`, async () => {
    await killAfter(start({ stopAt, copies: 2 }), 'stopped', 1);
    assert.deepEqual(await listNames(), []);
    const left = await readdir(root);
    assert.equal(left.length, 1);
    assert.match(left[0] ?? '', /^\.x\.holdfast-\d+-[0-9a-f]{24}\.partial$/u);
    const writer = await storage.writer('y', { copies: 1 });
    assert.ok(!(await readdir(root)).includes(left[0] ?? ''));
    await writer.commit();
    assert.deepEqual(await readdir(root), ['y']);
  });
}

test('a process killed while it overwrites at full speed leaves a whole object', async () => {
  const sizeBytes = 300_000;
  for (let times = 1; times <= 6; times += 1) {
    await killAfter(start({ steps: ['put for ever'], sizeBytes, copies: 2 }), 'committed', times);
    assert.deepEqual(await listNames(), ['x']);
    const bytes = await readFile(join(root, 'x'));
    assert.equal(bytes.length, 2 * sizeBytes);
    assert.ok(bytes.every((byte) => byte === bytes[0]));
  }
});

/** Ways to have less room than 3 MiB, and room for small files again after a failure. */
const fullDisks: Record<string, (child: string[]) => string[]> = {
  'a limit on file sizes': (child) => ['bash', '-c', 'ulimit -f 2048; exec "$0" "$@"', ...child],
};
if (canMount) {
  fullDisks['a small disk'] = (child) => {
    const script = 'mount -t tmpfs -o size=2m none "$0" && exec "$@"';
    return ['unshare', ...unshare, 'bash', '-c', script, root, ...child];
  };
}

for (const [way, below] of Object.entries(fullDisks)) {
  test(`a full disk (${way}) is told, and nothing is left on it`, () => {
    const steps = ['small put', 'put', 'files', 'open', 'small put', 'files'] as const;
    assert.deepEqual(answerOf(below(command({ steps }))), ['put', 'storage.full', ['x'], 'open', 'put', ['x']]);
  });

  test(`a disk that gets full at the second copy (${way}) is told, and nothing is left on it`, () => {
    const order = { steps: ['put', 'files', 'small put'] as const, sizeBytes: 1_500_000, copies: 2 };
    assert.deepEqual(answerOf(below(command(order))), ['storage.full', [], 'put']);
    assert.deepEqual(answerOf(below(command({ ...order, copies: 1 }))), ['put', ['x'], 'put']);
  });
}

const needsMount = { skip: canMount ? false : 'mounting is not permitted here' };

test('a read-only disk is told, and can be listed', needsMount, () => {
  const script = 'mount -t tmpfs none "$0" && touch "$0/x" && mount -o remount,bind,ro "$0" && exec "$@"';
  const steps = ['put', 'delete', 'open', 'list', 'files'] as const;
  const answer = answerOf(['unshare', ...unshare, 'bash', '-c', script, root, ...command({ steps })]);
  assert.deepEqual(answer, ['storage.read_only', 'storage.read_only', 'open', ['x'], ['x']]);
});

test('a folder and a file of another user are told', async () => {
  await writeFile(join(root, 'x'), 'x', { mode: 0o000 });
  await mkdir(join(root, 'lost+found'), { mode: 0o000 });
  await chmod(root, 0o555);
  const options = isSuperUser ? { uid: nobody, gid: nobody } : {};
  const steps = ['put', 'open', 'delete', 'list'] as const;
  const denied = 'storage.unauthorized';
  assert.deepEqual(answerOf(command({ steps }), options), [denied, denied, denied, ['x']]);
  await chmod(root, 0o755);
  await mkdir(join(root, 'other'), { mode: 0o000 });
  assert.deepEqual(answerOf(command({ steps: ['list'] }), options), [denied]);
  await chmod(join(root, 'other'), 0o700);
  await chmod(join(root, 'lost+found'), 0o700);
});
