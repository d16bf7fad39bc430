import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { Attempts, retryAfterMs } from './attempts.ts';
import { networkErrorFrom } from './network-error.ts';

function attemptsWith(waits: number[], more = {}): Attempts {
  const random = { bytes: (sizeBytes: number) => new Uint8Array(sizeBytes).fill(255) };
  const wait = async (durationMs: number) => void waits.push(durationMs);
  return new Attempts({ place: 'host', random, wait, ...more });
}

const unavailable = (context = {}) => new HoldfastError('storage.unavailable', { context });

test('what fails for a moment is repeated, with pauses that double', async () => {
  const waits: number[] = [];
  let count = 0;
  const run = attemptsWith(waits).run(async (_signal, tryNumber) => {
    assert.equal(tryNumber, ++count);
    if (count < 4) throw unavailable();
    return 'done';
  });
  assert.equal(await run, 'done');
  assert.deepEqual(waits, [500, 1000, 2000]);
});

test('tries and pauses have their limits', async () => {
  const waits: number[] = [];
  const failing = (context = {}) => attemptsWith(waits).run(async () => Promise.reject(unavailable(context)));
  await assert.rejects(failing(), { code: 'storage.unavailable' });
  assert.equal(waits.length, 5);
  waits.length = 0;
  await assert.rejects(failing({ retryAfterMs: 60_000 }));
  assert.deepEqual(waits, Array(5).fill(60_000));
  waits.length = 0;
  await assert.rejects(failing({ retryAfterMs: 24 * 3_600_000 }));
  assert.deepEqual(waits, []);
});

test('what will fail again is not repeated', async () => {
  const waits: number[] = [];
  const refused = new HoldfastError('storage.unauthorized');
  await assert.rejects(
    attemptsWith(waits).run(() => Promise.reject(refused)),
    (error) => error === refused,
  );
  const defect = new TypeError('x is not a function');
  await assert.rejects(
    attemptsWith(waits).run(() => Promise.reject(defect)),
    (error) => error === defect,
  );
  assert.deepEqual(waits, []);
});

test('a server that says nothing is left after the limit', async () => {
  const waits: number[] = [];
  const silent = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const attempts = attemptsWith(waits, { timeoutMs: 5, tries: 2 });
  // The timer of the limit does not keep the process alive.
  const alive = setInterval(() => undefined, 1000);
  await assert.rejects(attempts.run(silent), { code: 'storage.timeout' });
  assert.equal(waits.length, 1);
  const stop = new AbortController();
  const waiting = attemptsWith(waits, { timeoutMs: 60_000 }).run(silent, stop.signal);
  stop.abort();
  await assert.rejects(waiting, { code: 'operation.interrupted' });
  clearInterval(alive);
});

test('errors of the network say why', () => {
  const wrapped = (code: string) => new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });
  const codes = ['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_CONNECT_TIMEOUT', 'CERT_HAS_EXPIRED', 'EPROTO', 'EUNHEARDOF'];
  const found = codes.map((code) => (networkErrorFrom(wrapped(code), 'host') as HoldfastError).code);
  const expected = ['unavailable', 'unavailable', 'timeout', 'certificate', 'failed', 'unavailable'];
  assert.deepEqual(
    found,
    expected.map((code) => `storage.${code}`),
  );
  const defect = new TypeError('x is not a function');
  assert.equal(networkErrorFrom(defect, 'host'), defect);
});

test('Retry-After is seconds or a date', () => {
  const clock = new FakeClock(Date.UTC(2026, 0, 1));
  assert.equal(retryAfterMs('3', clock), 3000);
  assert.equal(retryAfterMs('Thu, 01 Jan 2026 00:00:07 GMT', clock), 7000);
  assert.equal(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', clock), 0);
  for (const none of [null, undefined, '', 'soon']) assert.equal(retryAfterMs(none, clock), undefined);
});
