import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../errors.ts';
import { decodeName, encodeName, ObjectKeys } from './object-key.ts';

const rules = { forbidden: /[\\\n]|[ .](?=\/|$)/, limitBytes: 100 };

test('every name comes back, and no key has what the service does not take', () => {
  const name = fc.array(fc.constantFrom('%', '2', '0', 'A', '5', 'a', '/', '.', ' ', '\\', '\n', 'ü'), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(name, (characters) => {
      const text = characters.join('');
      const key = encodeName(text, rules);
      assert.equal(decodeName(key, rules), text);
      assert.doesNotMatch(key, rules.forbidden);
    }),
    { numRuns: 5000 },
  );
});

test('names that need no code stay as they are', () => {
  for (const plain of ['shop 2026.holdfast', 'a%20b', '100%', 'Ünï/备份', '%2e%2e'])
    assert.equal(encodeName(plain, { ...rules, forbidden: /[\n]/ }), plain);
  assert.equal(encodeName('a%0Ab', rules), 'a%250Ab');
});

test('keys lie below the prefix, and others are none of ours', () => {
  const keys = new ObjectKeys('/daily/', rules);
  assert.equal(keys.keyOf('x.'), 'daily/x%2E');
  assert.equal(keys.nameOf('daily/x%2E'), 'x.');
  for (const foreign of ['other/x', 'daily/', 'daily/x.', 'daily//x']) assert.equal(keys.nameOf(foreign), undefined);
  assert.equal(keys.listingPrefix('a/b.c'), 'daily/a/b');
  assert.equal(keys.listingPrefix('a./'), 'daily/a%2E/');
  assert.equal(new ObjectKeys(undefined, rules).listingPrefix(''), '');
  assert.throws(() => keys.keyOf('n'.repeat(100)), { code: 'storage.unauthorized' });
  assert.throws(() => new ObjectKeys('a/../b', rules), HoldfastError);
});
