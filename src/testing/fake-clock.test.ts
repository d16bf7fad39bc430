import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemWait } from '../clock.ts';
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

test('a wait lets its time pass at once, unless its signal is aborted', async () => {
  const clock = new FakeClock();
  await clock.wait(5000);
  assert.equal(clock.monotonicMs(), 5000);
  await assert.rejects(clock.wait(5000, AbortSignal.abort()), { code: 'operation.interrupted' });
  assert.equal(clock.monotonicMs(), 5000);
});

test('the wait of this machine ends with its signal', async () => {
  await systemWait(1);
  const controller = new AbortController();
  const waiting = systemWait(3_600_000, controller.signal);
  controller.abort();
  await assert.rejects(waiting, { code: 'operation.interrupted' });
});
