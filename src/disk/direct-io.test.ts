/** Direct I/O against the page cache: the same bytes, whatever the sizes, and wherever it is refused. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { alignedMemory } from '../archive/worker/aligned-memory.ts';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { fileRandomAccess } from '../storage/local/file-random-access.ts';
import { LocalStorage } from '../storage/local/local-storage.ts';
import type { RandomAccess } from '../storage/storage.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { storageCases } from '../testing/storage-cases.ts';
import { openDirect } from './direct-io.ts';

const mebibyte = 1024 * 1024;

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-direct-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Whether the tests' folder has direct I/O; without it they still compare, but one way with itself. */
async function hasDirectIo(): Promise<boolean> {
  const handle = await open(join(folder, 'probe'), 'w+');
  const direct = await openDirect(handle, constants.O_RDWR);
  await Promise.all([handle.close(), direct?.close()]);
  return direct !== undefined;
}

/** Leaves a test out for what the machine lacks. Linux in CI has to have it all: there a test that is left out is a failure. */
function skip(t: TestContext, reason: string): void {
  assert.ok(!process.env['CI'] || process.platform !== 'linux', `this test has to run in CI: ${reason}`);
  t.skip(reason);
}

/** Writes in odd chunks, checks what the check sees, and what stands there afterwards. */
async function roundTrip(root: string, sizeBytes: number, copies: number): Promise<void> {
  const random = new SeededRandom(sizeBytes);
  const run = random.bytes(sizeBytes);
  const storage = new LocalStorage({ root });
  const writer = await storage.writer('x', { copies });
  for (let offset = 0; offset < sizeBytes; ) {
    const length = Math.min(sizeBytes - offset, 1 + random.integer(700_000));
    await writer.write(run.subarray(offset, offset + length));
    offset += length;
  }
  const expected = Buffer.concat(new Array(copies).fill(run));
  const compare = async (stored: RandomAccess) => {
    assert.equal(stored.sizeBytes, expected.length);
    const into = alignedMemory(Math.max(1, expected.length + 5000));
    assert.equal(await stored.read(0, into), expected.length);
    assert.equal(expected.compare(into, 0, expected.length), 0);
  };
  await writer.commit(compare);
  assert.equal(expected.compare(await readFile(join(root, 'x'))), 0);
  const again = await fileRandomAccess(join(root, 'x'));
  await compare(again);
  await again.close();
  assert.deepEqual(await readdir(root), ['x']);
  await storage.delete('x');
}

const sizes = [0, 1, 4095, 4096, 4097, 2 * mebibyte - 1, 2 * mebibyte, 2 * mebibyte + 1];
const roots: Readonly<Record<string, string>> = { 'the disk': tmpdir(), 'memory (tmpfs)': '/dev/shm' };

for (const [place, parent] of Object.entries(roots)) {
  for (const setting of ['1', '0']) {
    test(`sizes on both sides of a buffer come back from ${place}, HOLDFAST_DIRECT_IO=${setting}`, async (t) => {
      if (!(await isThere(parent))) return skip(t, `there is no ${parent}`);
      process.env['HOLDFAST_DIRECT_IO'] = setting;
      t.after(() => delete process.env['HOLDFAST_DIRECT_IO']);
      const root = await mkdtemp(join(parent, 'holdfast-direct-'));
      t.after(() => rm(root, { recursive: true, force: true }));
      for (const sizeBytes of sizes) for (const copies of [1, 2]) await roundTrip(root, sizeBytes, copies);
      await roundTrip(root, 9 * mebibyte + 4096, 3);
      await roundTrip(root, 9 * mebibyte + 123, 3);
    });
  }
}

test('a file system without direct I/O is written through the page cache', (t) => {
  const program = fileURLToPath(new URL('../../test/contract/local-storage-child.ts', import.meta.url));
  const root = join(folder, 'ramfs');
  const order = { root, name: 'x', steps: ['put', 'open', 'files'], sizeBytes: 5_000_000, copies: 2 };
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  // ramfs answers EINVAL to O_DIRECT.
  const script =
    'mkdir "$0" && mount -t ramfs none "$0" || exit 99; dd if=/dev/zero of="$0/y" bs=4096 count=1 oflag=direct && exit 98; rm "$0/y"; exec "$@"';
  const child = ['bash', '-c', script, root, process.execPath, program, JSON.stringify(order)];
  const { status, stdout, stderr } = spawnSync('unshare', [...user, '--mount', ...child], { encoding: 'utf8' });
  if (status === 99 || status === null || /unshare/u.test(stderr)) return skip(t, 'mounting is not permitted here');
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), ['put', 'open', ['x']]);
});

test('aligned reads are direct, others are not, and the first refusal is the last', async (t) => {
  if (!(await hasDirectIo())) return skip(t, 'this file system has no direct I/O');
  const path = join(folder, 'read');
  const bytes = Buffer.from(new SeededRandom(1).bytes(3 * mebibyte + 100));
  const handle = await open(path, 'w');
  await handle.write(bytes);
  await handle.close();
  const file = await fileRandomAccess(path);
  t.after(() => file.close());
  const prototype: { read: (...given: unknown[]) => unknown } = Object.getPrototypeOf(handle);
  const { mock } = t.mock.method(prototype, 'read');
  const memory = alignedMemory(2 * mebibyte);
  const descriptorsOf = async (offset: number, into: Uint8Array) => {
    mock.resetCalls();
    const count = await file.read(offset, into);
    assert.equal(Buffer.from(into.subarray(0, count)).compare(bytes, offset, offset + count), 0);
    return mock.calls.map((call) => (call.this as { fd: number }).fd);
  };
  const [direct] = await descriptorsOf(0, memory);
  const [buffered] = await descriptorsOf(0, memory.subarray(0, 256 * 1024 - 4096));
  assert.notEqual(direct, buffered);
  assert.deepEqual(await descriptorsOf(4096, memory.subarray(8192, 8192 + 256 * 1024)), [direct]);
  assert.deepEqual(await descriptorsOf(4097, memory), [buffered]);
  assert.deepEqual(await descriptorsOf(0, memory.subarray(1)), [buffered]);
  assert.deepEqual(await descriptorsOf(0, new Uint8Array(mebibyte)), [buffered]);
  assert.deepEqual(await descriptorsOf(2 * mebibyte, memory), [direct, buffered]);
  // Where memory lies is chance, and one that is not asked to may be aligned: those before are kept, so that the next lies elsewhere.
  const plain: Uint8Array[] = [];
  let last: number[] = [];
  while (last.length < 2 && plain.length < 20) {
    plain.push(new Uint8Array(new SharedArrayBuffer(2 * mebibyte + plain.length * 5000)));
    last = await descriptorsOf(0, plain.at(-1)?.subarray(0, 2 * mebibyte) ?? memory);
  }
  assert.deepEqual(last, [direct, buffered]);
  assert.deepEqual(await descriptorsOf(0, memory), [buffered]);
});

test('without it a file is read through the page cache alone', async (t) => {
  const path = join(folder, 'read-buffered');
  const handle = await open(path, 'w');
  await handle.truncate(mebibyte);
  await handle.close();
  const file = await fileRandomAccess(path, { direct: 'never' });
  t.after(() => file.close());
  const prototype: { read: (...given: unknown[]) => unknown } = Object.getPrototypeOf(handle);
  const { mock } = t.mock.method(prototype, 'read');
  const memory = alignedMemory(mebibyte);
  for (const into of [memory, memory.subarray(1)]) await file.read(0, into);
  assert.equal(new Set(mock.calls.map((call) => (call.this as { fd: number }).fd)).size, 1);
  assert.equal(mock.callCount(), 2);
});

for (const isCached of [true, false]) {
  test(`who wants bytes reads a file ${isCached ? 'that is cached from there' : 'that is not cached directly'}`, async (t) => {
    if (!(await hasDirectIo())) return skip(t, 'this file system has no direct I/O');
    const path = join(folder, 'asked');
    const bytes = Buffer.from(new SeededRandom(2).bytes(12 * mebibyte));
    const handle = await open(path, 'w');
    await handle.write(bytes);
    await handle.close();
    // Every reading of the clock: start and end of a first read, start and end of the same read again.
    const steps = isCached ? [0, 9, 0, 5] : [0, 11, 0, 5];
    let timeMs = 0;
    let calls = 0;
    const monotonicMs = () => {
      timeMs += steps[calls++ % steps.length] ?? 0;
      return timeMs;
    };
    const file = await fileRandomAccess(path, { direct: 'unless-cached', clock: { ...systemClock, monotonicMs } });
    t.after(() => file.close());
    const prototype: { read: (...given: unknown[]) => unknown } = Object.getPrototypeOf(handle);
    const { mock } = t.mock.method(prototype, 'read');
    const memory = alignedMemory(mebibyte);
    const lastDescriptor = async (offset: number) => {
      assert.equal(await file.read(offset, memory), mebibyte);
      assert.equal(Buffer.from(memory).compare(bytes, offset, offset + mebibyte), 0);
      return (mock.calls.at(-1)?.this as { fd: number } | undefined)?.fd;
    };
    const direct = await lastDescriptor(0);
    for (let offset = mebibyte; offset < 8 * mebibyte; offset += mebibyte) {
      assert.equal(await lastDescriptor(offset), direct);
    }
    assert.equal(calls, 0, 'a few pieces are read without asking');
    assert.equal((await lastDescriptor(8 * mebibyte)) !== direct, isCached);
    const asked = calls;
    assert.equal((await lastDescriptor(9 * mebibyte)) !== direct, isCached);
    assert.equal(calls, asked, 'it is asked once');
  });
}

test('a file that is replaced while it is open is read to its end', async (t) => {
  const storage = new LocalStorage({ root: join(folder, 'replaced') });
  const put = async (fill: number) => {
    const writer = await storage.writer('x', { copies: 1 });
    await writer.write(new Uint8Array(mebibyte).fill(fill));
    await writer.commit();
  };
  await put(1);
  const file = await storage.open('x');
  t.after(() => file.close());
  await put(2);
  const into = alignedMemory(mebibyte);
  assert.equal(await file.read(0, into), mebibyte);
  assert.ok(into.every((byte) => byte === 1));
});

test('a check begins while copies are made, and its failure leaves nothing', async () => {
  const root = join(folder, 'failing');
  const storage = new LocalStorage({ root });
  const doneBytes: number[] = [];
  const writer = await storage.writer('x', { copies: 8, onReplicate: (done) => doneBytes.push(done) });
  const chunk = alignedMemory(8 * mebibyte).fill(7);
  await writer.write(chunk);
  const failure = new HoldfastError('archive.verify_failed');
  const commit = writer.commit(async (stored) => {
    assert.equal(stored.sizeBytes, 64 * mebibyte);
    const last = new Uint8Array(1);
    await stored.read(64 * mebibyte - 1, last);
    assert.equal(last[0], 7);
    throw failure;
  });
  await assert.rejects(commit, (error) => error === failure);
  assert.ok(doneBytes.length > 0);
  assert.deepEqual(await readdir(root), []);
});

describe('the contract without direct I/O', () => {
  let count = 0;
  beforeEach(() => {
    process.env['HOLDFAST_DIRECT_IO'] = '0';
  });
  afterEach(() => {
    delete process.env['HOLDFAST_DIRECT_IO'];
  });
  for (const each of storageCases) {
    const skip = each.needs?.includes('many objects') ? 'no object of it has bytes' : false;
    test(each.name, { skip }, () =>
      each.run(async () => {
        count += 1;
        return new LocalStorage({ root: join(folder, 'contract', `${count}`) });
      }),
    );
  }
});
