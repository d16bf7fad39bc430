import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeAt, codeStep, codeUri, fromBase32, matchingStep, toBase32 } from './one-time-code.ts';

const key = Buffer.from('12345678901234567890', 'ascii');

test('codes are those of RFC 4226, appendix D', () => {
  const codes = ['755224', '287082', '359152', '969429', '338314', '254676', '287922', '162583', '399871', '520489'];
  assert.deepEqual(
    codes.map((_, counter) => codeAt(key, counter)),
    codes,
  );
});

test('codes are those of RFC 6238, appendix B', () => {
  const vectors = [
    [59, '94287082'],
    [1111111109, '07081804'],
    [1111111111, '14050471'],
    [1234567890, '89005924'],
    [2000000000, '69279037'],
    [20000000000, '65353130'],
  ] as const;
  for (const [seconds, code] of vectors) assert.equal(codeAt(key, codeStep(seconds * 1000), 8), code);
});

test('a code counts one step early and late, and no further', () => {
  const nowMs = 1_000_000_000;
  const step = codeStep(nowMs);
  for (const away of [-1, 0, 1]) assert.equal(matchingStep(key, codeAt(key, step + away), nowMs), step + away);
  for (const away of [-2, 2]) assert.equal(matchingStep(key, codeAt(key, step + away), nowMs), undefined);
  const code = codeAt(key, step);
  assert.equal(matchingStep(key, `${code.slice(0, 3)} ${code.slice(3)}`, nowMs), step);
  for (const wrong of ['', '12345', '１２３４５６', `${code}0`])
    assert.equal(matchingStep(key, wrong, nowMs), undefined);
});

test('base32 is that of RFC 4648, without padding', () => {
  const vectors = {
    '': '',
    f: 'MY',
    fo: 'MZXQ',
    foo: 'MZXW6',
    foob: 'MZXW6YQ',
    fooba: 'MZXW6YTB',
    foobar: 'MZXW6YTBOI',
  };
  for (const [text, encoded] of Object.entries(vectors)) {
    assert.equal(toBase32(Buffer.from(text)), encoded);
    assert.equal(Buffer.from(fromBase32(encoded)).toString(), text);
  }
  assert.match(codeUri('MZXW6', 'a b&c'), /^otpauth:\/\/totp\/Holdfast:a%20b%26c\?secret=MZXW6&issuer=Holdfast&/);
});
