import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTimezone, localTime, systemTimezone } from './local-time.ts';

const hourMs = 3_600_000;

test('a zone is one that the runtime knows', () => {
  for (const name of ['UTC', 'Europe/Berlin', 'Asia/Kathmandu']) assert.equal(isTimezone(name), true);
  for (const name of ['Europe/Atlantis', '', 'x y']) assert.equal(isTimezone(name), false);
  assert.equal(typeof systemTimezone(), 'string');
  assert.equal(isTimezone(systemTimezone()), true);
});

test('offsets follow the rules of the zone to the minute', () => {
  const berlin = localTime('Europe/Berlin');
  // The clock is set forward on 2026-03-29 at 01:00Z.
  const forwardMs = Date.UTC(2026, 2, 29, 1);
  assert.equal(berlin.offsetMs(forwardMs - 1), hourMs);
  assert.equal(berlin.offsetMs(forwardMs), 2 * hourMs);
  assert.equal(berlin.toLocalMs(forwardMs), forwardMs + 2 * hourMs);
  assert.equal(localTime('UTC').offsetMs(forwardMs), 0);
  assert.equal(localTime('Asia/Kathmandu').offsetMs(0), 5.5 * hourMs);
  // At midnight fields of the day before must not be mixed with those of the day.
  assert.equal(localTime('America/New_York').offsetMs(Date.UTC(2026, 0, 1)), -5 * hourMs);
});

test('a zone is made once', () => {
  assert.equal(localTime('Europe/Berlin'), localTime('Europe/Berlin'));
});
