import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePart, encodePart, encodePath } from './ftp-path.ts';

test('every name comes back, and holds nothing that ends a command or is a pattern', () => {
  const part = fc.string({ unit: 'binary', minLength: 1 });
  fc.assert(
    fc.property(part, (name) => {
      const encoded = encodePart(name);
      assert.equal(decodePart(encoded), name);
      assert.doesNotMatch(encoded, /[\r\n\0*?[\]{}"<>|:\\]|^ | $/u);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test('names that people give stay as they are', () => {
  assert.equal(encodePath('/backups', 'daily/shop 1-é.holdfast'), '/backups/daily/shop 1-é.holdfast');
  assert.equal(encodePath('/', ' a/%b\n'), '/%20a/%25b%0A');
});

test('names that no object has are not listed', () => {
  for (const name of ['100%', 'a%4', 'a*b', '%41']) assert.equal(decodePart(name), undefined, name);
});
