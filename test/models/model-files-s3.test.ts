/** Rows that name objects in S3, on a real server. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, suite, test } from 'node:test';
import { restoreBackup } from '../../src/operation/restore.ts';
import { Secret } from '../../src/secret.ts';
import { auditFiles } from '../../src/source/model/files/audit-files.ts';
import type { ModelFiles } from '../../src/source/model/files/model-files.ts';
import { openModelReader } from '../../src/source/model/open-reader.ts';
import type { S3Storage } from '../../src/storage/s3/s3-storage.ts';
import { makeBucket, openBucket, plainClient } from '../s3/open-bucket.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type RgwService, startRgw } from '../services/start-rgw.ts';
import { ModelArchives } from './model-archive.ts';

leaveOutWithout('rgw16');

suite('objects of S3 that rows name', () => {
  const archives = new ModelArchives();
  let server: RgwService;
  let scans: S3Storage;
  let fresh: S3Storage;

  before(async () => {
    server = await startRgw();
    const client = plainClient(server);
    [scans, fresh] = [
      await openBucket(server, await makeBucket(client)),
      await openBucket(server, await makeBucket(client)),
    ];
    client.destroy();
  });

  after(async () => {
    archives.remove();
    await scans?.close();
    await fresh?.close();
    await server?.stop();
  });

  const put = async (name: string, bytes: Buffer) => {
    const writer = await scans.writer(name, { copies: 1, expectedSizeBytes: bytes.length });
    await writer.write(bytes);
    await writer.commit();
  };

  const bytesOf = async (storage: S3Storage, name: string) => {
    const object = await storage.open(name);
    const bytes = Buffer.alloc(object.sizeBytes);
    await object.read(0, bytes);
    await object.close();
    return bytes;
  };

  const namesOf = async (storage: S3Storage) => {
    const names: string[] = [];
    for await (const { name } of storage.list()) names.push(name);
    return names.sort();
  };

  test('go along, come back into another bucket, and are told where one is missing', async () => {
    const path = archives.path('app.db');
    const database = new DatabaseSync(path);
    database.exec(`CREATE TABLE invoice (id INTEGER PRIMARY KEY, scan TEXT);
      INSERT INTO invoice VALUES (1, '2026/a b.png'), (2, '2026/a b.png'), (3, '2026/größe.png'), (4, NULL)`);
    const large = Buffer.alloc(6_000_000, 'x');
    await put('scans/2026/a b.png', Buffer.from('a'));
    await put('scans/2026/größe.png', large);
    await put('scans/stray.png', Buffer.from('no row names it'));
    const files: ModelFiles = {
      columns: [
        { table: { name: 'invoice' }, column: 'scan', place: { kind: 'file', storage: 'scans', prefix: 'scans/' } },
      ],
      roots: [],
      folder: '.',
      storages: { scans },
    };
    const { archive, report } = await archives.backUp(`sqlite:${path}`, { files });
    assert.deepEqual(report.problems, []);
    const to = `sqlite:${archives.path('copy.db')}`;
    const mediaTo = [{ label: 'fresh', storage: fresh, tree: 'scans' }];
    await restoreBackup({ archive, to: [to], models: { createSchema: true }, mediaTo, threads: 0 });
    assert.deepEqual(await namesOf(fresh), ['scans/2026/a b.png', 'scans/2026/größe.png']);
    assert.ok((await bytesOf(fresh, 'scans/2026/größe.png')).equals(large));
    assert.equal(
      new DatabaseSync(to.slice('sqlite:'.length)).prepare('SELECT count(*) AS n FROM invoice').get()?.['n'],
      4,
    );

    await scans.delete('scans/2026/a b.png');
    const second = await archives.backUp(`sqlite:${path}`, { files });
    assert.deepEqual(
      second.report.problems.map(({ code, message }) => `${code}: ${message}`),
      ['source.vanished: it is not there; invoice:1 names it in scan, as do 1 more'],
    );
    const reader = await openModelReader({ url: new Secret(`sqlite:${path}`), timeoutMs: 10_000 });
    try {
      const { models } = await reader.discover();
      const [audit] = await auditFiles({ reader, models, files, temporaryFolder: archives.folder });
      assert.deepEqual(
        audit?.rowsWithoutFiles.map((one) => [one.row, one.rowCount]),
        [['invoice:1', 2]],
      );
      assert.deepEqual(
        audit?.filesWithoutRows.map((one) => one.path),
        ['scans/stray.png'],
      );
    } finally {
      await reader.close();
    }
    database.close();
  });
});
