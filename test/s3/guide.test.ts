/** The guide for S3 tells the truth: its configurations open, its policy is what Holdfast needs, and no more. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { CreateMultipartUploadCommand, PutBucketPolicyCommand, type S3Client } from '@aws-sdk/client-s3';
import { openS3Storage, s3Adapter } from '../../src/storage/s3/s3-adapter.ts';
import { s3Rights } from '../../src/storage/s3/s3-errors.ts';
import { s3Presets } from '../../src/storage/s3/s3-presets.ts';
import { assertCode, get, listNames, put } from '../../src/testing/storage-case.ts';
import { leftOut } from '../services/service-packages.ts';
import { type RgwService, type RgwUser, startRgw } from '../services/start-rgw.ts';
import { impatient, makeBucket, openBucket, plainClient } from './open-bucket.ts';

interface Statement {
  readonly Action: readonly string[];
  readonly Resource: string;
}

const guide = readFileSync(new URL('../../docs/guides/storage-s3.md', import.meta.url), 'utf8');
const blocks: readonly unknown[] = [...guide.matchAll(/```json\n(.*?)```/gs)].map(([, text = '']) => JSON.parse(text));
const configurations = blocks.filter((block) => s3Adapter.schema.safeParse(block).success);
const [policy] = blocks.filter((block): block is { Statement: Statement[] } => Object(block).Statement !== undefined);
const actions = policy?.Statement.flatMap((statement) => statement.Action) ?? [];

test('every configuration is valid and opens, and every kind of preset has one', async () => {
  assert.equal(configurations.length, blocks.length - 1);
  const presets = new Set<string>();
  for (const configuration of configurations) {
    const settings = s3Adapter.schema.parse(configuration);
    presets.add((settings.preset ?? 'none').replace(/-.*/, ''));
    const storage = await s3Adapter.open(settings, { folder: '/' });
    assert.deepEqual(storage.properties.warnings, []);
    await storage.close();
  }
  for (const preset of Object.keys(s3Presets)) assert.ok(presets.has(preset.replace(/-.*/, '')), preset);
});

test('the policy has the rights that errors name, and others have their line', () => {
  const needed = new Set<string>(Object.values(s3Rights).flat());
  for (const action of actions) assert.ok(needed.delete(action), `${action} is not needed`);
  assert.deepEqual([...needed], ['s3:PutObjectRetention']);
  assert.match(guide, /With `objectLock`: `s3:PutObjectRetention`/);
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

  /** A storage whose key has the guide's rights but for one. */
  async function limited(without?: string) {
    const bucket = await makeBucket(client);
    const statements = policy?.Statement.map((statement) => ({
      ...statement,
      Principal: { AWS: ['arn:aws:iam:::user/limited'] },
      Resource: statement.Resource.replace('example-backups', bucket),
      Action: statement.Action.filter((action) => action !== without),
    }));
    const text = JSON.stringify({ Version: '2012-10-17', Statement: statements });
    await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: text }));
    await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'left.holdfast' }));
    return await openBucket(server, bucket, { user });
  }

  async function useAll(storage: Awaited<ReturnType<typeof limited>>): Promise<void> {
    await put(storage, 'a.holdfast', 'new');
    await put(storage, 'a.holdfast', 'newer', 2);
    assert.equal(await get(storage, 'a.holdfast'), 'newernewer');
    const writer = await storage.writer('b.holdfast', { copies: 2 });
    await writer.write(new Uint8Array(40 * 2 ** 20));
    await writer.abort();
    assert.deepEqual(await listNames(storage), ['a.holdfast']);
    await storage.delete('a.holdfast');
  }

  test('the first configuration is run', async () => {
    const { accessKey, secretKey, url } = server;
    const bucket = await makeBucket(client);
    const here = { bucket, endpointUrl: url, accessKey, secretKey };
    const settings = s3Adapter.schema.parse({ ...Object(configurations[0]), ...here });
    const storage = await openS3Storage(settings, { folder: '/' }, impatient);
    await put(storage, 'a.holdfast', 'kept', 2);
    assert.equal(storage.url('a.holdfast'), `s3://${bucket}/shop/a.holdfast`);
    assert.equal(await get(storage, 'a.holdfast'), 'keptkept');
    await storage.close();
  });

  test('with the rights of the policy all works; each one that is missing is needed', async () => {
    const storage = await limited();
    await useAll(storage);
    await storage.close();
    // Who made an object reads it here without s3:GetObject.
    for (const right of ['s3:ListBucket', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload']) {
      const lacking = await limited(right);
      await assertCode(useAll(lacking), 'storage.unauthorized');
      await lacking.close();
    }
    const untidy = await limited('s3:ListBucketMultipartUploads');
    await useAll(untidy);
    await untidy.close();
  });
});
