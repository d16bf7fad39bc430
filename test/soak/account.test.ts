import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunRecord } from '../../src/history/run-record.ts';
import { type SoakFacts, soakProblems } from './account.ts';

const minuteMs = 60_000;
const firstMs = Date.UTC(2026, 0, 1);

function backup(minute: number, change: Partial<RunRecord> = {}): RunRecord {
  const scheduledMs = firstMs + minute * minuteMs;
  const archives = [{ url: '', storage: 'cloud', name: `a${minute}`, state: 'proven' as const }];
  const times = { scheduledMs, startedMs: scheduledMs + 100, endedMs: scheduledMs + 2_000 };
  return { id: `${minute}`, kind: 'backup', state: 'succeeded', phases: [], archives, ...times, ...change };
}

const told = { event: 'failure', type: 'webhook', place: '', sent: true, tries: 1, atMs: 0 };
const message = { event: 'failure', id: '1' };

function samples(sizeOf: (index: number) => number, descriptorsOf: (index: number) => number = () => 30) {
  return Array.from({ length: 60 }, (_, index) => {
    return { atMs: index, residentBytes: sizeOf(index), descriptorCount: descriptorsOf(index) };
  });
}

const flat = samples((index) => 80_000_000 + (index % 5) * 1_000_000);
const good: SoakFacts = {
  firstMs,
  lastMs: firstMs + 2 * minuteMs,
  runs: [backup(0), backup(1), backup(2)],
  failedAtMs: [],
  messages: [],
  samples: flat,
  archives: { cloud: ['a1', 'a2'] },
};

test('a soak in which all is well has no problems', () => {
  assert.deepEqual(soakProblems(good), []);
  const failed = backup(1, { state: 'failed', archives: [], notifications: [told] });
  const rest = [backup(0), backup(2)];
  assert.deepEqual(soakProblems({ ...good, runs: [...rest, failed], messages: [message], archives: {} }), []);
  const long = backup(0, { endedMs: firstMs + minuteMs + 1 });
  assert.deepEqual(soakProblems({ ...good, runs: [long, backup(2)], archives: {} }), []);
  const killed = backup(1, { state: 'died' });
  const facts = { ...good, runs: [...good.runs, killed], failedAtMs: [firstMs + minuteMs + 5_000] };
  assert.deepEqual(soakProblems(facts), []);
});

const bad: readonly [what: string, change: Partial<SoakFacts>, problem: RegExp][] = [
  ['a run that did not come', { runs: [backup(0), backup(2)], archives: {} }, /00:01:00 did not run/],
  ['a run that came twice', { runs: [...good.runs, backup(1)] }, /00:01:00 ran 2 times/],
  ['a run without an end', { runs: [...good.runs, backup(0, { state: 'running', scheduledMs: 1 })] }, /has no end/],
  [
    'a failure that nobody was told of',
    { runs: [backup(0), backup(1, { state: 'failed' }), backup(2)], messages: [message] },
    /nobody was told that the backup of 00:01:00 is failed/,
  ],
  [
    'a message that did not come',
    { runs: [backup(0), backup(1, { state: 'incomplete', notifications: [told] }), backup(2)] },
    /1 runs went wrong, and 0 messages came/,
  ],
  ['a death in silence', { runs: [...good.runs, backup(1, { state: 'died' })] }, /did not tell of .* 00:01:00/],
  ['an archive of nobody', { archives: { cloud: ['a1', 'other'] } }, /no run wrote cloud: other/],
  ['memory that grows', { samples: samples((index) => 80_000_000 + index * 300_000) }, /serve grew from/],
  [
    'descriptors that grow',
    {
      samples: samples(
        () => 80_000_000,
        (index) => 30 + Math.floor(index / 6),
      ),
    },
    /descriptors/,
  ],
];

for (const [what, change, problem] of bad) {
  test(`a soak finds ${what}`, () => {
    const [found = '', ...more] = soakProblems({ ...good, ...change });
    assert.match(found, problem);
    assert.deepEqual(more, []);
  });
}
