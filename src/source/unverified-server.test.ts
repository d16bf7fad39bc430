import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../secret.ts';
import { missingVerification } from './unverified-server.ts';

test('a server on another machine whose certificate is not checked is told', () => {
  for (const [url, missing] of [
    ['postgres://u:p@db.example/shop', 'sslmode=verify-full'],
    ['postgres://u:p@db.example/shop?sslmode=require', 'sslmode=verify-full'],
    ['postgres://u:p@db.example/shop?sslmode=verify-full', undefined],
    ['postgres://u:p@127.0.0.1/shop', undefined],
    ['postgres:///shop?host=/run/postgresql', undefined],
    ['mysql://u:p@10.0.0.5/shop', 'ssl-mode=VERIFY_IDENTITY'],
    ['mariadb://u:p@10.0.0.5/shop?ssl-mode=VERIFY_IDENTITY', undefined],
    ['mysql://u:p@localhost/shop', undefined],
    ['mysql://u:p@h/shop?ssl-mode=maybe', undefined],
    ['sqlite:shop.db', undefined],
  ] as const) {
    assert.equal(missingVerification(new Secret(url)), missing, url);
  }
});
