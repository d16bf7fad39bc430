import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { partialPath } from '../disk/partial-path.ts';
import { HoldfastError } from '../errors.ts';
import { makeFolder, onPath, removeStalePartials, storageErrorFrom } from './durable-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-durable-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function withPid(path: string, pid: number): string {
  return path.replace(`.holdfast-${process.pid}-`, `.holdfast-${pid}-`);
}

function deadPid(): number {
  const { pid } = spawnSync(process.execPath, ['--version']);
  return pid;
}

async function setAge(path: string, days: number): Promise<void> {
  const then = new Date(Date.now() - days * 24 * 3_600_000);
  await utimes(path, then, then);
}

test('errors of the file system say why', () => {
  const codes = {
    ENOSPC: 'storage.full',
    EDQUOT: 'storage.full',
    EFBIG: 'storage.full',
    EROFS: 'storage.read_only',
    EACCES: 'storage.unauthorized',
    EPERM: 'storage.unauthorized',
    ENOENT: 'storage.not_found',
    ENOTDIR: 'storage.not_found',
    EISDIR: 'storage.not_found',
    ETIMEDOUT: 'storage.unavailable',
    EIO: 'storage.failed',
    EUNHEARDOF: 'storage.failed',
  };
  for (const [errno, code] of Object.entries(codes)) {
    const cause = Object.assign(new Error(errno), { code: errno, syscall: 'write' });
    const error = storageErrorFrom(cause, '/some/path');
    assert.ok(error instanceof HoldfastError);
    assert.equal(error.code, code);
    assert.equal(error.cause, cause);
    assert.deepEqual(error.context, { path: '/some/path', errno });
    assert.match(error.message, /^\/some\/path: /u);
  }
});

test('errors of anything else are given back as they are', async () => {
  const defect = new TypeError('defect');
  assert.equal(storageErrorFrom(defect, 'x'), defect);
  const known = new HoldfastError('key.wrong');
  await assert.rejects(
    onPath('x', () => Promise.reject(known)),
    (error) => error === known,
  );
});

test('partial files of dead processes are removed, those of living ones kept', async () => {
  const target = join(folder, 'shop.holdfast');
  const mine = partialPath(target);
  const parents = withPid(partialPath(target), process.ppid);
  const dead = withPid(partialPath(target), deadPid());
  const others = [join(folder, '.shop.partial'), target];
  for (const path of [mine, parents, dead, ...others]) await writeFile(path, 'x');
  await removeStalePartials(folder);
  const left = [mine, parents, ...others].map((path) => basename(path));
  assert.deepEqual((await readdir(folder)).sort(), left.sort());
});

test('where the process cannot be judged, or its number was given again, seven days decide', async () => {
  const target = join(folder, 'shop.holdfast');
  const foreign = (path: string) => path.replace(/-[0-9a-f]{8}([0-9a-f]{16}\.partial)$/u, '-00000000$1');
  const young = withPid(foreign(partialPath(target)), deadPid());
  const old = foreign(partialPath(target));
  const reused = partialPath(target);
  const readingBack = partialPath(target);
  for (const path of [young, old, reused, readingBack]) await writeFile(path, 'x');
  for (const path of [young, readingBack]) await setAge(path, 6.9);
  for (const path of [old, reused]) await setAge(path, 7.1);
  await removeStalePartials(folder);
  assert.deepEqual((await readdir(folder)).sort(), [basename(young), basename(readingBack)].sort());
});

test('a folder that has a partial name is left alone', async () => {
  const path = withPid(partialPath(join(folder, 'x')), deadPid());
  await mkdir(path);
  await removeStalePartials(folder);
  assert.deepEqual(await readdir(folder), [basename(path)]);
});

test('missing folders are made, with the mode, and those that are there are kept', async () => {
  const deep = join(folder, 'a/b/c');
  await makeFolder(deep, { mode: 0o777, exactMode: true });
  await makeFolder(deep, { mode: 0o700, exactMode: true });
  for (const path of [deep, join(folder, 'a')]) assert.equal((await stat(path)).mode & 0o777, 0o777);
});

test('a folder is not made below a link that leads nowhere', async () => {
  await symlink(join(folder, 'nowhere'), join(folder, 'link'));
  const made = makeFolder(join(folder, 'link/a/b'), { mode: 0o700, exactMode: false });
  await assert.rejects(made, { code: 'storage.not_found' });
  assert.deepEqual(await readdir(folder), ['link']);
});
