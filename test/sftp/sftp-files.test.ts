/** What lies on the server: modes, owners, links, folders, and disks without room. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import type { Storage } from '../../src/storage/storage.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type SshdService, startSshd } from '../services/start-sshd.ts';
import { openSftp } from './open-sftp.ts';
import { startProxy } from './tcp-proxy.ts';

leaveOutWithout('sshd');

const isRoot = process.getuid?.() === 0;
const needsRoot = isRoot ? false : 'this needs root';
let server: SshdService;
let folder: string;
let count = 0;

before(async () => {
  server = await startSshd();
});
after(() => server.stop());
beforeEach(() => {
  count += 1;
  folder = join(server.folder, `${count}`);
});

async function put(storage: Storage, name: string, text = 'x', copies = 1): Promise<void> {
  const writer = await storage.writer(name, { copies });
  await writer.write(Buffer.from(text));
  await writer.commit();
}

function mode(path: string): string {
  return (statSync(path).mode & 0o7777).toString(8);
}

test('files and folders have the modes that are set, else they are for the user only', async () => {
  const plain = openSftp(server, folder);
  await put(plain, 'a/b/x');
  assert.deepEqual(
    ['a', 'a/b', 'a/b/x'].map((name) => mode(join(folder, name))),
    ['700', '700', '600'],
  );
  const open = openSftp(server, join(folder, 'open'), { fileMode: 0o666, dirMode: 0o777 });
  await put(open, 'a/x');
  assert.deepEqual(
    ['open', 'open/a', 'open/a/x'].map((name) => mode(join(folder, name))),
    ['777', '777', '666'],
  );
  await Promise.all([plain.close(), open.close()]);
});

test('owner and group are set where the server allows it, else nothing is left', async () => {
  const { uid, gid } = statSync(server.folder);
  const own = openSftp(server, folder, { uid, gid });
  await put(own, 'x');
  await own.close();
  if (uid === 0) return;
  const refused = openSftp(server, folder, { uid: uid + 1 });
  const message = new RegExp(`does not let this user give files to ${uid + 1}:${gid}`);
  await assert.rejects(refused.writer('y', { copies: 1 }), { code: 'storage.unauthorized', message });
  assert.deepEqual(readdirSync(folder), ['x']);
  await refused.close();
});

test('the super-user gives files to others', { skip: needsRoot }, async (context) => {
  const other = await startSshd({ password: 's3cret', settings: ['PermitRootLogin yes'] });
  context.after(() => other.stop());
  const storage = openSftp(other, join(other.folder, 'root'), { uid: 1234, gid: 4321, login: { user: 'root' } });
  await put(storage, 'x');
  const { uid, gid } = statSync(join(other.folder, 'root', 'x'));
  assert.deepEqual([uid, gid], [1234, 4321]);
  await storage.close();
});

test('links out of the root are refused, links in it are followed, and none is listed', async () => {
  mkdirSync(folder);
  mkdirSync(join(server.folder, 'outside'), { recursive: true });
  writeFileSync(join(server.folder, 'outside', 'secret'), 'secret');
  mkdirSync(join(folder, 'inside'));
  writeFileSync(join(folder, 'inside', 'x'), 'inside');
  symlinkSync('../outside', join(folder, 'away'));
  symlinkSync('inside', join(folder, 'near'));
  symlinkSync('../outside/secret', join(folder, 'secret'));
  const storage = openSftp(server, folder);
  const refused = { code: 'storage.unauthorized', message: /a symbolic link leads out of/ };
  for (const name of ['away/secret', 'secret']) {
    await assert.rejects(storage.open(name), refused);
    await assert.rejects(storage.stat(name), refused);
  }
  await assert.rejects(storage.delete('away/secret'), refused);
  await assert.rejects(storage.writer('away/new', { copies: 1 }), refused);
  await assert.rejects(storage.writer('away/deep/new', { copies: 1 }), refused);
  assert.deepEqual(readdirSync(join(server.folder, 'outside')), ['secret']);
  const stored = await storage.open('near/x');
  assert.equal(stored.sizeBytes, 6);
  await stored.close();
  const names: string[] = [];
  for await (const { name } of storage.list()) names.push(name);
  assert.deepEqual(names, ['inside/x']);
  await storage.close();
});

test('what is in the way of a name is said', async () => {
  const storage = openSftp(server, folder);
  await put(storage, 'file');
  await put(storage, 'folder/x');
  await assert.rejects(storage.writer('file/x', { copies: 1 }), {
    code: 'storage.not_found',
    message: /it is a file, not a folder/,
  });
  for (const call of [
    () => storage.writer('folder', { copies: 1 }),
    () => storage.open('folder'),
    () => storage.stat('folder'),
    () => storage.delete('folder'),
  ]) {
    await assert.rejects(call(), { code: 'storage.not_found', message: /it is a folder, not a file/ });
  }
  const long = 'n'.repeat(300);
  await assert.rejects(storage.open(long), { code: 'storage.failed', message: /the name may be too long/ });
  await storage.close();
});

test('a folder that the user may not write to is named', { skip: needsRoot }, async () => {
  mkdirSync(folder, { mode: 0o755 });
  const storage = openSftp(server, folder);
  await assert.rejects(storage.writer('x', { copies: 1 }), {
    code: 'storage.unauthorized',
    message: /access was denied/,
  });
  const below = openSftp(server, join(folder, 'below'));
  await assert.rejects(below.writer('x', { copies: 1 }), {
    code: 'storage.unauthorized',
    message: /the folder is not there, and the server does not let this user make it/,
    hint: /make it on the server/,
  });
  await Promise.all([storage.close(), below.close()]);
});

test('a full disk is told with its numbers, and leaves nothing but what was there', {
  skip: needsRoot,
}, async (context) => {
  const small = await startSshd({ password: 's3cret', diskBytes: 4 * 1024 * 1024 });
  context.after(() => small.stop());
  const storage = openSftp(small, small.folder);
  await put(storage, 'old', 'old');
  const bytes = new SeededRandom(3).bytes(1024 * 1024);
  const write = async (mebibytes: number, copies: number) => {
    const writer = await storage.writer('x', { copies });
    for (let index = 0; index < mebibytes; index += 1) await writer.write(bytes);
    await writer.commit();
  };
  const full = { code: 'storage.full', message: /there is no space left on the server: \d+ bytes of 4194304 are free/ };
  await assert.rejects(write(6, 1), full);
  // The first copy fits, the second one does not.
  await assert.rejects(write(3, 2), full);
  const names: string[] = [];
  for await (const { name } of storage.list()) names.push(name);
  assert.deepEqual(names, ['old']);
  // Nothing hidden is left either: all of the disk can be used again.
  await write(3, 1);
  await storage.close();
});

test('the second copy is made by the server where it can, else it is sent', async (context) => {
  const bytes = new SeededRandom(3).bytes(2 * 1024 * 1024);
  for (const [subsystem, copiesSent] of [
    ['internal-sftp', 1],
    ['internal-sftp -P copy-data', 2],
  ] as const) {
    const other = await startSshd({ subsystem });
    context.after(() => other.stop());
    const proxy = await startProxy(other.port);
    context.after(() => proxy.close());
    const storage = openSftp(other, other.folder, { port: proxy.port });
    const writer = await storage.writer('x', { copies: 2 });
    await writer.write(bytes);
    await writer.commit();
    await storage.close();
    assert.equal(Math.round(proxy.sentBytes / bytes.length), copiesSent, `${proxy.sentBytes}`);
    assert.ok(readFileSync(join(other.folder, 'x')).equals(Buffer.concat([bytes, bytes])));
  }
});

test('a server that cannot replace in one step replaces nothing', async (context) => {
  const other = await startSshd({ subsystem: 'internal-sftp -P posix-rename' });
  context.after(() => other.stop());
  const storage = openSftp(other, other.folder);
  await put(storage, 'x', 'old');
  await assert.rejects(put(storage, 'x', 'new'), {
    code: 'storage.conflict',
    message: /cannot replace a file in one step/,
  });
  assert.equal(readFileSync(join(other.folder, 'x'), 'utf8'), 'old');
  assert.deepEqual(readdirSync(other.folder), ['x']);
  await storage.close();
});

test('a read-only server says so', async (context) => {
  const other = await startSshd({ subsystem: 'internal-sftp -R' });
  context.after(() => other.stop());
  const storage = openSftp(other, other.folder);
  await assert.rejects(storage.writer('x', { copies: 1 }), { code: 'storage.unauthorized' });
  await storage.close();
});

test('a path from the folder of the log-in is one too', { skip: needsRoot }, async (context) => {
  const other = await startSshd({ password: 's3cret' });
  context.after(() => other.stop());
  const storage = openSftp(other, 'archives/shop');
  await put(storage, 'x');
  assert.ok(lstatSync(join(other.folder, 'archives', 'shop', 'x')).isFile());
  assert.equal(storage.url('a b'), `sftp://backup@127.0.0.1:${other.port}/~/archives/shop/a%20b`);
  assert.equal(storage.properties.place, `sftp://backup@127.0.0.1:${other.port}/~/archives/shop`);
  await storage.close();
  const home = openSftp(other, '.');
  assert.equal(home.properties.place, `sftp://backup@127.0.0.1:${other.port}/~/`);
  await put(home, 'y');
  assert.ok(existsSync(join(other.folder, 'y')));
  await home.close();
  await home.close();
  await assert.rejects(home.stat('y'), { code: 'storage.failed', message: /the storage was closed/ });
});
