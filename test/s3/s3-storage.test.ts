/** What S3 does beyond the contract: parts and their rules, conflicts, versions, locks, leftovers, errors, and whole archives. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  CreateMultipartUploadCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { createBackup, FilesSource, HoldfastError, restoreBackup, Secret, validateBackup } from '../../src/index.ts';
import { openS3Storage, s3Adapter } from '../../src/storage/s3/s3-adapter.ts';
import { retryStorage } from '../../src/storage/wrap/retry.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { assertCode, get, listNames, put, readAll } from '../../src/testing/storage-case.ts';
import { assertOneCreates } from '../../src/testing/storage-write-cases.ts';
import { describeTree, makeWorkspace } from '../end-to-end/workspace.ts';
import { startHttpProxy } from '../services/faulty-proxy.ts';
import { leftOut } from '../services/service-packages.ts';
import { type RgwService, startRgw } from '../services/start-rgw.ts';
import { impatient, makeBucket, openBucket, plainClient } from './open-bucket.ts';
import { startRulesProxy } from './part-rules.ts';

const workspace = makeWorkspace('s3');
const mebibyte = 2 ** 20;
const dayMs = 24 * 60 * 60 * 1000;

for (const version of [16, 20] as const) {
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

    test('of several who make one object at once one does', async () => {
      const storage = await openBucket(server, await makeBucket(client));
      await assertOneCreates(storage);
      await storage.close();
    });

    for (const equalParts of [false, true]) {
      const rule = equalParts ? 'equal parts' : 'parts of 5 MiB at least';
      test(`two copies keep the rule of ${rule}, whatever their length`, async () => {
        await using proxy = await startRulesProxy(server.port, { equalParts });
        const preset = equalParts ? 'r2' : 'aws';
        const input = { endpointUrl: `http://127.0.0.1:${proxy.port}`, preset, region: 'us-east-1' } as const;
        const storage = await openBucket(server, await makeBucket(client), { input });
        const run = new SeededRandom(version).bytes(equalParts ? 17 * mebibyte + 4096 : 16 * mebibyte + 1);
        const writer = await storage.writer('x.holdfast', { copies: 2, expectedSizeBytes: run.length });
        await writer.write(run);
        await writer.commit();
        const access = await storage.open('x.holdfast');
        const stored = await readAll(access);
        await access.close();
        assert.equal(Buffer.compare(stored, Buffer.concat([run, run])), 0);
        const parts = proxy.completed.at(-1) ?? [];
        if (equalParts) assert.equal(parts.length, 3);
        else
          assert.deepEqual(
            parts.map((part) => part.number),
            [1, 2, 3, 5001, 5002, 5003],
          );
        const left = await client.send(new ListObjectsV2Command({ Bucket: bucketOf(storage.url('')) }));
        assert.deepEqual(
          left.Contents?.map((each) => each.Key),
          ['x.holdfast'],
        );
        await storage.close();
      });
    }

    for (const preset of ['aws', 'r2'] as const) {
      test(`a size that nobody knew is uploaded in stretches, of which ${preset} makes the copies`, async () => {
        await using proxy = await startRulesProxy(server.port, { equalParts: preset === 'r2' });
        const input = { endpointUrl: `http://127.0.0.1:${proxy.port}`, preset, region: 'us-east-1' } as const;
        const bucket = await makeBucket(client);
        // Of two parts each: 16 MiB, and 32 MiB where they have to be alike; then a part of more than fits in memory has a seam.
        const storage = await openBucket(server, bucket, { input, limits: { stretchParts: 2, copiedParts: 4 } });
        const run = new SeededRandom(version).bytes(37 * mebibyte + 4096);
        for (const copies of [2, 1]) {
          const writer = await storage.writer('x.holdfast', { copies });
          for (let done = 0; done < run.length; done += 3_000_000)
            await writer.write(run.subarray(done, done + 3_000_000));
          await writer.commit(async (access) => {
            const expected = Buffer.concat(Array.from({ length: copies }, () => run));
            assert.equal(Buffer.compare(await readAll(access), expected), 0);
          });
          assert.equal((await storage.stat('x.holdfast')).sizeBytes, copies * run.length);
          await assertAlone(bucket, ['x.holdfast']);
        }
        const refused = await storage.writer('y.holdfast', { copies: 2 });
        await refused.write(run);
        const check = async () => Promise.reject(new HoldfastError('archive.verify_failed'));
        await assertCode(refused.commit(check), 'archive.verify_failed');
        const left = await storage.writer('y.holdfast', { copies: 2 });
        await left.write(run);
        await left.abort();
        await assertAlone(bucket, ['x.holdfast']);
        await storage.close();
      });
    }

    /** Only these objects are in a bucket, and no upload. */
    async function assertAlone(bucket: string, keys: readonly string[]): Promise<void> {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
      assert.deepEqual(
        Contents.map(({ Key }) => Key),
        keys,
      );
      const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
      assert.deepEqual(Uploads ?? [], []);
    }

    test('the proxy refuses what breaks a rule, and nothing of it stays', async () => {
      await using proxy = await startRulesProxy(server.port, { equalParts: true });
      const input = { endpointUrl: `http://127.0.0.1:${proxy.port}` };
      const bucket = await makeBucket(client);
      const storage = await openBucket(server, bucket, { input });
      const expectedSizeBytes = 16 * mebibyte;
      const writer = await storage.writer('x.holdfast', { copies: 2, expectedSizeBytes });
      await writer.write(new Uint8Array(expectedSizeBytes));
      await assertCode(writer.commit(), 'storage.failed');
      assert.deepEqual(await listNames(storage), []);
      const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
      assert.deepEqual(Uploads ?? [], []);
      await storage.close();
    });

    test('an archive of two copies is made, verified, and restored, in part and whole', async () => {
      const tree = join(workspace, `tree-${version}`);
      mkdirSync(join(tree, 'deep'), { recursive: true });
      const random = new SeededRandom(version);
      for (let index = 0; index < 12; index += 1) writeFileSync(join(tree, `f${index}`), random.bytes(mebibyte));
      writeFileSync(join(tree, 'deep/one'), 'one');
      const storage = await openBucket(server, await makeBucket(client));
      const archive = { storage, name: 'daily/shop.holdfast' };
      const keys = { passphrases: [new Secret('a passphrase of tests')] };
      const backup = await createBackup({
        sources: [new FilesSource({ path: tree })],
        output: archive,
        keys,
        threads: 1,
      });
      assert.equal(backup.output, `s3://${bucketOf(storage.url(''))}/daily/shop.holdfast`);
      assert.equal((await validateBackup({ archive, keys, threads: 1 })).state, 'intact');
      const one = join(workspace, `one-${version}`);
      await restoreBackup({ archive, keys, only: ['files/**/one'], filesTo: one, threads: 1 });
      const all = join(workspace, `all-${version}`);
      await restoreBackup({ archive, keys, filesTo: all, threads: 1 });
      const name = `tree-${version}`;
      assert.deepEqual(
        await describeTree(join(all, name), { times: false }),
        await describeTree(tree, { times: false }),
      );
      assert.match((await describeTree(one, { times: false })).join('\n'), /deep\/one/);
      await storage.close();
    });

    test('of two writers of a new name the second is refused, and the first stands', async () => {
      const storage = await openBucket(server, await makeBucket(client));
      const first = await storage.writer('x', { copies: 1 });
      const second = await storage.writer('x', { copies: 1 });
      await first.write(Buffer.from('first'));
      await second.write(Buffer.from('second'));
      await first.commit();
      await assertCode(second.commit(), 'storage.conflict');
      assert.equal(await get(storage, 'x'), 'first');
      await storage.close();
    });

    test('an object that is replaced while it is read is not read on', async () => {
      const storage = await openBucket(server, await makeBucket(client));
      const letters = 'a'.repeat(300_000);
      await put(storage, 'x', letters);
      const access = await storage.open('x');
      await put(storage, 'x', 'b'.repeat(300_000));
      await assertCode(access.read(200_000, new Uint8Array(10)), 'storage.unavailable');
      await access.close();
      await storage.close();
    });

    test('a lock is put on what was checked; a failing check leaves nothing that is locked', async () => {
      const bucket = await makeBucket(client, { objectLock: true });
      const input = { objectLock: { mode: 'GOVERNANCE', days: 3 } } as const;
      const storage = await openBucket(server, bucket, { input });
      const writer = await storage.writer('x', { copies: 2 });
      await writer.write(Buffer.from('x'));
      await assertCode(
        writer.commit(async () => Promise.reject(new HoldfastError('archive.verify_failed'))),
        'archive.verify_failed',
      );
      assert.deepEqual(await listNames(storage), []);
      const startMs = Math.floor(Date.now() / 1000) * 1000;
      const { modifiedMs } = await put(storage, 'x', 'kept');
      const { Retention } = await client.send(new GetObjectRetentionCommand({ Bucket: bucket, Key: 'x' }));
      assert.equal(Retention?.Mode, 'GOVERNANCE');
      // An RGW takes the lock itself for a modification, so that the time may be a second later by then.
      const madeMs = (Retention?.RetainUntilDate?.getTime() ?? 0) - 3 * dayMs;
      assert.ok(madeMs >= startMs && madeMs <= modifiedMs, `${madeMs} is not from ${startMs} to ${modifiedMs}`);
      const { VersionId } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'x' }));
      assert.ok(VersionId);
      await storage.close();
      const plain = await openBucket(server, await makeBucket(client), { input });
      await assertCode(put(plain, 'x', 'x'), 'config.invalid');
      assert.deepEqual(await listNames(plain), []);
      await plain.close();
    });

    test('in a versioned bucket a failing check leaves no version', async () => {
      const bucket = await makeBucket(client);
      const VersioningConfiguration = { Status: 'Enabled' } as const;
      await client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
      const storage = await openBucket(server, bucket);
      await put(storage, 'x', 'old');
      const writer = await storage.writer('x', { copies: 1 });
      await writer.write(Buffer.from('bad'));
      await assertCode(
        writer.commit(async () => Promise.reject(new HoldfastError('archive.verify_failed'))),
        'archive.verify_failed',
      );
      assert.equal(await get(storage, 'x'), 'old');
      await storage.close();
    });

    test('uploads of dead runs are removed when nothing came for seven days; others stay', async () => {
      const bucket = await makeBucket(client);
      const begin = async (Key: string) => {
        const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
        await client.send(
          new UploadPartCommand({ Bucket: bucket, Key, UploadId, PartNumber: 1, Body: Buffer.from('x') }),
        );
      };
      const ours = ['shop/a.holdfast', 'shop/a.holdfast.3of5.9f3a6c01.2', 'shop/a.sql.gz.gpg'];
      const others = ['elsewhere.holdfast', 'shop/other.bin'];
      for (const key of [...ours, ...others]) await begin(key);
      const left = async () => {
        const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
        return (Uploads ?? []).map((upload) => upload.Key).sort();
      };
      const write = async (nowMs: number) => {
        const { accessKey, secretKey, url } = server;
        const input = { backend: 's3', bucket, endpointUrl: url, accessKey, secretKey, prefix: 'shop' };
        const clock = { nowMs: () => nowMs, monotonicMs: () => 0 };
        const storage = await openS3Storage(s3Adapter.schema.parse(input), { folder: '/', clock }, impatient);
        await put(storage, 'b.holdfast', 'b');
        await storage.close();
      };
      await write(Date.now() + 7 * dayMs - 60_000);
      assert.deepEqual(await left(), [...ours, ...others].sort());
      await write(Date.now() + 7 * dayMs + 60_000);
      assert.deepEqual(await left(), others);
    });

    test('a clean-up that fails once is made again by the next writer', async () => {
      let failures = 1;
      await using proxy = await startHttpProxy(server.port, ({ path }) => {
        if (!/[?&]uploads\b/.test(path) || failures === 0) return undefined;
        failures -= 1;
        return { how: 'answer', status: 503, body: '<Error><Code>SlowDown</Code></Error>' };
      });
      const input = { endpointUrl: `http://127.0.0.1:${proxy.port}` };
      const patience = { attempts: 1 };
      const inner = await openBucket(server, await makeBucket(client), { input, patience });
      const storage = retryStorage(inner, { tries: 2, wait: async () => undefined });
      await put(storage, 'x.holdfast', 'x');
      assert.equal(failures, 0);
      assert.deepEqual(await listNames(storage), ['x.holdfast']);
      await storage.close();
    });

    test('an abort in mid-upload leaves no upload behind', async () => {
      const bucket = await makeBucket(client);
      const storage = await openBucket(server, bucket);
      const writer = await storage.writer('x.holdfast', { copies: 2 });
      const writing = writer.write(new Uint8Array(30 * mebibyte));
      await Promise.all([writer.abort(), assertCode(writing, 'operation.interrupted')]);
      const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
      assert.deepEqual(Uploads ?? [], []);
      assert.deepEqual(await listNames(storage), []);
      await storage.close();
    });
  });
}

function bucketOf(url: string): string {
  return new URL(url).host;
}
