import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { mysqlPlaceOf, parseMysqlUrl } from './mysql-address.ts';
import { lockName, sideKind, sideName, undoName } from './side-names.ts';
import { pathPart } from './sql-text.ts';

const parse = (url: string) => parseMysqlUrl(new Secret(url));

describe('a URL of MySQL or MariaDB', () => {
  it('gives user, password, host, port, database, and how it is encrypted', () => {
    const { password, ...rest } = parse(
      'mariadb://us%40er:p%3A%2F@db.example:3307/my%20app?ssl-mode=verify_identity&ssl-ca=/ca.pem',
    );
    assert.equal(password?.reveal(), 'p:/');
    assert.deepEqual(rest, {
      scheme: 'mariadb',
      host: 'db.example',
      port: 3307,
      user: 'us@er',
      database: 'my app',
      sslMode: 'VERIFY_IDENTITY',
      sslCaPath: '/ca.pem',
      label: 'mariadb://us%40er@db.example:3307/my%20app',
    });
  });

  it('may name a socket, or an address of IPv6, and leaves out what is usual', () => {
    assert.equal(parse('mysql://root@localhost/a?socket=/run/my.sock').socketPath, '/run/my.sock');
    assert.equal(parse('mysql://root@[::1]/a').host, '::1');
    const { host, port, sslMode } = parse('mysql://root@localhost/a');
    assert.deepEqual({ host, port, sslMode }, { host: 'localhost', port: 3306, sslMode: 'PREFERRED' });
  });

  it('that says something else is refused, and its password stands in no message', () => {
    const urls = [
      'mysql://u:canary@h',
      'mysql://u:canary@h/',
      'mysql://u:canary@h/a?sslmode=x',
      'mysql://u:canary@h/a?ssl-mode=maybe',
      'mysql://u:canary@h/a?ssl-mode=VERIFY_CA',
      'mysql://u:canary@h/a?charset=latin1',
      'mysql://u:canary%zz@h/a',
      'mysql://u:canary@h:port/a',
      'postgres://u:canary@h/a',
      'mysql://u:12/canary@h/a',
      'mysql://u:12?canary@h/a',
      'mysql://u:12#canary@h/a',
      'canary',
    ];
    for (const url of urls) {
      assert.throws(
        () => parse(url),
        (error) => {
          assert.ok(error instanceof HoldfastError && error.code === 'usage.invalid', url);
          assert.doesNotMatch(JSON.stringify(error) + error.stack + error.message, /canary/);
          return true;
        },
        url,
      );
    }
  });

  it('has one place for all accounts', () => {
    assert.equal(mysqlPlaceOf('mysql://a:b@h/x'), mysqlPlaceOf('mariadb://c@h:3306/x'));
    assert.notEqual(mysqlPlaceOf('mysql://a@h/x'), mysqlPlaceOf('mysql://a@h/y'));
  });
});

describe('names', () => {
  const name = fc.string({ minLength: 1, maxLength: 64, unit: 'binary' });

  it('become parts of paths that are told apart, and read back', () => {
    fc.assert(
      fc.property(name, (some) => {
        const part = pathPart(some);
        assert.ok(part !== '' && part !== '.' && part !== '..');
        assert.ok(![...part].some((character) => character === '/' || character === '\\' || character < ' '));
        assert.equal(
          part.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
          some,
        );
      }),
    );
  });

  it('of databases beside another one fit the server and are known again, whatever its length', () => {
    const random = { bytes: (sizeBytes: number) => new Uint8Array(sizeBytes).fill(7) };
    for (const length of [1, 39, 40, 41, 64]) {
      const database = 'd'.repeat(length);
      for (const [made, kind] of [
        [sideName(database, random), 'side'],
        [undoName(database, random), 'undo'],
      ] as const) {
        assert.ok(made.length <= 64, made);
        assert.equal(sideKind(database, made), kind);
        assert.equal(sideKind(`${database.slice(0, -1)}e`, made), undefined);
      }
      assert.ok(lockName(database).length <= 64);
    }
    assert.equal(sideKind('app', 'app__holdfast_mine'), undefined);
    assert.equal(sideKind('app', 'app'), undefined);
  });
});
