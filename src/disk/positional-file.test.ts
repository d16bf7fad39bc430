import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { alignedMemory } from '../archive/worker/aligned-memory.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { PositionalFile } from './positional-file.ts';

const mebibyte = 1024 * 1024;
const pageBytes = 4096;

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-positional-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function openBoth(t: TestContext, name: string, setting = '1'): Promise<PositionalFile> {
  process.env['HOLDFAST_DIRECT_IO'] = setting;
  t.after(() => delete process.env['HOLDFAST_DIRECT_IO']);
  const file = new PositionalFile(await open(join(folder, name), constants.O_RDWR | constants.O_CREAT));
  t.after(() => file.close());
  await file.openDirect(constants.O_RDWR);
  if (setting === '0') assert.ok(!file.isOpenDirect);
  return file;
}

/** A system call of the second handle that is answered with an error; counts how often it is made. */
function refuse(t: TestContext, file: PositionalFile, call: 'read' | 'write', code: string): () => number {
  let count = 0;
  const prototype: FileHandle = Object.getPrototypeOf(file.handle);
  const original = prototype[call] as (...given: unknown[]) => Promise<unknown>;
  t.mock.method(prototype, call, function answer(this: FileHandle, ...given: unknown[]) {
    if (this.fd === file.handle.fd) return original.apply(this, given);
    count += 1;
    return Promise.reject(Object.assign(new Error(`${code}: no, ${call}`), { code, syscall: call }));
  });
  return () => count;
}

for (const setting of ['1', '0']) {
  test(`what is written anywhere is read anywhere, HOLDFAST_DIRECT_IO=${setting}`, async (t) => {
    const file = await openBoth(t, `round-trip-${setting}`, setting);
    const expected = Buffer.alloc(3 * mebibyte);
    await file.write(expected, 0);
    const memory = alignedMemory(2 * mebibyte);
    const page = (most: number) => fc.integer({ min: 0, max: most }).map((count) => count * pageBytes);
    const place = fc.record({
      memoryOffset: fc.oneof(page(256), fc.nat(mebibyte)),
      offset: fc.oneof(page(512), fc.nat(2 * mebibyte)),
      length: fc.oneof(page(256), fc.integer({ min: 1, max: mebibyte })),
    });
    const step = async (written: { memoryOffset: number; offset: number; length: number }, seed: number) => {
      const bytes = memory.subarray(written.memoryOffset, written.memoryOffset + written.length);
      bytes.set(new SeededRandom(seed).bytes(Math.min(64, bytes.length)));
      expected.set(bytes, written.offset);
      await file.write(bytes, written.offset);
    };
    const check = async (read: { memoryOffset: number; offset: number; length: number }) => {
      const into = memory.subarray(read.memoryOffset, read.memoryOffset + read.length);
      const wanted = Math.min(into.length, expected.length - read.offset);
      let done = 0;
      while (done < wanted) done += await file.read(into.subarray(done, wanted), read.offset + done);
      assert.equal(expected.compare(into.subarray(0, wanted), 0, wanted, read.offset, read.offset + wanted), 0);
    };
    const property = fc.asyncProperty(place, place, fc.nat(), async (written, read, seed) => {
      await step(written, seed);
      await check(read);
      await check({ ...written, memoryOffset: 0 });
    });
    await fc.assert(property, { seed: 20, numRuns: 100 });
    assert.equal(expected.compare(await readFile(join(folder, `round-trip-${setting}`))), 0);
  });
}

test('the first refusal of a read is the last, and the cache serves', async (t) => {
  const bytes = Buffer.from(new SeededRandom(1).bytes(mebibyte));
  await writeFile(join(folder, 'refused'), bytes);
  const file = await openBoth(t, 'refused');
  const refusals = refuse(t, file, 'read', 'EINVAL');
  for (const _ of [1, 2]) {
    const into = alignedMemory(mebibyte);
    assert.equal(await file.read(into, 0), mebibyte);
    assert.equal(bytes.compare(into), 0);
  }
  assert.equal(refusals(), file.isOpenDirect ? 1 : 0);
});

test('the first refusal of a write is the last, and the cache serves', async (t) => {
  const file = await openBoth(t, 'refused-write');
  const refusals = refuse(t, file, 'write', 'EINVAL');
  const bytes = alignedMemory(mebibyte);
  new SeededRandom(2).fill(bytes.subarray(0, 1000));
  for (const offset of [0, mebibyte]) await file.write(bytes, offset);
  assert.equal(refusals(), file.isOpenDirect ? 1 : 0);
  assert.equal(Buffer.concat([bytes, bytes]).compare(await readFile(join(folder, 'refused-write'))), 0);
});

test('other errors are thrown', async (t) => {
  const file = await openBoth(t, 'failing');
  await file.write(new Uint8Array(mebibyte), 0);
  refuse(t, file, 'read', 'EIO');
  const into = alignedMemory(mebibyte);
  if (file.isOpenDirect) await assert.rejects(file.read(into, 0), { code: 'EIO' });
  assert.equal(await file.readThroughCache(into, 0), mebibyte);
});

test('a file ends with 0 bytes, and closing it closes both handles and may be repeated', async (t) => {
  const file = await openBoth(t, 'closed');
  await file.write(new Uint8Array(pageBytes), 0);
  assert.equal(await file.read(alignedMemory(mebibyte), pageBytes), 0);
  assert.equal(await file.read(alignedMemory(mebibyte), 0), pageBytes);
  await file.closeDirect();
  await file.close();
  await file.close();
  assert.equal(file.handle.fd, -1);
  if (process.platform === 'linux') {
    const links = await Promise.all((await readdir('/proc/self/fd')).map((fd) => linkOf(fd)));
    assert.ok(!links.some((link) => link.endsWith('/closed')));
  }
});

async function linkOf(fd: string): Promise<string> {
  // The number of the folder that was listed is free again.
  return readlink(`/proc/self/fd/${fd}`).catch(() => '');
}
