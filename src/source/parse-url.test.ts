import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { HoldfastError } from '../errors.ts';
import { Secret } from '../secret.ts';
import { engineOfEntry, engineOfUrl, engines } from './engines.ts';
import { sourceFromUrl } from './parse-url.ts';

describe('sourceFromUrl', () => {
  it('names the source by the file', async () => {
    const source = await sourceFromUrl('sqlite:no/such/app.main.db');
    assert.equal(source.name, 'app.main');
    await assert.rejects(source.describe({ report: () => {}, temporaryFolder: '/nowhere' }), (error) => {
      return (
        error instanceof HoldfastError &&
        error.code === 'source.not_found' &&
        error.message.includes(resolve('no/such/app.main.db'))
      );
    });
  });

  it('takes another name, and a URL that is a secret', async () => {
    assert.equal((await sourceFromUrl(new Secret('sqlite:app.db'), { name: 'shop' })).name, 'shop');
  });

  for (const url of ['', 'app.db', '/abs.db', 'oracle://user:canary@host/db', 'file:a.db']) {
    it(`refuses ${JSON.stringify(url)}, and says what is supported`, async () => {
      await assert.rejects(
        sourceFromUrl(url),
        (error) =>
          error instanceof HoldfastError &&
          error.code === 'usage.invalid' &&
          engines.every(({ urlForm }) => error.message.includes(urlForm)) &&
          !error.message.includes('canary'),
      );
    });
  }

  it('refuses settings that SQLite does not know', async () => {
    for (const settings of [{ excludeTables: ['a'] }, { includeTables: ['a'] }, { method: 'dump' as const }]) {
      await assert.rejects(sourceFromUrl('sqlite:app.db', settings), /SQLite/);
    }
  });
});

describe('engines', () => {
  it('have schemes and names of their own', () => {
    for (const key of ['schemes', 'names'] as const) {
      const all = engines.flatMap((engine) => engine[key]);
      assert.equal(new Set(all).size, all.length);
    }
  });

  it('are found by the scheme, in any case, and by what an entry tells', () => {
    assert.equal(engineOfUrl('SQLITE:a.db').name, 'sqlite');
    assert.equal(engineOfEntry({ kind: 'sqlite', metadata: {} })?.name, 'sqlite');
    assert.equal(engineOfEntry({ kind: 'table', metadata: { engine: 'oracle' } }), undefined);
  });
});
