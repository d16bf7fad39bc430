import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IndexEntry } from './entry/entry.ts';
import { sideBySide, splitBySize } from './side-by-side.ts';

function entriesOf(sizes: readonly number[]): IndexEntry[] {
  return sizes.map((sizeBytes, index) => {
    return { path: `files/${index}`, kind: 'file', sizeBytes, sha256: '', runs: [], metadata: {} };
  });
}

test('parts are all entries in their order, none empty, none larger than its share by more than an entry', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { maxLength: 40 }), fc.integer({ min: 1, max: 8 }), (sizes, count) => {
      const entries = entriesOf(sizes);
      const parts = splitBySize(entries, count);
      assert.deepEqual(parts.flat(), entries);
      assert.ok(parts.length <= count && parts.every((part) => part.length > 0));
      const sum = (part: readonly IndexEntry[]) => part.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
      const largest = Math.max(0, ...sizes);
      for (const part of parts) {
        if (part.length > 1) assert.ok(sum(part) <= sum(entries) / count + 2 * largest, JSON.stringify(sizes));
      }
    }),
  );
});

test('two entries of one size are two parts', () => {
  assert.deepEqual(
    splitBySize(entriesOf([5, 5]), 2).map((part) => part.length),
    [1, 1],
  );
});

test('the first failure stops the others, and is thrown when they have ended', async () => {
  const failure = new Error('the first');
  const ended: string[] = [];
  const running = sideBySide(['fails', 'waits'], undefined, async (part, signal) => {
    if (part === 'fails') throw failure;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    ended.push(part);
    throw new Error('a later one');
  });
  await assert.rejects(running, failure);
  assert.deepEqual(ended, ['waits']);
});

test('results come in the order of the parts; an abort from outside reaches all', async () => {
  const outside = new AbortController();
  const results = await sideBySide([1, 2, 3], outside.signal, async (part, signal) => {
    if (part === 1) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    if (part === 3) outside.abort();
    return part * 10;
  });
  assert.deepEqual(results, [10, 20, 30]);
});
