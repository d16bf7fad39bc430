import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { openStorage } from '../../src/config/open-storage.ts';
import { Secret } from '../../src/secret.ts';
import { gcsAdapter } from '../../src/storage/gcs/gcs-adapter.ts';
import { GcsStorage, type GcsStorageOptions } from '../../src/storage/gcs/gcs-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { assertCode, bytesOf, get, listNames, put, readAll } from '../../src/testing/storage-case.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { archiveRoundTrip } from '../network/archive-round-trip.ts';
import { contractOf } from '../network/contract-of.ts';
import { FaultProxy } from '../network/fault-proxy.ts';
import { runFaultTrials } from '../network/fault-trials.ts';
import { guideStorages } from '../network/guide-storages.ts';
import type { FakeRequest } from '../network/http-fake.ts';
import { GcsFake } from './gcs-fake.ts';

const workspace = makeWorkspace('gcs');
const noWait = async () => undefined;
const kibibyte = 1024;
let fake: GcsFake;
let proxy: FaultProxy;

before(async () => {
  fake = await new GcsFake().start();
  proxy = await FaultProxy.start(fake.port);
});
after(async () => {
  await proxy.stop();
  await fake.stop();
});

function storageWith(options: Partial<GcsStorageOptions> = {}): GcsStorage {
  const access = { credentials: new Secret(fake.key) };
  return new GcsStorage({ access, bucket: fake.bucket, endpoint: fake.url, tries: 3, wait: noWait, ...options });
}

let count = 0;

contractOf(
  'gcs',
  async () => {
    count += 1;
    return storageWith({ prefix: `contract ${count}` });
  },
  { 'an open object is read to its end while it is replaced': 'a replaced generation is gone, unless versions are on' },
  async (names) => fake.addEmpty(names.map((name) => `contract ${count}/${name}`)),
);

test('an archive with two copies goes there and back', async () => {
  await archiveRoundTrip(storageWith({ chunkBytes: 1024 * kibibyte }), workspace);
});

test('thirty networks that fail', async (t) => {
  const options = { prefix: 'trials', chunkBytes: 256 * kibibyte };
  const endpoint = `http://127.0.0.1:${proxy.port}`;
  const harmed = storageWith({ ...options, endpoint, tries: 6, timeoutMs: 700 });
  const counts = await runFaultTrials({ proxy, harmed, direct: storageWith(options), seeds: 30, sizeBytes: 1_500_000 });
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.committed >= 15 && counts.failed >= 5 && counts.faults > 60, JSON.stringify(counts));
});

test('the configuration of the guide works', async () => {
  const { offsite } = await guideStorages('storage-gcs.md', { environment: {}, folder: workspace });
  assert.equal(offsite?.backend, 'gcs');
  writeFileSync(join(workspace, 'service-account.json'), fake.key);
  const settings = { ...offsite, bucket: fake.bucket, endpoint: fake.url };
  const storage = await openStorage(settings, { folder: workspace });
  await put(storage, 'x', 'y');
  assert.ok(fake.objects.has('daily/x'));
  await storage.delete('x');
});

describe('one object', () => {
  beforeEach(() => {
    fake.objects.clear();
    fake.sessions.clear();
    fake.planned.length = 0;
    fake.seen.length = 0;
    fake.rights = new Set(['create', 'get', 'list', 'delete']);
    fake.retentionMs = 0;
    fake.keepsBytes = Number.POSITIVE_INFINITY;
  });

  async function write(storage: Storage, bytes: Uint8Array, copies = 2): Promise<void> {
    const writer = await storage.writer('object', { copies });
    await writer.write(bytes);
    await writer.commit();
  }

  async function stored(storage: Storage): Promise<Uint8Array> {
    return await readAll(await storage.open('object'));
  }

  const isChunk = ({ method, headers }: FakeRequest) => method === 'PUT' && headers['content-range'] !== 'bytes */*';
  const isCompose = ({ url }: FakeRequest) => url.pathname.endsWith('/compose');
  const lost = { status: 503, body: '' };

  test('of a chunk the service may keep less than came', async () => {
    fake.keepsBytes = 256 * kibibyte;
    const storage = storageWith({ chunkBytes: 1024 * kibibyte });
    for (const sizeBytes of [0, 1, 256 * kibibyte, 1024 * kibibyte, 3000 * kibibyte + 7]) {
      const bytes = new SeededRandom(sizeBytes).bytes(sizeBytes);
      await write(storage, bytes);
      assert.equal(Buffer.compare(await stored(storage), Buffer.concat([bytes, bytes])), 0);
    }
    assert.deepEqual([...fake.objects.keys()], ['object']);
    assert.deepEqual([...fake.userAgents], ['holdfast']);
  });

  test('an answer that is lost after the work was done does no harm', async () => {
    const bytes = new SeededRandom(2).bytes(700 * kibibyte);
    const storage = storageWith({ chunkBytes: 256 * kibibyte });
    for (const match of [isChunk, isChunk, isChunk, isChunk, isChunk, isCompose]) {
      fake.planned.push({ match, after: true, answer: lost });
    }
    await write(storage, bytes);
    assert.equal(Buffer.compare(await stored(storage), Buffer.concat([bytes, bytes])), 0);
    assert.equal(fake.planned.length, 0);
  });

  test('a commit whose every answer is lost is found out', async () => {
    await put(storageWith(), 'object', 'old');
    fake.planned.push({ match: isCompose, after: true, answer: lost });
    await write(storageWith({ tries: 1 }), bytesOf('new'), 1);
    assert.equal(await get(storageWith(), 'object'), 'new');
  });

  test('an upload that was forgotten is said to be lost, and nothing stays', async () => {
    const storage = storageWith({ chunkBytes: 256 * kibibyte });
    const writer = await storage.writer('object', { copies: 2 });
    await writer.write(new Uint8Array(300 * kibibyte));
    while (fake.seen.filter((line) => line.startsWith('PUT')).length < 2) await new Promise(setImmediate);
    fake.sessions.clear();
    await assertCode(writer.commit(), 'storage.failed');
    assert.equal(fake.objects.size, 0);
  });

  test('parts of runs that died are removed after a week, not before', async () => {
    const week = 7 * 86_400_000;
    const nowMs = Date.now();
    for (const [name, ageMs] of [
      ['old', week + 60_000],
      ['young', week - 60_000],
    ] as const) {
      fake.nowMs = () => nowMs - ageMs;
      await put(storageWith({ prefix: '.holdfast-partial' }), name, 'x');
    }
    fake.nowMs = () => Date.now();
    assert.deepEqual(await listNames(storageWith()), []);
    await put(storageWith(), 'object', 'x');
    assert.deepEqual([...fake.objects.keys()].sort(), ['.holdfast-partial/young', 'object']);
    await assertCode(storageWith().delete('.holdfast-partial/young'), 'storage.unauthorized');
  });

  test('another program that is faster is seen, and its object replaced', async () => {
    const storage = storageWith();
    const writer = await storage.writer('object', { copies: 1 });
    await writer.write(bytesOf('mine'));
    const conflict = {
      status: 412,
      body: { error: { code: 412, message: 'no', errors: [{ reason: 'conditionNotMet' }] } },
    };
    fake.planned.push({ match: isCompose, answer: conflict });
    await writer.commit();
    assert.equal(await get(storage, 'object'), 'mine');
  });

  test('what is replaced while it is read ends the reading, and may be repeated', async () => {
    const storage = storageWith();
    await put(storage, 'object', 'old');
    const open = await storage.open('object');
    await put(storage, 'object', 'new');
    await assertCode(open.read(0, new Uint8Array(3)), 'storage.unavailable');
  });

  test('what arrives other than it was sent is refused', async () => {
    const bad = {
      kind: 'storage#object',
      name: 'part',
      generation: '1',
      size: '4',
      updated: new Date().toISOString(),
      md5Hash: 'AAAA',
    };
    fake.planned.push({ match: isChunk, answer: { status: 200, body: bad } });
    await assertCode(write(storageWith(), bytesOf('body'), 1), 'storage.failed');
    assert.equal(fake.objects.size, 0);
  });

  test('errors say why, and name the right that is missing', async () => {
    const other = new GcsFake();
    const codeWith = async (options: Partial<GcsStorageOptions>, prepare = () => {}) => {
      prepare();
      try {
        await put(storageWith({ ...options, tries: 1 }), 'object', 'x');
      } catch (error) {
        return (error as { code: string }).code;
      }
      return 'passed';
    };
    const answer =
      (status: number, reason: string, headers = {}) =>
      () =>
        void fake.planned.push({
          match: () => true,
          answer: { status, headers, body: { error: { message: 'm', errors: [{ reason }] } } },
        });
    const found = {
      'no bucket': await codeWith({ bucket: 'nowhere' }),
      'key of another account': await codeWith({ access: { credentials: new Secret(other.key) } }),
      'no key file': await codeWith({ access: { keyFile: '/nowhere/key.json' } }),
      'key that is no JSON': await codeWith({ access: { credentials: new Secret('not JSON') } }),
      'key of another kind': await codeWith({ access: { credentials: new Secret('{"type":"authorized_user"}') } }),
      'nothing listens': await codeWith({ endpoint: 'http://127.0.0.1:1' }),
      'too many requests': await codeWith({}, answer(429, 'rateLimitExceeded', { 'retry-after': '1' })),
      'rate by 403': await codeWith({}, answer(403, 'userRateLimitExceeded')),
      away: await codeWith({}, answer(502, '')),
    };
    assert.deepEqual(found, {
      'no bucket': 'storage.container_not_found',
      'key of another account': 'storage.credentials',
      'no key file': 'storage.credentials',
      'key that is no JSON': 'storage.credentials',
      'key of another kind': 'storage.credentials',
      'nothing listens': 'storage.unavailable',
      'too many requests': 'storage.throttled',
      'rate by 403': 'storage.throttled',
      away: 'storage.unavailable',
    });
    await put(storageWith(), 'object', 'old');
    fake.rights.delete('delete');
    const denied = write(storageWith(), bytesOf('x'), 1);
    await assert.rejects(denied, /storage\.unauthorized|does not have storage\.objects\.delete access/);
    fake.rights.add('delete');
    fake.retentionMs = 60_000;
    await assertCode(storageWith().delete('object'), 'storage.locked');
    assert.equal(await get(storageWith(), 'object'), 'old');
  });

  test('a token that ended on the way is made anew once', async () => {
    const storage = storageWith();
    await put(storage, 'object', 'x');
    fake.planned.push({ match: () => true, answer: { status: 401, body: '' } });
    assert.equal((await storage.stat('object')).sizeBytes, 1);
    for (let round = 0; round < 2; round += 1)
      fake.planned.push({ match: () => true, answer: { status: 401, body: '' } });
    await assertCode(storage.stat('object'), 'storage.credentials');
  });

  test('the credentials of the environment are found', async () => {
    const path = join(workspace, 'default.json');
    writeFileSync(path, fake.key);
    const before = process.env['GOOGLE_APPLICATION_CREDENTIALS'];
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = path;
    try {
      await put(storageWith({ access: {} }), 'object', 'x');
    } finally {
      delete process.env['GOOGLE_APPLICATION_CREDENTIALS'];
      if (before !== undefined) process.env['GOOGLE_APPLICATION_CREDENTIALS'] = before;
    }
  });

  test('a key file is found beside the configuration', async () => {
    writeFileSync(join(workspace, 'key.json'), fake.key);
    const settings = { backend: 'gcs', bucket: fake.bucket, keyFile: 'key.json', endpoint: fake.url, prefix: 'daily' };
    const storage = await gcsAdapter.open(gcsAdapter.schema.parse(settings), { folder: workspace });
    await put(storage, 'object', 'x');
    assert.deepEqual([...fake.objects.keys()], ['daily/object']);
    assert.equal(storage.url('object'), 'gs://archives/daily/object');
    const both = gcsAdapter.schema.parse({ ...settings, credentials: fake.key });
    await assertCode(gcsAdapter.open(both, { folder: workspace }), 'config.invalid');
  });
});
