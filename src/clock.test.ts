import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import { it } from 'node:test';
import timers from 'node:timers/promises';
import { delay, longestTimerMs, systemWait, timeoutSignal } from './clock.ts';
import { HoldfastError } from './errors.ts';

const day = 24 * 60 * 60 * 1000;

it('a time limit that is longer than timers can be ends no sooner than a short one', async () => {
  const limits = [30 * day, 60 * day, 1e15].map((limitMs) => timeoutSignal(limitMs));
  const short = timeoutSignal(2);
  while (!short.aborted) await delay(1);
  assert.deepEqual(
    limits.map(({ aborted }) => aborted),
    [false, false, false],
  );
});

it('a wait that is longer than timers can be ends no sooner than a short one, and can be interrupted', async () => {
  const ending = new AbortController();
  const long = systemWait(30 * day, ending.signal).then(() => 'ended');
  assert.equal(await Promise.race([long, systemWait(2).then(() => 'waiting')]), 'waiting');
  ending.abort();
  await assert.rejects(long, (error) => error instanceof HoldfastError && error.code === 'operation.interrupted');
});

it('a wait that is longer than timers can be is made of several', async ({ mock }) => {
  const waitsMs: number[] = [];
  const { mock: pauses } = mock.method(timers, 'setTimeout', async (waitMs: number) => void waitsMs.push(waitMs));
  syncBuiltinESMExports();
  try {
    await systemWait(60 * day);
  } finally {
    pauses.restore();
    syncBuiltinESMExports();
  }
  assert.deepEqual(waitsMs, [longestTimerMs, longestTimerMs, 60 * day - 2 * longestTimerMs]);
});
