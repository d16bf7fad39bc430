import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ftpAdapter } from './ftp-adapter.ts';

async function open(settings: Record<string, unknown>) {
  return await ftpAdapter.open(ftpAdapter.schema.parse({ backend: 'ftp', ...settings }), { folder: '/' });
}

test('settings of their own go before what the URL says', async () => {
  const fromUrl = await open({ url: 'ftps://me:p%40ss@ftp.example:2121/a%20b/c' });
  assert.equal(fromUrl.properties.place, 'ftps://ftp.example:2121/a b/c');
  assert.equal(fromUrl.url('x y'), 'ftps://ftp.example:2121/a%20b/c/x%20y');
  const other = await open({ url: 'ftps://me@ftp.example/a', host: 'other', port: 3, rootPath: '/b', secure: false });
  assert.equal(other.properties.place, 'ftp://other:3/b');
  assert.equal((await open({ host: 'ftp.example', username: 'me' })).properties.place, 'ftp://ftp.example:21/');
});

test('what passes in clear over a network is warned about', async () => {
  const warnings = async (url: string) => (await open({ url })).properties.warnings.length;
  assert.equal(await warnings('ftp://me@ftp.example'), 1);
  assert.equal(await warnings('ftps://me@ftp.example'), 0);
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) assert.equal(await warnings(`ftp://me@${host}`), 0);
});

test('with a base URL objects are shown there', async () => {
  const storage = await open({ url: 'ftp://me@127.0.0.1/a', baseUrl: 'https://files.example/shop/' });
  assert.equal(storage.url('daily/x y'), 'https://files.example/shop/daily/x%20y');
});

test('settings that make no sense are refused, without a word of the password', async () => {
  const bad = [
    [{}, /needs `host`/],
    [{ host: 'h' }, /needs `username`/],
    [{ url: 'http://me:s3cret@h' }, /is like ftp:/],
    [{ url: 'ftp://me:s3cret%@h' }, /%25/],
    [{ url: 's3cret' }, /is like ftp:/],
    [{ url: 'ftp://me:s3cret@h', ca: 'x' }, /`ca` is of no use/],
  ] as const;
  for (const [settings, message] of bad) {
    await assert.rejects(open(settings), (error: Error) => {
      assert.match(error.message, message);
      return !error.message.includes('s3cret');
    });
  }
  await assert.rejects(open({ url: 'ftps://me@h', ca: 'missing.pem' }), { code: 'storage.not_found' });
  const storage = await open({ url: 'ftp://me:s3cret@h/x' });
  assert.ok(!JSON.stringify([storage.properties, storage.url('x')]).includes('s3cret'));
});
