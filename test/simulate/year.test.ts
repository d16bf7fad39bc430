import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openHistory } from '../../src/history/history.ts';
import { Simulation } from './year.ts';

const isSlow = process.env['SLOW'] === '1';

test(`${isSlow ? 365 : 23} days of 50 databases: every run once, the retention of each day as the oracle says, nothing lost`, async (t) => {
  const result = await new Simulation({ seed: 1, databases: 50 }).run(isSlow ? 365 : 23);
  t.diagnostic(JSON.stringify(result));
  assert.ok(result.runCount > (isSlow ? 30_000 : 2000));
  assert.ok(result.failedCount > 10 && result.missedCount > 10 && result.removedCount > 1000);
});

test('two weeks with the history that is used', async () => {
  const store = await openHistory({ path: ':memory:' });
  const result = await new Simulation({ seed: 2, databases: 8, store }).run(14);
  await store.close();
  assert.ok(result.runCount > 200);
});
