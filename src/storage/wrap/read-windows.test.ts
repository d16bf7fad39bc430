import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { memoryRandomAccess } from '../memory/memory-storage.ts';
import type { RandomAccess } from '../storage.ts';
import { withReadWindows } from './read-windows.ts';

const bytes = new SeededRandom(2).bytes(3 * 256 * 1024 + 1000);

function counting(): RandomAccess & { reads: number; failures: number } {
  const inner = memoryRandomAccess(bytes);
  return {
    reads: 0,
    failures: 0,
    sizeBytes: inner.sizeBytes,
    async read(offset, into) {
      this.reads += 1;
      if (this.failures > 0) {
        this.failures -= 1;
        throw new Error('cut');
      }
      return await inner.read(offset, into);
    },
    close: () => inner.close(),
  };
}

test('reads of any size at any place give what is there', async () => {
  const place = fc.nat(bytes.length + 10);
  const reads = fc.array(fc.tuple(place, fc.oneof(fc.nat(5000), fc.nat(90_000))), { minLength: 1, maxLength: 12 });
  const property = fc.asyncProperty(reads, async (ranges) => {
    const access = withReadWindows(memoryRandomAccess(bytes));
    await Promise.all(
      ranges.map(async ([offset, length]) => {
        const into = new Uint8Array(length);
        const count = await access.read(offset, into);
        const expected = bytes.subarray(offset, offset + length);
        assert.equal(count, expected.length);
        assert.ok(Buffer.from(expected).equals(into.subarray(0, count)));
        assert.ok(into.subarray(count).every((byte) => byte === 0));
      }),
    );
  });
  await fc.assert(property, { seed: 1, numRuns: 100 });
});

test('small reads that lie near one another are one, and one that failed is made again', async () => {
  const inner = counting();
  inner.failures = 1;
  const access = withReadWindows(inner);
  const into = new Uint8Array(4096);
  await assert.rejects(access.read(8192, into), /cut/);
  await Promise.all([8192, 4096, 0, 100_000].map((offset) => access.read(offset, new Uint8Array(4096))));
  assert.equal(inner.reads, 2);
  await access.read(0, new Uint8Array(64 * 1024 + 1));
  assert.equal(inner.reads, 3);
  await access.close();
  await assert.rejects(access.read(0, into), { code: 'storage.failed' });
});
