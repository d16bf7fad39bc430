import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunRecord } from '../history/run-record.ts';
import { runBytesPerSecond, runDurationMs } from './run-stats.ts';

const run: RunRecord = { id: 'a', kind: 'backup', state: 'succeeded', startedMs: 1000, phases: [], archives: [] };

test('a rate is of the contents over the whole run, and there is none where either is not known', () => {
  assert.equal(runBytesPerSecond({ ...run, endedMs: 3000, plainSizeBytes: 5000, sizeBytes: 9000 }), 2500);
  assert.equal(runBytesPerSecond({ ...run, endedMs: 3000, sizeBytes: 9000 }), undefined);
  assert.equal(runBytesPerSecond({ ...run, plainSizeBytes: 5000 }), undefined);
  // Of what `rebuild` found nobody knows how long it took, and a clock can have been set back.
  for (const endedMs of [1000, 500]) assert.equal(runBytesPerSecond({ ...run, endedMs, plainSizeBytes: 1 }), undefined);
});

test('a run takes no time below none, and none is told of one under way', () => {
  assert.deepEqual(
    [3000, 500, undefined].map((endedMs) => runDurationMs(endedMs === undefined ? run : { ...run, endedMs })),
    [2000, 0, undefined],
  );
});
