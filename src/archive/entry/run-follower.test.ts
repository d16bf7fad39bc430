import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Run } from './entry.ts';
import { EntryRuns, RunFollower } from './run-follower.ts';

interface Span {
  readonly entry: number;
  readonly offset: number;
  readonly length: number;
}

/** Several batches of data segments, one after the other, with the pieces of entries that fill them. */
const batches = fc.array(
  fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
    pieces: fc.array(fc.record({ entry: fc.nat(2), length: fc.nat(7) }), { maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 4 },
);

/** Byte by byte: what lies behind the last byte of the same entry makes its run longer. */
function runsByBytes(bytes: readonly { readonly entry: number; readonly segment: number; readonly offset: number }[]) {
  const runs = new Map<number, { segment: number; offset: number; length: number }[]>();
  const ends = new Map<number, number>();
  for (const [at, { entry, segment, offset }] of bytes.entries()) {
    const own = runs.get(entry) ?? [];
    runs.set(entry, own);
    const last = own.at(-1);
    if (last !== undefined && ends.get(entry) === at) last.length += 1;
    else own.push({ segment, offset, length: 1 });
    ends.set(entry, at + 1);
  }
  return runs;
}

test('runs are those that one finds byte by byte, over segments and batches', () => {
  const property = fc.property(batches, (all) => {
    const follower = new RunFollower();
    const found = new Map<number, EntryRuns>([0, 1, 2].map((entry) => [entry, new EntryRuns()]));
    const bytes: { entry: number; segment: number; offset: number }[] = [];
    let number = 5;
    for (const { sizes, pieces } of all) {
      // Segments of indices stand between those of data: the numbers have gaps.
      const segments = sizes.map((plainLength, index) => ({ number: number + 2 * index, plainLength }));
      number += 2 * sizes.length;
      const places = segments.flatMap((segment) =>
        Array.from({ length: segment.plainLength }, (_, offset) => ({ segment: segment.number, offset })),
      );
      const spans: Span[] = [];
      let offset = 0;
      for (const piece of [...pieces, { entry: 0, length: places.length }]) {
        const length = Math.min(piece.length, places.length - offset);
        spans.push({ entry: piece.entry, offset, length });
        for (const place of places.slice(offset, offset + length)) bytes.push({ entry: piece.entry, ...place });
        offset += length;
      }
      follower.follow(segments, spans, (entry) => found.get(entry) ?? assert.fail('it is one of them'));
    }
    const expected = runsByBytes(bytes);
    for (const [entry, runs] of found) {
      const wanted: readonly Run[] = expected.get(entry) ?? [];
      assert.deepEqual(runs.all, wanted);
      assert.equal(runs.count, wanted.length);
    }
  });
  fc.assert(property, { seed: 1, numRuns: 300 });
});

test('an entry that has nothing yet begins a run, wherever that is', () => {
  for (const index of [-1, 0, 1, 2]) {
    const runs = new EntryRuns();
    runs.add({ index, segment: 7, offset: 0, length: 3 }, { index, offset: 3 });
    assert.deepEqual(runs.all, [{ segment: 7, offset: 0, length: 3 }]);
  }
});

test('a piece behind its segments is refused', () => {
  const follower = new RunFollower();
  const runs = new EntryRuns();
  const follow = (offset: number) =>
    follower.follow([{ number: 0, plainLength: 4 }], [{ entry: 0, offset, length: 1 }], () => runs);
  follow(3);
  assert.throws(() => follow(4), RangeError);
});
