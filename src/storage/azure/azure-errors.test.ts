import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { azureErrorFrom } from './azure-errors.ts';

/** As the client makes it of an answer; an answer to HEAD has its code in the header alone. */
function restError(code: string | undefined, statusCode: number, headers: Record<string, string> = {}): Error {
  const response = { headers: { get: (name: string) => headers[name] } };
  return Object.assign(new Error('what Azure says'), { name: 'RestError', code, statusCode, response });
}

const clock = new FakeClock(Date.UTC(2026, 2, 1, 12));
const now = 'Sun, 01 Mar 2026 12:00:00 GMT';

function errorOf(error: Error, expiresMs?: number): HoldfastError {
  const found = azureErrorFrom(error, { place: 'a/b', clock, expiresMs });
  assert.ok(found instanceof HoldfastError);
  return found;
}

test('failures to sign in are told apart by the clocks', () => {
  assert.equal(errorOf(restError('AuthenticationFailed', 403, { date: now })).code, 'storage.signature');
  const early = errorOf(restError('AuthenticationFailed', 403, { date: 'Sun, 01 Mar 2026 12:20:00 GMT' }));
  assert.equal(early.code, 'storage.clock_skew');
  assert.match(early.message, /20 minutes off/);
  const almost = restError('AuthenticationFailed', 403, { date: 'Sun, 01 Mar 2026 11:46:00 GMT' });
  assert.equal(errorOf(almost).code, 'storage.signature');
  const head = restError(undefined, 403, { date: now, 'x-ms-error-code': 'AuthenticationFailed' });
  assert.equal(errorOf(head, clock.nowMs() - 1).code, 'storage.credentials');
  assert.equal(errorOf(head, clock.nowMs() + 1).code, 'storage.signature');
});

test('what is not in the table is told by its status', () => {
  const codes = [400, 401, 403, 404, 408, 409, 412, 429, 500, 503].map((status) => [
    status,
    errorOf(restError('New', status)).code,
  ]);
  assert.deepEqual(Object.fromEntries(codes), {
    400: 'storage.failed',
    401: 'storage.unauthorized',
    403: 'storage.unauthorized',
    404: 'storage.not_found',
    408: 'storage.unavailable',
    409: 'storage.conflict',
    412: 'storage.conflict',
    429: 'storage.throttled',
    500: 'storage.unavailable',
    503: 'storage.unavailable',
  });
  const busy = errorOf(restError('ServerBusy', 503, { 'retry-after': '7' }));
  assert.deepEqual([busy.code, busy.context['retryAfterMs']], ['storage.throttled', 7000]);
});

test('errors of the network keep their reason, and defects stay what they are', () => {
  const refused = restError('ECONNREFUSED', 0);
  Reflect.deleteProperty(refused, 'statusCode');
  assert.equal(errorOf(refused).code, 'storage.unavailable');
  const defect = new TypeError('defect');
  assert.equal(azureErrorFrom(defect, { place: 'x' }), defect);
});
