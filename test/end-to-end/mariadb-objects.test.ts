/** A database of MariaDB with every type and object goes through an archive to another server. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createBackup, restoreBackup, sourceFromUrl } from '../../src/index.ts';
import { compareMariadb } from '../databases/compare-mariadb.ts';
import { makeMariadb } from '../databases/make-mariadb.ts';
import { leftOut } from '../services/service-packages.ts';
import { type MariadbService, startMariadb } from '../services/start-mariadb.ts';
import { makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('mariadb-objects');

describe('a database of MariaDB with every type and object', { skip: leftOut('mariadb') }, () => {
  let server: MariadbService;
  let other: MariadbService;
  before(async () => {
    [server, other] = await Promise.all([startMariadb(), startMariadb()]);
  });
  after(async () => await Promise.all([server.stop(), other.stop()]));

  for (const beyondTheTool of [false, true]) {
    it(beyondTheTool ? 'differs only where the backup said so' : 'comes back as it was', async () => {
      const name = beyondTheTool ? 'beyond' : 'app';
      const url = await server.createDatabase(name);
      await makeMariadb(url, { beyondTheTool });
      const archive = join(workspace, `${name}.holdfast`);
      const sources = [await sourceFromUrl(url)];
      const { problems } = await createBackup({ threads: 0, encryption: 'none', sources, output: archive });
      await restoreBackup({ archive, threads: 0, to: [other.urlOf(name)], mode: 'fresh' });
      const differences = await compareMariadb(url, other.urlOf(name));
      const tables = beyondTheTool ? ['empty_enum', 'exact_floats'] : [];
      assert.deepEqual(
        problems.map(({ path }) => path),
        tables,
      );
      assert.deepEqual(
        differences.map((difference) => /^rows of `(\w+)` differs/.exec(difference)?.[1] ?? difference),
        tables,
      );
    });
  }
});
