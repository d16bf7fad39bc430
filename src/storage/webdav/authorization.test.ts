import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../../secret.ts';
import { authorize, parseChallenge } from './authorization.ts';

const request = { method: 'GET', path: '/dir/index.html' };

test('Basic is encoded as RFC 7617 shows', () => {
  const challenge = parseChallenge('Basic realm="WallyWorld", charset="UTF-8"');
  assert.deepEqual(challenge, { scheme: 'basic' });
  const credentials = { username: 'Aladdin', password: new Secret('open sesame') };
  assert.ok(challenge);
  assert.equal(authorize(challenge, credentials, request), 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==');
});

test('Digest without qop is that of RFC 2069', () => {
  const challenge = parseChallenge('Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"');
  assert.ok(challenge);
  const header = authorize(challenge, { username: 'Mufasa', password: new Secret('CircleOfLife') }, request);
  assert.match(header, /response="1949323746fe6a43ef61f9606e7febea"/);
});

test('Digest counts the uses of its nonce, and makes an own one each time', () => {
  const text =
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", Basic realm="x"';
  const challenge = parseChallenge(text);
  assert.ok(challenge?.scheme === 'digest' && challenge.algorithm === 'SHA-256');
  const credentials = { username: 'Mufasa', password: new Secret('Circle of Life') };
  const random = { bytes: (size: number) => new Uint8Array(size).fill(7) };
  const first = authorize(challenge, credentials, request, random);
  assert.match(first, /nc=00000001, cnonce="07070707070707070707070707070707"/);
  assert.match(first, /opaque="FQhe/);
  assert.match(authorize(challenge, credentials, request, random), /nc=00000002/);
  assert.ok(!first.includes('Circle'));
});

test('the best that is offered is taken, and what is not known is not', () => {
  const both =
    'Basic realm="a", Digest realm="a", nonce="n", algorithm=MD5, Digest realm="a", nonce="m", algorithm=SHA-256';
  const challenge = parseChallenge(both);
  assert.ok(challenge?.scheme === 'digest' && challenge.nonce === 'm');
  for (const header of [
    undefined,
    '',
    'Negotiate',
    'Bearer realm="x"',
    'Digest realm="x", nonce="n", qop="auth-int"',
  ]) {
    assert.equal(parseChallenge(header), undefined, String(header));
  }
});
