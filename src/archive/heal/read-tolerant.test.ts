import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import type { RandomAccess } from '../random-access.ts';
import { blockSizeBytes } from './geometry.ts';
import { readTolerant } from './read-tolerant.ts';

const bytes = new SeededRandom(1).bytes(5 * blockSizeBytes + 100);

/** What was asked for: offset and length. */
type Reads = (readonly [number, number])[];

/** A source that fails where a range meets what `isBad` names, and gives at most `most` bytes at a time. */
function sourceOf(
  reads: Reads,
  options: { readonly bad?: readonly [number, number]; readonly most?: number; readonly error?: unknown } = {},
): RandomAccess {
  const { bad, most = Number.POSITIVE_INFINITY, error = new HoldfastError('storage.failed') } = options;
  return {
    sizeBytes: bytes.length,
    read: async (offset, into) => {
      reads.push([offset, into.length]);
      if (bad !== undefined && offset < bad[1] && offset + into.length > bad[0]) throw error;
      const given = bytes.subarray(offset, offset + Math.min(most, into.length));
      into.set(given);
      return given.length;
    },
    close: async () => undefined,
  };
}

/** Memory that is full of something else. */
function memory(sizeBytes: number): Uint8Array {
  return new Uint8Array(sizeBytes).fill(0xee);
}

function expected(offset: number, sizeBytes: number, bad: readonly [number, number] = [0, 0]): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, at) =>
    offset + at >= bad[0] && offset + at < bad[1] ? 0 : (bytes[offset + at] ?? 0),
  );
}

test('a range is read at once, and once', async () => {
  const reads: Reads = [];
  const into = memory(3 * blockSizeBytes);
  await readTolerant(sourceOf(reads), 1000, into);
  assert.deepEqual(into, expected(1000, into.length));
  assert.deepEqual(reads, [[1000, into.length]]);
});

test('what a source gives in pieces is asked for until all is there', async () => {
  const reads: Reads = [];
  const into = memory(2500);
  await readTolerant(sourceOf(reads, { most: 1000 }), 7, into);
  assert.deepEqual(into, expected(7, 2500));
  assert.deepEqual(reads, [
    [7, 2500],
    [1007, 1500],
    [2007, 500],
  ]);
});

test('behind the end there are zeros, and nothing is read', async () => {
  const reads: Reads = [];
  const source = sourceOf(reads);
  const across = memory(200);
  await readTolerant(source, bytes.length - 50, across);
  assert.deepEqual(across, expected(bytes.length - 50, 200));
  assert.deepEqual(reads, [
    [bytes.length - 50, 200],
    [bytes.length, 150],
  ]);
  reads.length = 0;
  for (const offset of [bytes.length, bytes.length + 1]) {
    const behind = memory(200);
    await readTolerant(source, offset, behind);
    assert.deepEqual(behind, new Uint8Array(200));
  }
  assert.deepEqual(reads, []);
  const last = memory(1);
  await readTolerant(source, bytes.length - 1, last);
  assert.deepEqual(last, bytes.slice(-1));
});

test('a bad sector costs the blocks that it meets', async () => {
  const reads: Reads = [];
  const bad = [2 * blockSizeBytes + 10, 2 * blockSizeBytes + 11] as const;
  const into = memory(4 * blockSizeBytes + 30);
  await readTolerant(sourceOf(reads, { bad }), blockSizeBytes, into);
  assert.deepEqual(into, expected(blockSizeBytes, into.length, [2 * blockSizeBytes, 3 * blockSizeBytes]));
  assert.deepEqual(reads.slice(1), [
    [blockSizeBytes, blockSizeBytes],
    [2 * blockSizeBytes, blockSizeBytes],
    [3 * blockSizeBytes, blockSizeBytes],
    [4 * blockSizeBytes, blockSizeBytes],
    [5 * blockSizeBytes, 30],
  ]);
});

test('a bad sector near the end leaves what lies before and behind it', async () => {
  const bad = [4 * blockSizeBytes, 4 * blockSizeBytes + 1] as const;
  const into = memory(3 * blockSizeBytes);
  await readTolerant(sourceOf([], { bad }), 3 * blockSizeBytes, into);
  assert.deepEqual(into, expected(3 * blockSizeBytes, into.length, [4 * blockSizeBytes, 5 * blockSizeBytes]));
});

test('errors of the system are damage; a storage that may answer later is not', async () => {
  const bad = [0, bytes.length] as const;
  const into = memory(blockSizeBytes);
  await readTolerant(sourceOf([], { bad, error: new Error('EIO') }), 0, into);
  assert.deepEqual(into, new Uint8Array(blockSizeBytes));
  for (const code of ['storage.unavailable', 'operation.interrupted'] as const) {
    const source = sourceOf([], { bad, error: new HoldfastError(code) });
    await assert.rejects(readTolerant(source, 0, memory(blockSizeBytes)), { code });
  }
});
