import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type FileHandle, mkdtemp, open, readdir, readFile, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { alignedMemory } from '../../archive/worker/aligned-memory.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import type { StorageWriter } from '../storage.ts';
import { FarCopy } from './far-copy.ts';
import { LocalStorage } from './local-storage.ts';

const block = 4096;
const mebibyte = 1024 * 1024;
const collapsingTypes = new Set([0xef53, 0x58465342]);

let folder: string;
let canCollapse: boolean;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-far-'));
  const hasProgram = spawnSync('fallocate', ['--version']).status === 0;
  canCollapse = hasProgram && collapsingTypes.has((await statfs(folder)).type);
});
after(() => rm(folder, { recursive: true, force: true }));

function fileOf(handle: FileHandle) {
  const write = async (bytes: Uint8Array, offset: number) => {
    await handle.write(bytes, 0, bytes.length, offset);
  };
  return { handle, write };
}

async function withFile(work: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await open(join(folder, 'file'), 'w+');
  try {
    await work(handle);
  } finally {
    await handle.close();
  }
}

test('what was written far away stands behind the run, whose own bytes stay', async () => {
  const random = new SeededRandom(1);
  for (const [runBlocks, startBlocks] of [
    [1, 0],
    [9, 0],
    [9, 4],
    [300, 1],
  ] as const) {
    await withFile(async (handle) => {
      const run = random.bytes(runBlocks * block);
      await handle.write(run.subarray(0, startBlocks * block), 0, startBlocks * block, 0);
      const copy = await FarCopy.begin(fileOf(handle));
      assert.equal(copy !== undefined, canCollapse);
      assert.equal((await handle.stat()).size, startBlocks * block);
      await handle.write(run, 0, run.length, 0);
      if (copy === undefined) return;
      for (let at = startBlocks * block; at < run.length; at += block)
        await copy.write(run.subarray(at, at + block), at);
      const made = await copy.join(run.length);
      assert.ok(copy.isKept);
      assert.deepEqual(
        [...made.gaps(0, run.length)],
        startBlocks === 0 ? [] : [{ start: 0, end: startBlocks * block }],
      );
      const whole = await readFile(join(folder, 'file'));
      assert.equal(whole.length, 2 * run.length);
      assert.ok(whole.subarray(0, run.length).equals(run));
      assert.ok(whole.subarray(run.length + startBlocks * block).equals(run.subarray(startBlocks * block)));
    });
  }
});

test('a copy that failed, or has no place, leaves a file that ends with the run', async () => {
  if (!canCollapse) return;
  for (const [fails, runBytes] of [
    [true, 4 * block],
    [false, 4 * block + 1],
    [false, block],
  ] as const) {
    await withFile(async (handle) => {
      const file = fileOf(handle);
      const copy = await FarCopy.begin({
        handle,
        write: fails ? () => Promise.reject(new Error('full')) : file.write,
      });
      const run = Buffer.alloc(runBytes, 7);
      await handle.write(run, 0, run.length, 0);
      await copy?.write(run.subarray(block), block);
      assert.equal(copy?.isKept, !fails);
      const made = await copy?.join(runBytes);
      assert.equal(copy?.isKept, false);
      assert.deepEqual([...(made?.gaps(0, runBytes) ?? [])], [{ start: 0, end: runBytes }]);
      assert.ok((await readFile(join(folder, 'file'))).equals(run));
    });
  }
});

test('a program that is not there gives no copy and changes nothing', async () => {
  await withFile(async (handle) => {
    await handle.write(Buffer.alloc(5000, 1));
    const path = process.env['PATH'];
    process.env['PATH'] = folder;
    try {
      assert.equal(await FarCopy.begin(fileOf(handle)), undefined);
    } finally {
      process.env['PATH'] = path;
    }
    assert.ok((await readFile(join(folder, 'file'))).equals(Buffer.alloc(5000, 1)));
  });
});

/** Reads a piece of what is written of each copy; gives how many further copies had it. */
async function readSomeBack(writer: StorageWriter, run: Buffer, random: SeededRandom): Promise<number> {
  const { readBack } = writer;
  if (readBack === undefined || readBack.writtenBytes < mebibyte) return 0;
  const into = alignedMemory(mebibyte);
  // Near the end, which the further copies have, or anywhere.
  const last = readBack.writtenBytes - mebibyte;
  const offset = random.integer(2) === 0 ? last : block * random.integer(last / block + 1);
  assert.equal(await readBack.read(0, offset, into), true);
  assert.ok(run.subarray(offset, offset + mebibyte).equals(into));
  into.fill(0);
  assert.equal(await readBack.read(2, offset, into), false);
  if (!(await readBack.read(1, offset, into))) return 0;
  assert.ok(run.subarray(offset, offset + mebibyte).equals(into));
  return 1;
}

test('two copies of large objects are alike, whatever way the second is made', async () => {
  const memory = alignedMemory(2 * mebibyte);
  for (const [sizeBytes, hasProgram] of [
    [16 * mebibyte, true],
    [16 * mebibyte + 5 * block, true],
    [22 * mebibyte, true],
    [22 * mebibyte + 17, true],
    [22 * mebibyte, false],
  ] as const) {
    const random = new SeededRandom(sizeBytes);
    const root = join(folder, 'objects');
    const writer = await new LocalStorage({ root }).writer('x', { copies: 2 });
    const path = process.env['PATH'];
    if (!hasProgram) process.env['PATH'] = folder;
    let copiesRead = 0;
    try {
      const run = Buffer.alloc(sizeBytes);
      for (let offset = 0; offset < sizeBytes; ) {
        // Mostly large aligned pieces, as blocks come; now and then a short one between them.
        const isShort = random.integer(4) === 0;
        const wanted = isShort ? block * (1 + random.integer(3)) : memory.length;
        const piece = memory.subarray(0, Math.min(wanted, sizeBytes - offset));
        Buffer.from(piece.buffer, 0, piece.length).fill(random.bytes(64));
        run.set(piece, offset);
        await writer.write(piece);
        offset += piece.length;
        copiesRead += await readSomeBack(writer, run, random);
      }
      if (canCollapse && hasProgram && sizeBytes > 20 * mebibyte) assert.ok(copiesRead > 0);
      let checked = false;
      await writer.commit(async (stored) => {
        const into = alignedMemory(mebibyte);
        for (let offset = 0; offset < stored.sizeBytes; offset += into.length) {
          const count = await stored.read(offset, into);
          for (let at = 0; at < count; at += 997) assert.equal(into[at], run[(offset + at) % sizeBytes]);
        }
        checked = true;
      });
      assert.ok(checked);
      const whole = await readFile(join(root, 'x'));
      assert.equal(whole.length, 2 * sizeBytes);
      assert.ok(whole.subarray(0, sizeBytes).equals(run) && whole.subarray(sizeBytes).equals(run));
      assert.deepEqual(await readdir(root), ['x']);
    } finally {
      process.env['PATH'] = path;
    }
  }
});
