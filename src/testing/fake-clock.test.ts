import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from './fake-clock.ts';

test('it stands still until it is moved', () => {
  const clock = new FakeClock();
  assert.equal(new Date(clock.nowMs()).toISOString(), '2026-01-01T00:00:00.000Z');
  const start = clock.monotonicMs();
  clock.advance(1500);
  assert.equal(new Date(clock.nowMs()).toISOString(), '2026-01-01T00:00:01.500Z');
  assert.equal(clock.monotonicMs() - start, 1500);
  assert.throws(() => clock.advance(-1));
});

test('the wall clock can go back; the monotonic one does not', () => {
  const clock = new FakeClock(5000);
  clock.advance(10);
  clock.setNowMs(1000);
  assert.equal(clock.nowMs(), 1000);
  assert.equal(clock.monotonicMs(), 10);
});
