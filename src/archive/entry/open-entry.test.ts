import assert from 'node:assert/strict';
import { test } from 'node:test';
import { indexLine, type OpenEntry } from './open-entry.ts';
import { EntryRuns } from './run-follower.ts';

const sha256 = 'ab'.repeat(32);

function entry(pathBytes?: Uint8Array): OpenEntry {
  const runs = new EntryRuns();
  runs.add({ index: 0, segment: 2, offset: 3, length: 4 }, { index: 0, offset: 7 });
  const input = { path: 'files/a', kind: 'file', metadata: { mode: 1 }, ...(pathBytes && { pathBytes }) };
  return { id: 1, runs, input, batch: undefined, sizeBytes: 4, lineBytes: 0, isPlaced: true, sha256 };
}

test('a line has what is known of its entry, the bytes of its path where they are told', () => {
  const known = { path: 'files/a', kind: 'file', size: 4, sha256, runs: [[2, 3, 4]], metadata: { mode: 1 } };
  assert.deepEqual(JSON.parse(indexLine(entry(), sha256)), known);
  assert.deepEqual(JSON.parse(indexLine(entry(Uint8Array.of(255)), sha256)), { ...known, pathBytes: '/w==' });
  assert.throws(() => indexLine(entry(), undefined), /no digest/);
});
