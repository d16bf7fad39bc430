import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { EntryTurns } from './entry-turns.ts';
import type { OpenEntry } from './open-entry.ts';
import { EntryRuns } from './run-follower.ts';

/** An entry with so many runs. */
function entry(id: number, runCount: number): OpenEntry {
  const runs = new EntryRuns();
  for (let index = 0; index < runCount; index++) {
    runs.add({ index: 2 * index, segment: index, offset: 0, length: 1 }, { index: 2 * index, offset: 1 });
  }
  const input = { path: `f${id}`, kind: 'file', metadata: {} };
  return { id, runs, input, batch: undefined, sizeBytes: 0, lineBytes: 0, isPlaced: false, sha256: undefined };
}

const fine = () => {};

/** Whether it ends without anything else that happens. */
async function isReady(waiting: Promise<void>): Promise<boolean> {
  return await Promise.race([waiting.then(() => true), setImmediate(false)]);
}

/** Turns of two entries with so many runs each, of 3 at most. */
function turnsOf(oldestRuns: number, otherRuns: number) {
  const turns = new EntryTurns({ atOnce: 2, maximumRuns: 3 });
  const [oldest, other] = [entry(1, oldestRuns), entry(2, otherRuns)];
  turns.begin(oldest);
  turns.begin(other);
  return { turns, oldest, other };
}

test('all go on until one has many runs; then the one that began first', async () => {
  for (const [oldestRuns, otherRuns, mayOther] of [
    [0, 0, true],
    [2, 2, true],
    [3, 0, false],
    [0, 3, false],
    [4, 4, false],
  ] as const) {
    const { turns, oldest, other } = turnsOf(oldestRuns, otherRuns);
    assert.equal(await isReady(turns.until(oldest, fine)), true, 'the oldest never waits');
    assert.equal(await isReady(turns.until(other, fine)), mayOther, `${oldestRuns} and ${otherRuns}`);
  }
});

test('the next one goes on when the first has ended, and waits through what else wakes it', async () => {
  const { turns, oldest, other } = turnsOf(3, 0);
  const waiting = turns.until(other, fine);
  turns.wake();
  assert.equal(await isReady(waiting), false);
  turns.end(oldest);
  assert.equal(await isReady(waiting), true);
});

test('who waits is told that the archive has failed', async () => {
  const { turns, other } = turnsOf(3, 0);
  let isFailed = false;
  const waiting = turns.until(other, () => {
    if (isFailed) throw new Error('it has failed');
  });
  turns.wake();
  assert.equal(await isReady(waiting), false);
  isFailed = true;
  turns.wake();
  await assert.rejects(waiting, /it has failed/);
});

test('no more may begin than the writer was made for, until one has ended', () => {
  const { turns, oldest } = turnsOf(0, 0);
  assert.throws(() => turns.begin(entry(3, 0)), /fewer entries/);
  turns.end(oldest);
  turns.begin(entry(3, 0));
});
