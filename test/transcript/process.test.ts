/** How the process behaves towards signals and pipes. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, open, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { programEnvironment } from '../program-environment.ts';

const entry = fileURLToPath(new URL('holdfast.ts', import.meta.url));
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-process-'));
  await writeFile(join(folder, 'file.txt'), 'content');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function start(...words: string[]): ChildProcess {
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  return spawn(process.execPath, [entry, ...words], {
    cwd: folder,
    env: programEnvironment(),
    stdio: [...stdio],
    detached: true,
  });
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => child.once('close', resolve).once('error', reject));
}

/** Starts a backup that waits for its passphrase; opening the FIFO succeeds once the program reads from it. */
async function startWaitingBackup() {
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  const child = start('backup', '--files', 'file.txt', '--output', 'out.holdfast', '--passphrase-file', 'fifo');
  const end = ended(child);
  const stderr = text(child.stderr!);
  return { child, end, stderr, passphrase: await open(join(folder, 'fifo'), 'w') };
}

/** Starts a backup that tells each step to the program that started it, and waits until it is under way. */
async function startToldBackup() {
  await truncate(join(folder, 'file.txt'), 64 << 20);
  const child = spawn(process.execPath, [entry, 'backup', '--files', 'file.txt', '--output', 'out.holdfast'], {
    cwd: folder,
    env: { ...programEnvironment(), HOLDFAST_PASSPHRASE: 'secret', HOLDFAST_PROGRESS: 'json' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const end = ended(child);
  const [told] = await once(child.stderr, 'data');
  assert.match(String(told), /^\{"progress":/);
  return { child, end };
}

test('a first signal ends the run with 130 and leaves nothing behind', async () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const { child, end, stderr, passphrase } = await startWaitingBackup();
    child.kill(signal);
    await passphrase.writeFile('secret\n');
    await passphrase.close();
    assert.equal(await end, 130);
    assert.match(await stderr, /^holdfast: interrupted \[operation\.interrupted\]\nhint: .*\n$/);
    assert.equal(existsSync(join(folder, 'out.holdfast')), false);
    await rm(join(folder, 'fifo'));
  }
});

test('a second signal ends the program at once', async () => {
  const { child, end, passphrase } = await startWaitingBackup();
  child.kill('SIGINT');
  child.kill('SIGTERM');
  await end;
  // A shell shows this as 130.
  assert.equal(child.signalCode, 'SIGINT');
  await passphrase.close();
});

test('a terminal that closes interrupts a run, however often it is told', async () => {
  const { child, end } = await startToldBackup();
  child.stderr.destroy();
  // The kernel and the shell both send it; a login that ends sends SIGTERM as well.
  for (const signal of ['SIGHUP', 'SIGHUP', 'SIGTERM'] as const) child.kill(signal);
  assert.equal(await end, 130);
  assert.deepEqual(await readdir(folder), ['file.txt']);
});

test('a run goes on to its end when nobody hears any more how far it is', async () => {
  const { child, end } = await startToldBackup();
  child.stderr.destroy();
  assert.equal(await end, 0);
  assert.ok(existsSync(join(folder, 'out.holdfast')));
});

test('a result that cannot be written is a failure, and hides no other', {
  skip: !existsSync('/dev/full'),
}, async () => {
  for (const [words, exitCode] of [
    [['help'], 1],
    [['verify', 'file.txt', '--json'], 13],
  ] as const) {
    const full = openSync('/dev/full', 'w');
    const options = { cwd: folder, env: programEnvironment() };
    const child = spawn(process.execPath, [entry, ...words], { ...options, stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    const stderr = text(child.stderr!);
    assert.equal(await ended(child), exitCode);
    assert.match(await stderr, /ENOSPC/);
  }
});

test('a reader who has seen enough is no failure', async () => {
  const child = start('help');
  child.stdout?.destroy();
  const stderr = text(child.stderr!);
  assert.equal(await ended(child), 0);
  assert.equal(await stderr, '');
});
