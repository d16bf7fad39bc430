import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type MariadbServer, startMariadb } from '../../../test/mysql/mariadb-server.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { Secret } from '../../secret.ts';
import { collectSource } from '../../testing/source-cases.ts';
import { MysqlSource } from './mysql-source.ts';

leaveOutWithout('mariadb');

let server: MariadbServer;
before(async () => {
  server = await startMariadb();
});
after(async () => await server?.stop());

/** What the backup of one table with these columns and rows reports, as `code path message`. */
async function reported(columns: string, rows: string, options: object = {}): Promise<string[]> {
  await server.query('CREATE OR REPLACE DATABASE app', "SET sql_mode = ''", `CREATE TABLE app.measure (${columns})`);
  await server.query("SET sql_mode = ''", `INSERT INTO app.measure VALUES ${rows}`);
  const source = new MysqlSource({ url: new Secret(server.url('app')), ...options });
  const { problems } = await collectSource(source);
  return problems.map(({ code, path, message }) => `${code} ${path} ${message}`);
}

describe('values that the dump tool changes', () => {
  it('are reported where FLOAT has more than six digits, and only there', async () => {
    for (const method of ['copy', 'dump']) {
      const [problem = '', ...others] = await reported('a int, `b``c` float', '(1, 0.5), (2, 16777216)', { method });
      assert.match(problem, /^source\.unsupported measure column b`c: .*six digits/);
      assert.deepEqual(others, []);
    }
    const exact = "(1, 0.1), (2, -1.5e-38), (3, 123456), (4, NULL), (5, 3.40282e38), (6, '-0e0')";
    assert.deepEqual(await reported('a int, b float', exact), []);
    assert.deepEqual(await reported('a int, b double, c decimal(20, 3)', '(1, 16777216.5, 12345678901234.567)'), []);
  });

  it('are reported where an error value meets an empty text among the values, and only there', async () => {
    const both = "a enum('', 'x')";
    assert.match(
      (await reported(both, "('none of these')")).join(),
      /^source\.unsupported measure column a: error values/,
    );
    assert.deepEqual(await reported(both, "(''), ('x'), (NULL)"), []);
    assert.deepEqual(await reported("a enum('x', 'y')", "('none of these')"), []);
  });

  it('are not looked for in tables and columns that are not backed up', async () => {
    assert.deepEqual(await reported('a double, b float AS (a)', '(16777216, DEFAULT)'), []);
    const excluded = await reported('a float', '(16777216)').then(async () => {
      await server.query('CREATE TABLE app.other (n int)');
      const source = new MysqlSource({ url: new Secret(server.url('app')), excludeTables: ['measure'] });
      return (await collectSource(source)).problems;
    });
    assert.deepEqual(excluded, []);
  });
});
