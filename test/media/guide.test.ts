/** The guide to media storages tells the truth: its example runs, its policies are enough, and each right of them is needed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { PutBucketPolicyCommand, type S3Client } from '@aws-sdk/client-s3';
import { createBackup, MediaSource, MemoryStorage } from '../../src/index.ts';
import { MediaStorage } from '../../src/storage/media/media-storage.ts';
import { assertCode, put } from '../../src/testing/storage-case.ts';
import { keepUpload } from '../examples/media-storage.ts';
import { makeBucket, openBucket, plainClient } from '../s3/open-bucket.ts';
import { leftOut } from '../services/service-packages.ts';
import { type RgwService, type RgwUser, startRgw } from '../services/start-rgw.ts';

interface Policy {
  readonly Statement: readonly { readonly Action: readonly string[]; readonly Resource: string }[];
}

const guide = readFileSync(new URL('../../docs/guides/media-storage.md', import.meta.url), 'utf8');
const [ofApplication, ofBackups] = [...guide.matchAll(/```json\n(.*?)```/gs)].map(
  ([, text = '']) => JSON.parse(text) as Policy,
);

test('the guide shows the example as it runs, and every variable', () => {
  const example = readFileSync(new URL('../examples/media-storage.ts', import.meta.url), 'utf8');
  assert.ok(guide.includes(example.replace('../../src/storage/index.ts', 'holdfast/storage').trim()));
  const code = readFileSync(new URL('../../src/storage/media/media-environment.ts', import.meta.url), 'utf8');
  for (const [, name = ''] of code.matchAll(/lookUp\('([A-Z0-9_]+)'\)/g)) {
    if (name !== 'AWS_DEFAULT_REGION' && name !== 'AWS_ENDPOINT_URL') assert.ok(guide.includes(`\`${name}\``), name);
  }
});

describe('against a server', { skip: leftOut('rgw16') }, () => {
  let server: RgwService;
  let client: S3Client;
  let user: RgwUser;
  before(async () => {
    server = await startRgw();
    client = plainClient(server);
    user = await server.createUser('limited');
  });
  after(async () => {
    client.destroy();
    await server.stop();
  });

  /** A bucket that the user has the rights of a policy on, but for one. */
  async function limitedBucket(policy: Policy | undefined, without?: string): Promise<string> {
    const bucket = await makeBucket(client);
    const statements = policy?.Statement.map((statement) => ({
      ...statement,
      Principal: { AWS: ['arn:aws:iam:::user/limited'] },
      Resource: statement.Resource.replace('shop-media', bucket),
      Action: statement.Action.filter((action) => action !== without),
    })).filter(({ Action }) => Action.length > 0);
    const text = JSON.stringify({ Version: '2012-10-17', Statement: statements });
    await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: text }));
    return bucket;
  }

  test('the example runs', async () => {
    const environment = {
      STORAGE_BUCKET_NAME: await makeBucket(client),
      AWS_ACCESS_KEY_ID: server.accessKey,
      AWS_SECRET_ACCESS_KEY: server.secretKey,
      AWS_ENDPOINT_URL_S3: server.url,
    };
    const told = await keepUpload(environment, new File(['picture'], 'me.png'));
    assert.match(told[0] ?? '', /^avatars\/me_[a-z2-7]{8}\.png$/);
    assert.match(told[1] ?? '', /X-Amz-Signature=/);
    assert.deepEqual(told.slice(2), ['7 bytes', told[0], 'image/png: picture', 'there: false']);
  });

  async function useAll(bucket: string): Promise<void> {
    await using media = new MediaStorage({ storage: await openBucket(server, bucket, { user }) });
    const name = await media.save('a.txt', 'x');
    assert.equal(await (await fetch(await media.url(name))).text(), 'x');
    const failing = async function* () {
      yield new Uint8Array(11 * 2 ** 20);
      throw new Error('broke off');
    };
    await assert.rejects(media.save('b.bin', failing()), /broke off/);
    for await (const file of media.list()) assert.equal(file.name, name);
    await media.delete(name);
    assert.equal(await media.exists(name), false);
  }

  test('an application needs each right of its policy, and no more', async () => {
    await useAll(await limitedBucket(ofApplication));
    // Who made an object reads it here without s3:GetObject.
    for (const right of ['s3:ListBucket', 's3:PutObject', 's3:DeleteObject']) {
      await assertCode(useAll(await limitedBucket(ofApplication, right)), 'storage.unauthorized');
    }
  });

  test('a backup needs each right of its policy, and no more', async () => {
    const backUp = async (bucket: string) => {
      const owner = await openBucket(server, bucket);
      await put(owner, 'a.txt', 'x');
      await owner.close();
      const open = () => openBucket(server, bucket, { user });
      const sources = [new MediaSource({ name: 'uploads', storage: open })];
      const output = { storage: new MemoryStorage(), name: 'a.holdfast' };
      return await createBackup({ threads: 1, sources, output, encryption: 'none' });
    };
    const { problems, entryCount } = await backUp(await limitedBucket(ofBackups));
    assert.deepEqual([problems, entryCount], [[], 2]);
    for (const right of ['s3:ListBucket', 's3:GetObject']) {
      await assertCode(backUp(await limitedBucket(ofBackups, right)), 'source.unreadable');
    }
  });
});
