import assert from 'node:assert/strict';
import {
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { partialPath } from '../../disk/partial-path.ts';
import { HoldfastError } from '../../errors.ts';
import { LocalStorage, localObject } from './local-storage.ts';

let folder: string;
let root: string;
let storage: LocalStorage;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-local-'));
  root = join(folder, 'root');
  storage = new LocalStorage({ root });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(name: string, text: string, target: LocalStorage = storage): Promise<void> {
  const writer = await target.writer(name, { copies: 1 });
  await writer.write(Buffer.from(text));
  await writer.commit();
}

async function mode(path: string): Promise<number> {
  return (await stat(path)).mode & 0o7777;
}

/** The class of file handles is not exported; its methods are replaced to see, or fail, the calls on any handle. */
async function fileHandlePrototype(): Promise<{ sync(): Promise<void>; datasync(): Promise<void> }> {
  const handle = await open(folder);
  await handle.close();
  return Object.getPrototypeOf(handle);
}

test('what is written in any pieces comes back, as often as asked', async () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 5000 }), { maxLength: 20 });
  const property = fc.asyncProperty(pieces, fc.integer({ min: 1, max: 8 }), async (chunks, copies) => {
    const writer = await storage.writer('any', { copies });
    for (const chunk of chunks) await writer.write(chunk);
    await writer.commit();
    const run = Buffer.concat(chunks);
    assert.deepEqual(await readFile(join(root, 'any')), Buffer.concat(new Array(copies).fill(run)));
  });
  await fc.assert(property, { seed: 1, numRuns: 40 });
});

test('copies longer than the buffers are whole', async () => {
  const chunk = Buffer.alloc(1_234_567);
  const writer = await storage.writer('large', { copies: 3 });
  for (let index = 0; index < 5; index += 1) await writer.write(chunk.fill(index + 1));
  await writer.commit();
  const bytes = await readFile(join(root, 'large'));
  assert.equal(bytes.length, 15 * chunk.length);
  for (let index = 0; index < 15; index += 1) {
    chunk.fill((index % 5) + 1);
    assert.equal(
      bytes.compare(chunk, 0, chunk.length, index * chunk.length, (index + 1) * chunk.length),
      0,
      `piece ${index}`,
    );
  }
});

test('files are for their owner alone, or as set, whatever the umask is', async () => {
  await put('a/b', 'x');
  assert.equal(await mode(join(root, 'a/b')), 0o600);
  assert.equal(await mode(join(root, 'a')), 0o700);
  const before = process.umask(0o077);
  try {
    await put('c/d', 'x', new LocalStorage({ root, filePermissionsMode: 0o640, directoryPermissionsMode: 0o755 }));
  } finally {
    process.umask(before);
  }
  assert.equal(await mode(join(root, 'c/d')), 0o640);
  assert.equal(await mode(join(root, 'c')), 0o755);
});

test('data and file are synced before the rename, with the check done, the folder after it', async (t) => {
  const writer = await storage.writer('x', { copies: 2 });
  await writer.write(Buffer.from('x'));
  const prototype = await fileHandlePrototype();
  const calls: string[] = [];
  const { sync, datasync } = prototype;
  t.mock.method(prototype, 'datasync', function (this: object) {
    calls.push('datasync');
    return datasync.call(this);
  });
  t.mock.method(prototype, 'sync', async function (this: object) {
    const isVisible = (await readdir(root)).includes('x');
    calls.push(isVisible ? 'sync after rename' : 'sync before rename');
    return sync.call(this);
  });
  await writer.commit(async () => {
    calls.push('check');
  });
  assert.deepEqual(calls.slice(0, 2).sort(), ['check', 'datasync']);
  assert.deepEqual(calls.slice(2), ['sync before rename', 'sync after rename']);
});

test('a sync that fails in the background fails a later write, and nothing is left', async (t) => {
  process.env['HOLDFAST_DIRECT_IO'] = '0';
  t.after(() => delete process.env['HOLDFAST_DIRECT_IO']);
  const writer = await storage.writer('x', { copies: 1 });
  const prototype = await fileHandlePrototype();
  const fail = async () => {
    throw Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'fdatasync' });
  };
  const { mock } = t.mock.method(prototype, 'datasync', fail);
  const chunk = Buffer.alloc(4 * 1024 * 1024);
  for (let index = 0; index < 8; index += 1) await writer.write(chunk);
  await assert.rejects(
    async () => {
      for (let index = 0; index < 8; index += 1) await writer.write(chunk);
    },
    { code: 'storage.failed' },
  );
  assert.equal(mock.callCount(), 1);
  mock.restore();
  await assert.rejects(writer.commit(), { code: 'storage.failed' });
  await writer.abort();
  assert.deepEqual(await readdir(root), []);
});

test('a sync that fails at commit keeps the old object', async (t) => {
  await put('x', 'old');
  const prototype = await fileHandlePrototype();
  for (const method of ['datasync', 'sync'] as const) {
    const writer = await storage.writer('x', { copies: 1 });
    await writer.write(Buffer.from('new'));
    const { mock } = t.mock.method(prototype, method, async () => {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'fsync' });
    });
    await assert.rejects(writer.commit(), { code: 'storage.full' });
    mock.restore();
    assert.deepEqual(await readdir(root), ['x']);
    assert.equal(await readFile(join(root, 'x'), 'utf8'), 'old');
  }
});

test('a partial file that another process took away or changed is noticed', async () => {
  const tamperings = [
    async (path: string) => rm(path),
    async (path: string) => writeFile(path, 'longer', { flag: 'a' }),
    async (path: string) => writeFile(path, ''),
  ];
  for (const tamper of tamperings) {
    const writer = await storage.writer('x', { copies: 1 });
    await writer.write(Buffer.from('x'));
    const [partial] = await readdir(root);
    assert.ok(partial);
    const commit = writer.commit(() => tamper(join(root, partial)));
    await assert.rejects(commit, { code: 'storage.failed', message: /not as it was written/u });
    assert.deepEqual(await readdir(root), []);
  }
});

test('an abort while a commit runs ends it, and waits for it', async () => {
  const writer = await storage.writer('x', { copies: 1 });
  await writer.write(Buffer.from('x'));
  let aborted: Promise<void> | undefined;
  const commit = writer.commit(async () => {
    aborted = writer.abort();
  });
  await assert.rejects(commit, { code: 'operation.interrupted' });
  await aborted;
  await assert.rejects(writer.write(Buffer.from('x')), { code: 'operation.interrupted' });
  assert.deepEqual(await readdir(root), []);
});

test('a signal aborted while copies are made leaves nothing', async () => {
  const controller = new AbortController();
  const onReplicate = () => controller.abort();
  const writer = await storage.writer('x', { copies: 4, signal: controller.signal, onReplicate });
  await writer.write(Buffer.alloc(3_000_000));
  await assert.rejects(writer.commit(), { code: 'operation.interrupted' });
  assert.deepEqual(await readdir(root), []);
});

test('partial files are not listed, nor can they be named', async () => {
  await put('x', 'x');
  const writer = await storage.writer('x', { copies: 1 });
  await writer.write(Buffer.from('y'));
  const partial = (await readdir(root)).find((name) => name !== 'x');
  assert.ok(partial);
  for await (const object of storage.list()) assert.equal(object.name, 'x');
  await assert.rejects(storage.open(partial), { code: 'storage.unauthorized' });
  await assert.rejects(storage.delete(partial), { code: 'storage.unauthorized' });
  await writer.abort();
});

test('a writer removes what a dead run left in its folder', async () => {
  await mkdir(root);
  const stale = partialPath(join(root, 'x')).replace(`-${process.pid}-`, '-4194305-');
  await writeFile(stale, 'x');
  const writer = await storage.writer('y', { copies: 1 });
  assert.ok(!(await readdir(root)).some((name) => stale.endsWith(name)));
  await writer.abort();
});

test('links that lead out of the root are refused, those that stay are read', async () => {
  await put('inside/x', 'x');
  await writeFile(join(folder, 'secret'), 'secret');
  await symlink(join(folder, 'secret'), join(root, 'file'));
  await symlink(folder, join(root, 'out'));
  await symlink('inside', join(root, 'in'));
  const refused = { code: 'storage.unauthorized', message: /leads out/u };
  for (const name of ['file', 'out/secret']) {
    await assert.rejects(storage.open(name), refused);
    await assert.rejects(storage.stat(name), refused);
  }
  for (const name of ['out/new', 'out/deep/er/new']) await assert.rejects(storage.writer(name, { copies: 1 }), refused);
  await assert.rejects(storage.delete('out/secret'), refused);
  assert.deepEqual((await readdir(folder)).sort(), ['root', 'secret']);
  assert.equal((await storage.stat('in/x')).sizeBytes, 1);
  await put('in/y', 'y');
  assert.equal(await readFile(join(root, 'inside/y'), 'utf8'), 'y');
  const names: string[] = [];
  for await (const object of storage.list()) names.push(object.name);
  assert.deepEqual(names.sort(), ['inside/x', 'inside/y']);
});

test('writing to a name that is a link replaces the link, not what it points to', async () => {
  await put('other', 'kept');
  await writeFile(join(folder, 'secret'), 'secret');
  await symlink(join(folder, 'secret'), join(root, 'link'));
  await put('link', 'new');
  assert.ok((await lstat(join(root, 'link'))).isFile());
  assert.equal(await readFile(join(folder, 'secret'), 'utf8'), 'secret');
});

test('folders and devices are not objects', async () => {
  await put('a/b', 'x');
  const folderError = { code: 'storage.not_found', message: /is a folder/u };
  await assert.rejects(storage.open('a'), folderError);
  await assert.rejects(storage.stat('a'), folderError);
  await assert.rejects(storage.writer('a', { copies: 1 }), folderError);
  await assert.rejects(storage.delete('a'), folderError);
  await assert.rejects(storage.writer('a/b/c', { copies: 1 }), { code: 'storage.not_found', message: /not a folder/u });
  await assert.rejects(localObject('/dev/null').storage.writer('null', { copies: 1 }), { code: 'storage.conflict' });
  assert.ok((await lstat('/dev/null')).isCharacterDevice());
});

test('a path gives its storage and name', async () => {
  const path = join(folder, 'new', 'shop.holdfast');
  for (const given of [path, relative(process.cwd(), path), `${path}/`]) {
    const object = localObject(given);
    assert.equal(object.name, 'shop.holdfast');
    assert.equal(object.storage.url(object.name), path);
  }
  await put('shop.holdfast', 'x', localObject(path).storage);
  assert.equal(await readFile(path, 'utf8'), 'x');
  assert.throws(() => localObject('/'), HoldfastError);
  const here = localObject(folder);
  await assert.rejects(here.storage.open(here.name), { code: 'storage.not_found', message: /is a folder/u });
});

test('a path that is a link is followed: what it points to is replaced', async () => {
  await put('2026.holdfast', 'old');
  await symlink('root/2026.holdfast', join(folder, 'latest'));
  const { storage: linked, name } = localObject(join(folder, 'latest'));
  await put(name, 'new', linked);
  assert.equal(await readFile(join(root, '2026.holdfast'), 'utf8'), 'new');
  assert.equal(await readlink(join(folder, 'latest')), 'root/2026.holdfast');
});
