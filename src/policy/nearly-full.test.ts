import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNearlyFull } from './nearly-full.ts';

test('a disk is nearly full below a twentieth, or below three backups', () => {
  assert.equal(isNearlyFull({ freeBytes: 50, totalBytes: 1000 }, 0), false);
  assert.equal(isNearlyFull({ freeBytes: 49, totalBytes: 1000 }, 0), true);
  assert.equal(isNearlyFull({ freeBytes: 600, totalBytes: 1000 }, 200), false);
  assert.equal(isNearlyFull({ freeBytes: 599, totalBytes: 1000 }, 200), true);
});
