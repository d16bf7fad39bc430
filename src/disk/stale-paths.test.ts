import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { FakeClock } from '../testing/fake-clock.ts';
import { isRunning } from './process-life.ts';
import { type Owner, stalePaths } from './stale-paths.ts';

const nowMs = 1_700_000_000_000;
const staleAfterMs = 60_000;
const { pid: deadProcessId } = spawnSync(process.execPath, ['--version']);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-stale-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function findStale(
  owners: Readonly<Record<string, Owner>>,
  onFound?: (path: string) => Promise<void>,
): Promise<string[]> {
  const found: string[] = [];
  const clock = new FakeClock(nowMs);
  for await (const { path } of stalePaths(folder, { ownerOf: (name) => owners[name], staleAfterMs, clock })) {
    found.push(basename(path));
    await onFound?.(path);
  }
  return found.sort();
}

/** Makes a file that was changed so long before the clock's time. */
async function make(name: string, ageMs: number): Promise<void> {
  await writeFile(join(folder, name), 'x');
  await utimes(join(folder, name), nowMs / 1000, (nowMs - ageMs) / 1000);
}

test('processes that run, as any user, are told from those that have ended', () => {
  assert.ok(isRunning(process.pid));
  assert.ok(isRunning(1));
  assert.ok(!isRunning(deadProcessId));
});

const rows: readonly (readonly [string, Owner, number, boolean])[] = [
  ['of a dead process, young', { processId: deadProcessId, isHere: true }, 0, true],
  ['of a dead process elsewhere, young', { processId: deadProcessId, isHere: false }, staleAfterMs, false],
  ['of a dead process elsewhere, old', { processId: deadProcessId, isHere: false }, staleAfterMs + 1000, true],
  ['of a living process, young', { processId: process.pid, isHere: true }, staleAfterMs, false],
  ['of a living process, old', { processId: process.pid, isHere: true }, staleAfterMs + 1000, true],
];
for (const [what, owner, ageMs, isStale] of rows) {
  test(`${what}: ${isStale ? 'stale' : 'kept'}`, async () => {
    await make('x', ageMs);
    assert.deepEqual(await findStale({ x: owner }), isStale ? ['x'] : []);
  });
}

test('names of nobody are passed over, folders and links are found themselves, what vanishes meanwhile is none', async () => {
  const dead = { processId: deadProcessId, isHere: true };
  await make('nobody', 1e9);
  await make('file', 0);
  await mkdir(join(folder, 'folder'));
  await symlink('/', join(folder, 'link'));
  assert.deepEqual(await findStale({ file: dead, folder: dead, link: dead }), ['file', 'folder', 'link']);
  await make('twin-a', 0);
  await make('twin-b', 0);
  const removeBoth = async () => {
    await Promise.all(['twin-a', 'twin-b'].map((name) => unlink(join(folder, name))));
  };
  assert.equal((await findStale({ 'twin-a': dead, 'twin-b': dead }, removeBoth)).length, 1);
});

test('a folder that is not there is the error of the system', async () => {
  await rm(folder, { recursive: true });
  await assert.rejects(findStale({}), { code: 'ENOENT' });
});
