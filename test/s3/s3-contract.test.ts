/** The contract of storages, held by S3 against an old server and a strict one. */
import { after, before, describe, test } from 'node:test';
import type { S3Client } from '@aws-sdk/client-s3';
import { storageCases } from '../../src/testing/storage-cases.ts';
import { leftOut } from '../services/service-packages.ts';
import { type RgwService, startRgw } from '../services/start-rgw.ts';
import { fillBucket, makeBucket, openBucket, plainClient, type S3Input } from './open-bucket.ts';

/** Cases that a server cannot pass, and why. */
const leftOutCases: Readonly<Record<string, string>> = {
  'of two writers on one name the last commit stands, whole':
    'the second is refused, so that nothing is replaced that was not there when it began; tested on its own',
};

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

    for (const [way, input] of Object.entries(inputs)) {
      describe(way, () => {
        const prefix = input.prefix === undefined ? '' : `${input.prefix}/`;
        for (const each of storageCases) {
          test(each.name, { skip: leftOutCases[each.name] ?? false }, async () => {
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
