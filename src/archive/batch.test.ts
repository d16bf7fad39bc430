import assert from 'node:assert/strict';
import { test } from 'node:test';
import { segmentsInBatch, unknownDataBlocks } from './batch.ts';
import { Layout } from './heal/geometry.ts';

test('a batch has as many segments as make 2 MiB, one at least and 64 at most', () => {
  const counts = [1, 2 ** 15, 2 ** 15 + 1, 2 ** 20, 2 ** 20 + 1, 2 ** 21, 2 ** 24].map((segmentSizeBytes) => {
    return segmentsInBatch({ segmentSizeBytes });
  });
  assert.deepEqual(counts, [64, 64, 63, 2, 1, 1, 1]);
});

test('an archive whose end is not known has more bands than any, at positions that are exact numbers', () => {
  const layout = new Layout(unknownDataBlocks, { dataBlocks: 239, parityBlocks: 16 });
  assert.ok(layout.bands > 2 ** 32);
  assert.equal(layout.bandDataBlocks(2 ** 32), 64 * 239);
  assert.ok(Number.isSafeInteger(layout.totalBlocks));
});
