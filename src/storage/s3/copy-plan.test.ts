import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CopiedRun,
  type CopySource,
  type PlannedPart,
  planEqualParts,
  planUnequalParts,
  totalOf,
} from './copy-plan.ts';
import { equalPartBytes, leastPartBytes, mostObjectBytes, mostParts } from './part-sizes.ts';

const gibibyte = 2 ** 30;
const mebibyte = 2 ** 20;

function sources(...sizes: number[]): CopySource[] {
  return sizes.map((sizeBytes, index) => ({ key: `k${index}`, etag: 't', sizeBytes }));
}

/** The ranges of all parts, joined, are the run as often as it is repeated. */
function assertWhole(run: CopiedRun, parts: readonly PlannedPart[]): void {
  const expected = Array.from({ length: run.repeats }, () => run.sources).flat();
  let [at, offset] = [0, 0];
  for (const [index, part] of parts.entries()) {
    assert.equal(part.number, index + 1);
    assert.equal(part.sizeBytes, totalOf(part.ranges.map((range) => ({ ...range, key: '', etag: '' }))));
    for (const range of part.ranges) {
      assert.equal(range.source, expected[at]);
      assert.equal(range.offset, offset);
      assert.ok(range.sizeBytes > 0);
      offset += range.sizeBytes;
      if (offset === range.source.sizeBytes) [at, offset] = [at + 1, 0];
    }
  }
  assert.deepEqual([at, offset], [expected.length, 0]);
}

const runs: CopiedRun[] = [
  { sources: sources(leastPartBytes), repeats: 1 },
  { sources: sources(leastPartBytes, leastPartBytes + 1), repeats: 2 },
  { sources: sources(80 * gibibyte, 80 * gibibyte, leastPartBytes + 3), repeats: 2 },
  { sources: sources(257 * mebibyte, 256 * mebibyte + 1), repeats: 8 },
  {
    sources: sources(...Array.from({ length: 31 }, () => 80 * gibibyte), 2.5 * 1024 * gibibyte - 31 * 80 * gibibyte),
    repeats: 2,
  },
];

test('parts that may differ are of one range each, never short, and few enough', () => {
  for (const run of runs) {
    const parts = planUnequalParts(run);
    assertWhole(run, parts);
    for (const { ranges, sizeBytes } of parts) {
      assert.equal(ranges.length, 1);
      assert.ok(sizeBytes >= leastPartBytes && sizeBytes <= 5 * gibibyte);
    }
    assert.ok(parts.length <= mostParts);
  }
});

test('parts that have to be alike are, but for the last; seams lie within some', () => {
  for (const run of [
    ...runs,
    { sources: sources(equalPartBytes * 2, 1), repeats: 2 },
    { sources: sources(1, 2, 3), repeats: 3 },
  ]) {
    for (const partsAtMost of [3, mostParts]) {
      const parts = planEqualParts(run, partsAtMost);
      assertWhole(run, parts);
      const [first] = parts;
      for (const { sizeBytes } of parts.slice(0, -1)) assert.equal(sizeBytes, first?.sizeBytes);
      assert.ok((parts.at(-1)?.sizeBytes ?? 0) <= (first?.sizeBytes ?? 0));
      assert.ok(parts.length <= partsAtMost);
    }
  }
  assert.ok(runs.some((run) => totalOf(run.sources) * run.repeats >= 0.99 * mostObjectBytes));
});
