import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { findPassword } from './password-file.ts';
import { parsePostgresUrl, postgresPlaceOf, toolVariables } from './postgres-address.ts';

const parse = (url: string) => parsePostgresUrl(new Secret(url));
let before: string | undefined;
beforeEach(() => {
  before = process.env['PGPASSWORD'];
  delete process.env['PGPASSWORD'];
});
afterEach(() => {
  if (before === undefined) delete process.env['PGPASSWORD'];
  else process.env['PGPASSWORD'] = before;
});

describe('parsePostgresUrl', () => {
  it('reads all parts, with percent-encoding', () => {
    const { password, ...rest } = parse(
      'postgresql://u%40x:p%2Fw@db.example:5433/my%20app?sslmode=verify-full&sslrootcert=/ca.pem',
    );
    assert.equal(password?.reveal(), 'p/w');
    assert.deepEqual(rest, {
      host: 'db.example',
      port: 5433,
      user: 'u@x',
      database: 'my app',
      sslMode: 'verify-full',
      sslRootCertPath: '/ca.pem',
      label: 'postgres://u%40x@db.example:5433/my%20app',
    });
  });

  it('takes sockets in every form in which they are written', () => {
    for (const url of [
      'postgres://me@/app?host=/run/pg&port=5433',
      'postgres://me@%2Frun%2Fpg:5433/app',
      'postgres://me@:5433/app?host=/run/pg',
    ]) {
      const { host, port, user, sslMode, label } = parse(url);
      assert.deepEqual([host, port, user, sslMode], ['/run/pg', 5433, 'me', 'disable'], url);
      assert.equal(label, 'postgres://me@/app?host=/run/pg&port=5433');
      assert.equal(parse(label).host, '/run/pg');
    }
    assert.equal(parse('postgres:///app?host=/run/pg').host, '/run/pg');
    assert.equal(parse('postgres://[::1]/app').host, '::1');
  });

  it('takes the password of the environment where the URL has none', () => {
    assert.equal(parse('postgres://me@h/app').password, undefined);
    process.env['PGPASSWORD'] = 'from outside';
    assert.equal(parse('postgres://me@h/app').password?.reveal(), 'from outside');
    assert.equal(parse('postgres://me:own@h/app').password?.reveal(), 'own');
  });

  it('asks an authority that is named, and encrypts where it can otherwise', () => {
    assert.equal(parse('postgres://h/app').sslMode, 'prefer');
    assert.equal(parse('postgres://h/app?sslmode=require').sslMode, 'require');
    assert.equal(parse('postgres://h/app?sslmode=require&sslrootcert=ca').sslMode, 'verify-ca');
  });

  it('refuses what it does not understand, without a password', () => {
    for (const [url, text] of [
      ['postgres://u:canary@h', 'names no database'],
      ['postgres://u:canary@h:0/a', 'port'],
      ['postgres://u:canary@h:99999/a', 'not valid'],
      ['postgres://u:canary@h/a?sslmod=require', 'sslmod'],
      ['postgres://u:canary@h/a?sslmode=maybe', 'sslmode is one of'],
      ['postgres://u:canary@h/%E0%A4%A', 'percent-encoding'],
      ['mysql://u:canary@h/a', 'mysql:'],
      ['canary', 'not valid'],
      // A password that is not percent-encoded ends early, and its rest is taken for a name.
      ['postgres://u:12/canary@h/a', '%2F'],
      ['postgres://u:12?canary@h/a', '%3F'],
      ['postgres://u:12#canary@h/a', '%23'],
      ['postgres://u:p@h/a?canary 7=x', 'a parameter that is unknown'],
    ] as const) {
      assert.throws(
        () => parse(url),
        (error) => {
          assert.ok(error instanceof HoldfastError && error.code === 'usage.invalid');
          assert.ok(error.message.includes(text), error.message);
          return !`${error.message}${error.hint}`.includes('canary');
        },
      );
    }
  });

  it('gives two URLs of one database one place', () => {
    assert.equal(postgresPlaceOf('postgres://a:b@h/app'), postgresPlaceOf('postgresql://c@h:5432/app?sslmode=require'));
    assert.notEqual(postgresPlaceOf('postgres://h/app'), postgresPlaceOf('postgres://h/app2'));
  });

  it('gives tools everything by environment', () => {
    const variables = toolVariables(parse('postgres://u:pw@h:1/app?sslmode=disable'), 'other');
    assert.ok(variables['PGPASSWORD'] instanceof Secret);
    assert.deepEqual([variables['PGHOST'], variables['PGDATABASE'], variables['PGSSLMODE']], ['h', 'other', 'disable']);
  });
});

describe('findPassword', () => {
  const address = parse('postgres://me@h:5433/app');
  const find = (text: string) => findPassword(text, address, 'app')?.reveal();

  it('takes the first line that fits', () => {
    assert.equal(find('# h:5433:app:me:no\nother:*:*:*:a\n*:5433:app:me:yes\n*:*:*:*:late\n'), 'yes');
    assert.equal(find('h:5432:*:*:no'), undefined);
    assert.equal(find('h:5433:app:me'), undefined);
  });

  it('takes colons and backslashes of a password as they are written', () => {
    assert.equal(find('h:*:*:me:a\\:b\\\\c:d'), 'a:b\\c:d');
    assert.equal(findPassword('localhost:*:*:*:s', parse('postgres://me@/a?host=/run'), 'a')?.reveal(), 's');
  });
});
