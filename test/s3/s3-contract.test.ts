/** The contract of storages, held by S3 against an old server and a strict one. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { S3Client } from '@aws-sdk/client-s3';
import { checkStorage } from '../../src/operation/check-storage.ts';
import { storageCases } from '../../src/testing/storage-cases.ts';
import { leftOut } from '../services/service-packages.ts';
import { type RgwService, startRgw } from '../services/start-rgw.ts';
import { fillBucket, makeBucket, openBucket, plainClient, type S3Input } from './open-bucket.ts';

const servers: readonly { version: 16 | 20; inputs: Readonly<Record<string, S3Input>> }[] = [
  { version: 16, inputs: { 'with the settings of an unknown server': {}, 'as R2': { preset: 'r2' } } },
  { version: 20, inputs: { 'with a prefix and checksums': { prefix: 'shop/daily', checksums: true } } },
];

for (const { version, inputs } of servers) {
  describe(`Ceph RGW ${version}`, { skip: leftOut(`rgw${version}`) }, () => {
    let server: RgwService;
    let client: S3Client;
    before(async () => {
      server = await startRgw({ version });
      client = plainClient(server);
    });
    after(async () => {
      client.destroy();
      await server.stop();
    });

    test('the check that a user runs passes whole', async () => {
      const storage = await openBucket(server, await makeBucket(client));
      const { passed, steps } = await checkStorage({ storage });
      assert.deepEqual(
        steps.filter(({ state }) => state === 'failed'),
        [],
      );
      assert.ok(passed);
      await storage.close();
    });

    for (const [way, input] of Object.entries(inputs)) {
      describe(way, () => {
        const prefix = input.prefix === undefined ? '' : `${input.prefix}/`;
        for (const each of storageCases) {
          test(each.name, async () => {
            const bucket = await makeBucket(client);
            const fill = (names: readonly string[]) =>
              fillBucket(
                client,
                bucket,
                names.map((name) => prefix + name),
              );
            await each.run(() => openBucket(server, bucket, { input }), fill);
          });
        }
      });
    }
  });
}
