import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunArchiveState, RunKind, RunRecord, RunState } from '../history/run-record.ts';
import { retentionFacts } from './retention-facts.ts';

let count = 0;

function run(
  kind: RunKind,
  state: RunState,
  archives: Readonly<Record<string, RunArchiveState>>,
  database = 'shop',
): RunRecord {
  count += 1;
  return {
    id: `${count}`,
    kind,
    state,
    database,
    startedMs: count,
    phases: [],
    archives: Object.entries(archives).map(([url, found]) => ({ url, storage: url.split('/')[0] ?? '', state: found })),
  };
}

/** Runs in the order in which they happened. */
const factsOf = (...runs: readonly RunRecord[]) => retentionFacts(runs.toReversed());

test('the last run of a database on a storage decides whether anything is removed there', () => {
  const good = run('backup', 'succeeded', { 'near/a': 'proven', 'far/a': 'proven' });
  const table: readonly (readonly [RunRecord, string | undefined, string | undefined])[] = [
    [run('backup', 'succeeded', { 'near/b': 'proven', 'far/b': 'proven' }), undefined, undefined],
    [run('backup', 'incomplete', { 'near/b': 'proven', 'far/b': 'proven' }), undefined, undefined],
    [run('backup', 'incomplete', { 'near/b': 'proven', 'far/b': 'failed' }), undefined, 'the last run failed'],
    [run('backup', 'succeeded', { 'near/b': 'proven' }), undefined, undefined],
    [run('backup', 'failed', { 'near/b': 'failed' }), 'the last run failed', undefined],
    [run('backup', 'failed', {}), 'the last run failed', 'the last run failed'],
    [
      run('backup', 'suspect', { 'near/b': 'suspect', 'far/b': 'suspect' }),
      'the last run is suspect',
      'the last run is suspect',
    ],
    [run('backup', 'died', { 'near/b': 'pending' }), 'the last run died', undefined],
    [run('backup', 'interrupted', { 'near/b': 'failed' }), 'the last run was interrupted', undefined],
    [run('backup', 'running', { 'near/b': 'pending', 'far/b': 'pending' }), undefined, undefined],
    [run('backup', 'failed', { 'near/b': 'failed' }, 'crm'), undefined, undefined],
    [run('verify', 'failed', { 'near/b': 'damaged' }), undefined, undefined],
  ];
  for (const [last, near, far] of table) {
    const { hold } = factsOf(good, last);
    assert.deepEqual([hold('shop', 'near'), hold('shop', 'far')], [near, far], JSON.stringify(last));
  }
  const failed = run('backup', 'failed', { 'near/b': 'failed', 'far/b': 'failed' });
  assert.equal(factsOf(failed, run('backup', 'succeeded', { 'near/c': 'proven' })).hold('shop', 'near'), undefined);
  assert.equal(
    factsOf(failed, run('backup', 'succeeded', { 'near/c': 'proven' })).hold('shop', 'far'),
    'the last run failed',
  );
});

/** What runs found of an archive, and whether it is proven and doubtful then. */
const looks: readonly (readonly [readonly (readonly [RunKind, RunArchiveState])[], boolean, boolean])[] = [
  [[], false, false],
  [[['backup', 'written']], false, false],
  [[['backup', 'proven']], true, false],
  [
    [
      ['backup', 'written'],
      ['verify', 'proven'],
    ],
    true,
    false,
  ],
  [
    [
      ['backup', 'proven'],
      ['scrub', 'damaged'],
    ],
    false,
    true,
  ],
  [
    [
      ['backup', 'proven'],
      ['scrub', 'damaged'],
      ['repair', 'whole'],
    ],
    false,
    false,
  ],
  [
    [
      ['backup', 'proven'],
      ['scrub', 'whole'],
    ],
    true,
    false,
  ],
  [[['backup', 'suspect']], false, true],
  [
    [
      ['backup', 'suspect'],
      ['verify', 'proven'],
    ],
    true,
    true,
  ],
  [
    [
      ['backup', 'suspect'],
      ['backup', 'proven'],
    ],
    true,
    false,
  ],
  [
    [
      ['backup', 'proven'],
      ['restore', 'found'],
      ['backup', 'failed'],
    ],
    true,
    false,
  ],
  [
    [
      ['backup', 'suspect'],
      ['prune', 'removed'],
    ],
    false,
    false,
  ],
];

test('the last look at an archive counts, and a suspicion stays', () => {
  for (const [steps, isProven, isDoubtful] of looks) {
    const facts = factsOf(...steps.map(([kind, state]) => run(kind, 'succeeded', { 'near/a': state })));
    assert.deepEqual(
      [facts.isProven('near/a'), facts.isDoubtful('near/a')],
      [isProven, isDoubtful],
      JSON.stringify(steps),
    );
  }
});

test('a run that makes archives of several databases counts for each', () => {
  const archive = (database: string, state: RunArchiveState) => ({
    url: `near/${database}`,
    storage: 'near',
    database,
    state,
  });
  const several: RunRecord = {
    ...run('backup', 'incomplete', {}),
    archives: [archive('shop', 'proven'), archive('crm', 'failed')],
  };
  const { hold } = factsOf(several);
  assert.deepEqual(
    [hold('shop', 'near'), hold('crm', 'near'), hold('other', 'near')],
    [undefined, 'the last run failed', undefined],
  );
});

test('a run from a time that is still to come does not hide that one failed since', () => {
  const ahead = run('backup', 'succeeded', { 'near/a': 'proven' });
  const failed = run('backup', 'failed', { 'near/b': 'failed' });
  // The clock was set back in between, so the history has them the other way round.
  const runs = [ahead, { ...failed, startedMs: ahead.startedMs - 1 }];
  const holdAt = (nowMs: number) => retentionFacts(runs, { nowMs }).hold('shop', 'near');
  assert.equal(holdAt(ahead.startedMs - 1), 'the last run failed');
  assert.equal(holdAt(ahead.startedMs), undefined);
});
