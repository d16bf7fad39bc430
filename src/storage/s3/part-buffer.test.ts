import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { PartBuffer } from './part-buffer.ts';
import { growingPartBytes, leastPartBytes } from './part-sizes.ts';

/** Cuts so many bytes, and gives the sizes of the parts; the bytes must come back as they were. */
function cut(sizeBytes: number, options: { lanes: number; equalParts: boolean }): number[] {
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

const first = growingPartBytes(0, 2);

test('where a lane follows, no part but the only one is shorter than 5 MiB', () => {
  for (const sizeBytes of [0, 1, leastPartBytes - 1, leastPartBytes]) {
    assert.deepEqual(cut(sizeBytes, { lanes: 2, equalParts: false }), sizeBytes === 0 ? [] : [sizeBytes]);
  }
  for (const extra of [-1, 0, 1, leastPartBytes - 1, leastPartBytes, leastPartBytes + 1, 3 * leastPartBytes + 7]) {
    const sizes = cut(first + leastPartBytes + extra, { lanes: 2, equalParts: false });
    assert.equal(sizes.length > 1, extra >= 0, `${extra}`);
    if (extra >= 0)
      assert.ok(
        sizes.every((size) => size >= leastPartBytes),
        sizes.join(' '),
      );
  }
});

test('a single lane may end short; parts that have to be alike are', () => {
  const grown = cut(2 * first + 1_000_000, { lanes: 1, equalParts: false });
  assert.equal(grown[0], growingPartBytes(0, 1));
  assert.ok((grown.at(-1) ?? 0) < leastPartBytes);
  assert.deepEqual(cut(40_000_000, { lanes: 1, equalParts: true }), [2 ** 24, 2 ** 24, 40_000_000 - 2 ** 25]);
});
