import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IndexEntry } from './entry/entry.ts';
import { readGroups } from './read-groups.ts';

const mebibyte = 2 ** 20;

/** Entries of so many MiB each, in one run, or in two where the number is negative. */
function entriesOf(...sizes: number[]): IndexEntry[] {
  return sizes.map((size, index) => {
    const sizeBytes = Math.abs(size) * mebibyte;
    const run = { segment: index, offset: 0, length: sizeBytes };
    const runs = size < 0 ? [run, run] : [run];
    return { path: `f${index}`, kind: 'file', sizeBytes, sha256: '', runs, metadata: {} };
  });
}

/** The groups as the numbers of their entries. */
function groupsOf(entries: readonly IndexEntry[], atOnce: number): number[][] {
  return readGroups(entries, atOnce).map((group) => group.map((entry) => entries.indexOf(entry)));
}

test('one reader reads all in one go, whatever its size', () => {
  assert.deepEqual(groupsOf(entriesOf(1, 100, 0, 3), 1), [[0, 1, 2, 3]]);
  assert.deepEqual(groupsOf(entriesOf(1, 0, 0), 1), [[0, 1, 2]]);
  assert.deepEqual(groupsOf([], 1), []);
});

test('several read groups of 4 MiB at least, closed when they are full', () => {
  assert.deepEqual(groupsOf(entriesOf(3, 1, 1, 3, 2, 3), 2), [
    [0, 1],
    [2, 3],
    [4, 5],
  ]);
  assert.deepEqual(groupsOf(entriesOf(3, 0.5, 1), 2), [[0, 1, 2]]);
});

test('a byte less than 4 MiB is no full group', () => {
  const almost = 4 - 1 / mebibyte;
  assert.deepEqual(groupsOf(entriesOf(almost, 1, almost, 1, 1), 2), [[0, 1], [2, 3], [4]]);
});

test('of much there are four groups for each that reads', () => {
  assert.deepEqual(
    groupsOf(entriesOf(...Array<number>(64).fill(1)), 2).map(({ length }) => length),
    Array(8).fill(8),
  );
  assert.deepEqual(
    groupsOf(entriesOf(...Array<number>(96).fill(1)), 3).map(({ length }) => length),
    Array(12).fill(8),
  );
});

test('an entry of several runs is a group of its own, and closes none', () => {
  assert.deepEqual(groupsOf(entriesOf(1, -9, 1, -1, 2, 1), 2), [[0, 2, 4], [1], [3], [5]]);
});
