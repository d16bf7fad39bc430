import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { PartBuffer, type PartBufferOptions } from './part-buffer.ts';
import { leastPartBytes } from './part-sizes.ts';

/** Cuts so many bytes, and gives the sizes of the parts; the bytes must come back as they were. */
function cut(sizeBytes: number, options: PartBufferOptions): number[] {
  const buffer = new PartBuffer(options);
  const random = new SeededRandom(sizeBytes);
  const bytes = new Uint8Array(Uint32Array.from({ length: Math.ceil(sizeBytes / 4) }, (_, index) => index).buffer);
  const sizes: number[] = [];
  let checkedBytes = 0;
  const take = (): void => {
    const part = buffer.part();
    assert.equal(Buffer.compare(part.bytes, bytes.subarray(checkedBytes, checkedBytes + part.bytes.length)), 0);
    checkedBytes += part.bytes.length;
    sizes.push(part.bytes.length);
    part.release();
  };
  for (let done = 0; done < sizeBytes; ) {
    done += buffer.take(bytes.subarray(done, Math.min(sizeBytes, done + 1 + random.integer(2_000_000))));
    if (buffer.isFull) take();
  }
  if (buffer.rest().length > 0) take();
  assert.equal(checkedBytes, sizeBytes);
  assert.equal(buffer.takenBytes, sizeBytes);
  return sizes;
}

const partBytes = () => leastPartBytes;

test('where something follows, no part but the only one is shorter than 5 MiB', () => {
  for (const sizeBytes of [0, 1, leastPartBytes - 1, leastPartBytes]) {
    assert.deepEqual(cut(sizeBytes, { partBytes, holdsBack: true }), sizeBytes === 0 ? [] : [sizeBytes]);
  }
  for (const large of [leastPartBytes, 8 * 2 ** 20]) {
    for (const extra of [-1, 0, 1, leastPartBytes - 1, leastPartBytes, leastPartBytes + 1, 3 * leastPartBytes + 7]) {
      const sizes = cut(large + leastPartBytes + extra, { partBytes: () => large, holdsBack: true });
      assert.equal(sizes.length > 1, extra >= 0, `${extra}`);
      if (extra >= 0) assert.ok(Math.min(...sizes) >= leastPartBytes, sizes.join(' '));
    }
  }
});

test('where nothing follows the last part may be short; parts may grow', () => {
  const growing = (index: number) => leastPartBytes + index * 100_000;
  const grown = cut(2 * leastPartBytes + 1_000_000, { partBytes: growing, holdsBack: false });
  assert.deepEqual(grown, [leastPartBytes, leastPartBytes + 100_000, 900_000]);
  const alike = cut(40_000_000, { partBytes: () => 2 ** 24, holdsBack: false });
  assert.deepEqual(alike, [2 ** 24, 2 ** 24, 40_000_000 - 2 ** 25]);
});

test('parts that are released lend their memory to the next ones', () => {
  const buffer = new PartBuffer({ partBytes, holdsBack: true });
  const memories = new Set<ArrayBufferLike>();
  for (let count = 0; count < 60; count += 1) {
    buffer.take(new Uint8Array(2 ** 20));
    if (!buffer.isFull) continue;
    const part = buffer.part();
    memories.add(part.bytes.buffer);
    part.release();
  }
  assert.equal(memories.size, 2);
});

test('memory that is given back is empty, whatever it was used for', () => {
  const buffer = new PartBuffer({ partBytes, holdsBack: true });
  for (let count = 0; count < 12; count += 1) buffer.take(new Uint8Array(2 ** 20));
  const part = buffer.part();
  part.release();
  buffer.free();
  assert.equal(part.bytes.length, 0);
  assert.equal(buffer.rest().length, 0);
});
