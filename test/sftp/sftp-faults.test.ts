/** Connections that are cut, reset and silent, servers that die, disks that are full: an archive appears whole or not at all. */
import assert from 'node:assert/strict';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { readTolerant } from '../../src/archive/heal/read-tolerant.ts';
import { partialPath } from '../../src/disk/partial-path.ts';
import { HoldfastError } from '../../src/errors.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type SshdService, startSshd } from '../services/start-sshd.ts';
import { type OpenOptions, openSftp } from './open-sftp.ts';
import { type ProxyFault, startProxy, type TcpProxy } from './tcp-proxy.ts';

leaveOutWithout('sshd');

const mebibyte = 1024 * 1024;
const content = new SeededRandom(9).bytes(2 * mebibyte + 77);
let server: SshdService;
let proxy: TcpProxy;
let folder: string;
let count = 0;

before(async () => {
  server = await startSshd();
  proxy = await startProxy(server.port);
});
after(async () => {
  await proxy.close();
  await server.stop();
});
beforeEach(() => {
  count += 1;
  proxy.plan();
  folder = join(server.folder, `${count}`);
});

function openByProxy(options: OpenOptions = {}) {
  return openSftp(server, folder, { port: proxy.port, timeoutMs: 1_000, connectTimeoutMs: 10_000, ...options });
}

async function write(storage: Storage, options: { copies?: number; afterMebibyte?: () => unknown } = {}) {
  const writer = await storage.writer('x', { copies: options.copies ?? 1 });
  for (let offset = 0; offset < content.length; offset += mebibyte) {
    await writer.write(content.subarray(offset, offset + mebibyte));
    if (offset === mebibyte) await options.afterMebibyte?.();
  }
  return await writer.commit(async (stored) => {
    const bytes = new Uint8Array(stored.sizeBytes);
    assert.equal(await stored.read(0, bytes), bytes.length);
    assertContent(bytes, options.copies ?? 1);
  });
}

function assertContent(bytes: Uint8Array, copies: number): void {
  assert.equal(bytes.length, content.length * copies);
  for (let copy = 0; copy < copies; copy += 1) {
    assert.equal(Buffer.compare(bytes.subarray(copy * content.length, (copy + 1) * content.length), content), 0);
  }
}

for (const kind of ['cut', 'reset', 'stall'] as const) {
  test(`a connection that meets a ${kind} in the middle of writing is made again, and nothing acknowledged is sent twice`, async () => {
    const before = { connections: proxy.connections, sentBytes: proxy.sentBytes };
    proxy.plan({ atByte: 1_500_000, kind });
    const storage = openByProxy();
    await write(storage);
    await storage.close();
    assert.equal(proxy.connections - before.connections, 2);
    // What is under way at most, and two log-ins.
    assert.ok(proxy.sentBytes - before.sentBytes < content.length + 2.6 * mebibyte + 100_000);
    assert.deepEqual(readdirSync(folder), ['x']);
    assertContent(readFileSync(join(folder, 'x')), 1);
  });
}

test('a server that always breaks off ends the run after some tries, with the reason, and leaves the old object', async () => {
  const storage = openByProxy();
  await write(storage);
  await storage.close();
  proxy.plan({ atByte: 1_500_000, kind: 'cut' }, ...Array<ProxyFault>(40).fill({ atByte: 4_000, kind: 'cut' }));
  const before = proxy.connections;
  const broken = openByProxy();
  await assert.rejects(write(broken), {
    code: 'storage.unavailable',
    message: /connection was lost|could not be removed/,
  });
  await broken.close();
  assert.ok(proxy.connections - before < 25);
  assertContent(readFileSync(join(folder, 'x')), 1);
});

test('a server that is killed and comes back is written to from where it was', async () => {
  const storage = openSftp(server, folder, { retryDelayMs: 500 });
  await write(storage, {
    copies: 2,
    afterMebibyte: async () => {
      await server.kill();
      void server.restart();
    },
  });
  await storage.close();
  assertContent(readFileSync(join(folder, 'x')), 2);
  assert.deepEqual(readdirSync(folder), ['x']);
});

test('a server that stays away ends the run; what is left is removed by the next run of the same process', async () => {
  const storage = openSftp(server, folder);
  await assert.rejects(write(storage, { afterMebibyte: () => server.kill() }), (error) => {
    assert.ok(error instanceof HoldfastError);
    assert.equal(error.code, 'storage.unavailable');
    assert.match(error.message, /nothing listens on this port; the temporary file .* could not be removed/);
    return true;
  });
  await server.restart();
  assert.equal(readdirSync(folder).length, 1);
  await write(storage);
  assert.deepEqual(readdirSync(folder), ['x']);
  await storage.close();
});

test('what dead runs left is removed, never what a living one writes', async () => {
  mkdirSync(folder);
  const { uid, gid } = statSync(server.folder);
  chownSync(folder, uid, gid);
  const make = (change: (name: string) => string, days: number) => {
    const path = join(folder, change(partialPath('x')));
    writeFileSync(path, 'left');
    const then = new Date(Date.now() - days * 24 * 3_600_000);
    utimesSync(path, then, then);
    return path;
  };
  const dead = make((name) => name.replace(`-${process.pid}-`, '-4194303-'), 0);
  const elsewhere = (name: string) => name.replace(/-[0-9a-f]{8}([0-9a-f]{16}\.partial)$/, '-00000000$1');
  const foreign = make(elsewhere, 6);
  const foreignOld = make(elsewhere, 8);
  const readingBack = make((name) => name, 6);
  const reused = make((name) => name, 8);
  const other = join(folder, '.x.partial');
  writeFileSync(other, '');
  const storage = openSftp(server, folder);
  const living = await storage.writer('y', { copies: 1 });
  await living.write(content);
  await write(storage);
  assert.deepEqual([foreign, readingBack, other].map(existsSync), [true, true, true]);
  assert.deepEqual([dead, foreignOld, reused].map(existsSync), [false, false, false]);
  await living.commit();
  assert.deepEqual(
    readdirSync(folder).filter((name) => !name.startsWith('.')),
    ['x', 'y'],
  );
  await storage.close();
});

test('reading goes on after a cut, and refuses what was replaced meanwhile', async () => {
  const storage = openByProxy();
  await write(storage);
  await storage.close();
  const reader = openByProxy();
  proxy.plan({ atByte: 3_300, kind: 'reset' });
  const before = proxy.connections;
  const stored = await reader.open('x');
  const bytes = new Uint8Array(content.length);
  for (let offset = 0; offset < bytes.length; offset += 100_000) {
    await stored.read(offset, bytes.subarray(offset, offset + 100_000));
  }
  assertContent(bytes, 1);
  assert.equal(proxy.connections - before, 2);
  writeFileSync(join(folder, 'z'), 'another');
  renameSync(join(folder, 'z'), join(folder, 'x'));
  server.endSessions();
  // Not damage, which would be read as zeros.
  await assert.rejects(readTolerant(stored, 0, new Uint8Array(10)), (error) => {
    assert.ok(error instanceof HoldfastError);
    assert.equal(error.code, 'storage.unavailable');
    assert.match(error.message, /was replaced/);
    assert.equal(error.context['replaced'], true);
    return true;
  });
  await reader.close();
});

test('a temporary file that the server lost is noticed', async () => {
  const storage = openSftp(server, folder);
  const writer = await storage.writer('x', { copies: 1 });
  await writer.write(content);
  await writer.write(content);
  server.endSessions();
  const [name = ''] = readdirSync(folder);
  writeFileSync(join(folder, name), '');
  await assert.rejects(writer.commit(), { code: 'storage.failed', message: /the server has lost a part of it/ });
  assert.deepEqual(readdirSync(folder), []);
  await storage.close();
});

test('a run that is interrupted while the server is silent ends at once, not at its limit', async () => {
  const storage = openByProxy({ timeoutMs: 600_000 });
  proxy.plan({ atByte: 1_500_000, kind: 'stall' });
  const controller = new AbortController();
  const writer = await storage.writer('x', { copies: 1, signal: controller.signal });
  const writing = (async () => {
    for (;;) await writer.write(content);
  })();
  setTimeout(() => controller.abort(), 50);
  // The temporary file cannot be removed by a silent server, so that closing is what ends the wait.
  const ended = assert.rejects(writing, { code: 'operation.interrupted' });
  setTimeout(() => void storage.close(), 300);
  await ended;
});

/** One run through a proxy of its own; whether it committed. */
async function trial(seed: number): Promise<boolean> {
  const kinds = ['cut', 'reset', 'stall'] as const;
  const random = new SeededRandom(seed);
  const faults = Array.from({ length: 1 + random.integer(4) }, () => ({
    // Some in the log-in, most in the data.
    atByte: random.float() < 0.3 ? random.integer(6_000) : random.integer(4_000_000),
    kind: kinds[random.integer(random.float() < 0.8 ? 2 : 3)] ?? 'cut',
  }));
  const copies = 1 + random.integer(2);
  const root = join(folder, `${seed}`);
  const own = await startProxy(server.port);
  own.plan(...faults);
  const storage = openSftp(server, root, { port: own.port, timeoutMs: 1_000, connectTimeoutMs: 5_000 });
  try {
    await write(storage, { copies });
    assertContent(readFileSync(join(root, 'x')), copies);
    return true;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    assert.match(error.code, /^storage\.(unavailable|timeout)$/, `seed ${seed}: ${error.message}`);
    assert.ok(!existsSync(join(root, 'x')), `seed ${seed}`);
    return false;
  } finally {
    await storage.close();
    await own.close();
  }
}

test('40 seeded trials of faults: each commits what verifies, or fails with nothing visible', async () => {
  let seed = 0;
  let commits = 0;
  const lane = async () => {
    while (seed < 40) {
      seed += 1;
      if (await trial(seed)) commits += 1;
    }
  };
  await Promise.all([lane(), lane(), lane(), lane(), lane()]);
  assert.ok(commits >= 15, `only ${commits} committed`);
});
