/** The promises of media storages, held on memory, local disk, and S3. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { S3Client } from '@aws-sdk/client-s3';
import { LocalStorage } from '../../src/storage/local/local-storage.ts';
import { MediaStorage } from '../../src/storage/media/media-storage.ts';
import { MemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { prefixStorage } from '../../src/storage/wrap/prefix.ts';
import { retryStorage } from '../../src/storage/wrap/retry.ts';
import { type MediaNeed, mediaStorageCases } from '../../src/testing/media-storage-cases.ts';
import { makeBucket, openBucket, plainClient } from '../s3/open-bucket.ts';
import { leftOut } from '../services/service-packages.ts';
import { type RgwService, startRgw } from '../services/start-rgw.ts';

function hold(make: () => Promise<Storage>, lacks: Partial<Record<MediaNeed, string>> = {}): void {
  for (const { name, needs, run } of mediaStorageCases) {
    test(name, { skip: (needs && lacks[needs]) ?? false }, () => run(make));
  }
}

const unsigned = { 'signed URLs': 'there is no server that would check them' };

describe('on memory', () => hold(async () => new MemoryStorage(), unsigned));

describe('on memory, below a prefix and with retries', () => {
  hold(async () => retryStorage(prefixStorage(new MemoryStorage(), 'a/b')), unsigned);
});

describe('on local disk', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-media-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));
  hold(async () => new LocalStorage({ root: await mkdtemp(join(folder, 'root-')) }), {
    ...unsigned,
    headers: 'a file has none',
  });
});

describe('on S3', { skip: leftOut('rgw16') }, () => {
  let server: RgwService;
  let client: S3Client;
  before(async () => {
    server = await startRgw();
    client = plainClient(server);
  });
  after(async () => {
    client.destroy();
    await server.stop();
  });
  test('where conditions are not known to hold, every name has a suffix', async () => {
    await using media = new MediaStorage({ storage: await openBucket(server, await makeBucket(client)) });
    const names = await Promise.all(Array.from({ length: 8 }, () => media.save('a b.txt', 'x')));
    assert.equal(new Set(names).size, 8);
    for (const name of names) assert.match(name, /^a b_[a-z2-7]{8}\.txt$/);
  });
  describe('as Amazon, below a prefix', () => {
    const input = {
      preset: 'aws',
      region: 'us-east-1',
      checksums: false,
      pathStyle: true,
      prefix: 'shop/media',
    } as const;
    hold(async () => retryStorage(await openBucket(server, await makeBucket(client), { input })));
  });
});
