import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Secret } from '../secret.ts';
import { joinKey, readKeyShare, splitKey } from './key-shares.ts';

const shuffled = <Item>(items: readonly Item[], order: readonly number[]): Item[] =>
  items
    .map((item, index) => ({ item, at: order[index] ?? 0 }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);

test('any shares, as many as the threshold says and more, give the key back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }),
      fc.integer({ min: 2, max: 9 }),
      fc.integer({ min: 0, max: 4 }),
      fc.array(fc.double(), { minLength: 13, maxLength: 13 }),
      async (text, threshold, more, order) => {
        const key = new Secret(text);
        const shares = shuffled(await splitKey(key, { shares: threshold + more, threshold }), order);
        const joined = await joinKey(shares.slice(0, threshold));
        assert.equal(joined.key.reveal(), text);
        assert.equal((await joinKey(shares)).key.reveal(), text);
        await assert.rejects(joinKey(shares.slice(0, threshold - 1)), { code: 'key.invalid' });
      },
    ),
    { numRuns: 60 },
  );
});

test('an identity is told from a passphrase', async () => {
  const identity = new Secret('AGE-SECRET-KEY-1QQQ');
  assert.equal((await joinKey(await splitKey(identity, { shares: 2, threshold: 2 }))).kind, 'identity');
  assert.equal((await joinKey(await splitKey(new Secret('x'), { shares: 2, threshold: 2 }))).kind, 'passphrase');
});

test('a share that was typed with spaces, dashes and capitals is read; one mistyped character is found out', async () => {
  const [share] = await splitKey(new Secret('correct horse'), { shares: 3, threshold: 2 });
  const text = share?.reveal() ?? '';
  const typed = new Secret(` ${text.toUpperCase().replace(/(.{5})/g, '$1 ')}\n`);
  assert.deepEqual(readKeyShare(typed), readKeyShare(new Secret(text)));
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === 'q' ? 'p' : 'q';
    const wrong = new Secret(text.slice(0, at) + other + text.slice(at + 1));
    assert.throws(() => readKeyShare(wrong), { code: 'key.invalid' }, `character ${at}`);
  }
});

test('shares of two keys do not mix, the same share counts once, and what is wrong is never quoted', async () => {
  const one = await splitKey(new Secret('one'), { shares: 3, threshold: 3 });
  const two = await splitKey(new Secret('two'), { shares: 3, threshold: 3 });
  const [first, second] = one;
  assert.ok(first && second && two[2]);
  await assert.rejects(joinKey([first, second, two[2]]), { code: 'key.invalid', message: /another key/ });
  await assert.rejects(joinKey([first, second, second]), { message: '2 of 3 shares are there: 1 more is needed' });
  await assert.rejects(joinKey([]), { code: 'key.invalid' });
  const secret = new Secret('AGE-SECRET-KEY-1NOSHARE');
  await assert.rejects(joinKey([secret]), (error: Error) => !error.message.includes('NOSHARE'));
});

test('shares tell nothing of a key but whether it has more than 26, 58, … bytes', async () => {
  const lengthOf = async (sizeBytes: number) =>
    (await splitKey(new Secret('a'.repeat(sizeBytes)), { shares: 2, threshold: 2 }))[0]?.reveal().length;
  assert.equal(await lengthOf(1), await lengthOf(26));
  assert.notEqual(await lengthOf(26), await lengthOf(27));
});

test('limits', async () => {
  const split = (shares: number, threshold: number, text = 'x') => splitKey(new Secret(text), { shares, threshold });
  assert.equal((await split(255, 255)).length, 255);
  for (const [shares, threshold] of [
    [256, 2],
    [2, 1],
    [2, 3],
    [1, 1],
    [3.5, 2],
    [3, 2.5],
  ] as const) {
    await assert.rejects(split(shares, threshold), { code: 'usage.invalid' });
  }
  assert.equal((await split(2, 2, 'a'.repeat(1024))).length, 2);
  await assert.rejects(split(2, 2, 'a'.repeat(1025)), { code: 'key.invalid' });
  await assert.rejects(split(2, 2, ''), { code: 'key.invalid' });
});
