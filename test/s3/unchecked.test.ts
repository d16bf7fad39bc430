/** An object whose check failed while the network was gone stays, but nobody takes it for a backup, and a later run removes it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, beforeEach, test } from 'node:test';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { HoldfastError } from '../../src/index.ts';
import { assertCode, bytesOf, get, listNames, put } from '../../src/testing/storage-case.ts';
import { startHttpProxy } from '../services/faulty-proxy.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type RgwService, startRgw } from '../services/start-rgw.ts';
import { makeBucket, openBucket, plainClient } from './open-bucket.ts';

leaveOutWithout('rgw16');

const name = 'shop.holdfast';
let server: RgwService;
let client: S3Client;
let bucket: string;
before(async () => {
  server = await startRgw();
  client = plainClient(server);
});
after(async () => {
  client.destroy();
  await server.stop();
});
beforeEach(async () => {
  bucket = await makeBucket(client);
});

async function keys(): Promise<string[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key = '' }) => Key).sort();
}

/** Writes an object whose check fails, with the network gone from then on. */
async function leaveUnchecked(preset?: 'r2'): Promise<void> {
  let isGone = false;
  await using proxy = await startHttpProxy(server.port, () => (isGone ? { how: 'answer', status: 500 } : undefined));
  const input = { endpointUrl: `http://127.0.0.1:${proxy.port}`, ...(preset && { preset }) };
  const storage = await openBucket(server, bucket, { input });
  const writer = await storage.writer(name, { copies: 2 });
  // With the settings of R2 an object of one part is not put in its place before it was checked.
  await writer.write(preset === 'r2' ? new Uint8Array(17 * 2 ** 20) : bytesOf('wrong'));
  const commit = writer.commit(async () => {
    isGone = true;
    throw new HoldfastError('archive.verify_failed', { message: 'it is not as it was written' });
  });
  await assert.rejects(commit, (error) => {
    assert.ok(error instanceof HoldfastError && error.code === 'archive.verify_failed');
    assert.match(error.message, /could not be removed/);
    return true;
  });
  await storage.close();
}

/** Makes its mark one of a process that has ended. */
async function endMaker(): Promise<void> {
  const mark = (await keys()).find((key) => /\.[0-9a-f]{32}$/.test(key)) ?? '';
  const dead = mark.replace(/\/\d+-/, `/${spawnSync('true').pid}-`);
  await client.send(new CopyObjectCommand({ Bucket: bucket, Key: dead, CopySource: `${bucket}/${mark}` }));
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: mark }));
}

for (const preset of [undefined, 'r2'] as const) {
  test(`${preset ?? 'an unknown server'}: it is not listed, and the next run removes it`, async () => {
    await leaveUnchecked(preset);
    const storage = await openBucket(server, bucket);
    assert.ok((await keys()).includes(name));
    assert.deepEqual(await listNames(storage), []);
    await endMaker();
    await put(storage, 'other.holdfast', 'x');
    assert.deepEqual(await listNames(storage), ['other.holdfast']);
    const left = (await keys()).filter((key) => key === name || /\.[0-9a-f]{32}$/.test(key));
    assert.deepEqual(left, []);
    await storage.close();
  });
}

test('an archive that is written under its name is listed again', async () => {
  await leaveUnchecked();
  const storage = await openBucket(server, bucket);
  const writer = await storage.writer(name, { copies: 1 });
  await writer.write(bytesOf('right'));
  await writer.commit(async () => undefined);
  assert.deepEqual(await listNames(storage), [name]);
  assert.equal(await get(storage, name), 'right');
  assert.deepEqual(await keys(), [name]);
  await storage.close();
});

test('a mark of a dead run takes nothing away that another one made', async () => {
  await leaveUnchecked();
  await endMaker();
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: name, Body: Buffer.from('of another program') }));
  const storage = await openBucket(server, bucket);
  await put(storage, 'x.holdfast', 'x');
  assert.deepEqual(await listNames(storage), [name, 'x.holdfast']);
  assert.equal(await get(storage, name), 'of another program');
  await storage.close();
});

test('while it is checked it is not listed, and no mark stays', async () => {
  const storage = await openBucket(server, bucket);
  const writer = await storage.writer(name, { copies: 1 });
  await writer.write(bytesOf('body'));
  await writer.commit(async () => assert.deepEqual(await listNames(storage), []));
  assert.deepEqual(await listNames(storage), [name]);
  assert.deepEqual(await keys(), [name]);
  const failing = await storage.writer('bad.holdfast', { copies: 1 });
  await failing.write(bytesOf('body'));
  const commit = failing.commit(async () => {
    throw new HoldfastError('archive.verify_failed');
  });
  await assertCode(commit, 'archive.verify_failed');
  assert.deepEqual(await keys(), [name]);
  await storage.close();
});
