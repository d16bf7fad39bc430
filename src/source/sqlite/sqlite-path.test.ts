import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { sqlitePathFromUrl } from './sqlite-path.ts';

describe('sqlitePathFromUrl', () => {
  const good: [string, string][] = [
    ['sqlite:relative.db', 'relative.db'],
    ['sqlite:data/app.db', 'data/app.db'],
    ['sqlite:/abs.db', '/abs.db'],
    ['sqlite:///abs.db', '/abs.db'],
    ['sqlite:./x y.db', './x y.db'],
    ['sqlite:./x%20y%3F%25.db', './x y?%.db'],
    ['SQLite:a#b.db', 'a#b.db'],
    ['sqlite:///srv/%C3%A4.db', '/srv/ä.db'],
  ];
  for (const [url, path] of good) it(`reads ${url}`, () => assert.equal(sqlitePathFromUrl(url), path));

  const bad = [
    '',
    'app.db',
    '/abs.db',
    'sqlite:',
    'sqlite://',
    'sqlite:///',
    'sqlite:folder/',
    'sqlite://host/app.db',
    'sqlite::memory:',
  ].concat([
    'sqlite:a.db?mode=ro',
    'sqlite:100%.db',
    'sqlite:a%00.db',
    'postgres://user:canary@host/db',
    'mysql:x',
    'file:a.db',
  ]);
  for (const url of bad) {
    it(`refuses ${JSON.stringify(url)}, and says what is supported`, () => {
      assert.throws(
        () => sqlitePathFromUrl(url),
        (error) =>
          error instanceof HoldfastError &&
          error.code === 'usage.invalid' &&
          error.message.includes('sqlite:relative.db') &&
          !error.message.includes('canary'),
      );
    });
  }
});
