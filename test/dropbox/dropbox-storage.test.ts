import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { openStorage } from '../../src/config/open-storage.ts';
import { Secret } from '../../src/secret.ts';
import { ContentHash } from '../../src/storage/dropbox/content-hash.ts';
import { dropboxAdapter } from '../../src/storage/dropbox/dropbox-adapter.ts';
import { DropboxStorage, type DropboxStorageOptions } from '../../src/storage/dropbox/dropbox-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { assertCode, bytesOf, get, listNames, put, readAll } from '../../src/testing/storage-case.ts';
import { emptyFolder, makeWorkspace } from '../end-to-end/workspace.ts';
import { archiveRoundTrip } from '../network/archive-round-trip.ts';
import { contractOf } from '../network/contract-of.ts';
import { FaultProxy } from '../network/fault-proxy.ts';
import { runFaultTrials } from '../network/fault-trials.ts';
import { guideStorages } from '../network/guide-storages.ts';
import type { FakeRequest } from '../network/http-fake.ts';
import { DropboxFake } from './dropbox-fake.ts';
import { contentHash } from './dropbox-fake-answers.ts';

const workspace = makeWorkspace('dropbox');
const kibibyte = 1024;
let fake: DropboxFake;
let proxy: FaultProxy;

before(async () => {
  fake = await new DropboxFake().start();
  proxy = await FaultProxy.start(fake.port);
});
after(async () => {
  await proxy.stop();
  await fake.stop();
});

function storageWith(options: Partial<DropboxStorageOptions> = {}): DropboxStorage {
  const access = { accessToken: new Secret('access-token') };
  const spool = { folder: workspace };
  return new DropboxStorage({ access, spool, apiUrl: fake.url, tries: 3, wait: async () => undefined, ...options });
}

let count = 0;

contractOf(
  'dropbox',
  async () => {
    count += 1;
    return storageWith({ rootPath: `/Backups/contract ${count}` });
  },
  { 'a check runs before the object appears': 'an upload session cannot be read before it is a file' },
  async (names) => fake.addEmpty(names.map((name) => `/Backups/contract ${count}/${name}`)),
);

test('an archive with two copies goes there and back, and leaves no spool', async () => {
  const folder = await emptyFolder(workspace, 'spool');
  const storage = storageWith({ chunkBytes: 1024 * kibibyte, spool: { folder } });
  await archiveRoundTrip(storage, workspace);
  assert.deepEqual(readdirSync(folder), []);
});

test('thirty networks that fail', async (t) => {
  const options = { rootPath: 'trials', chunkBytes: 256 * kibibyte };
  const harmed = storageWith({ ...options, apiUrl: `http://127.0.0.1:${proxy.port}`, tries: 6, timeoutMs: 700 });
  const counts = await runFaultTrials({ proxy, harmed, direct: storageWith(options), seeds: 30, sizeBytes: 1_500_000 });
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.committed >= 15 && counts.failed >= 5 && counts.faults > 60, JSON.stringify(counts));
  assert.deepEqual(
    readdirSync(workspace).filter((name) => name.includes('spool.')),
    [],
  );
});

describe('one file', () => {
  beforeEach(() => {
    fake.clear();
    fake.scopes.add('files.content.write').add('files.content.read').add('files.metadata.read');
  });

  const isCall = (name: string) => (request: FakeRequest) => request.url.pathname === `/2/files/${name}`;
  const lost = { status: 503, body: '' };

  async function write(storage: Storage, bytes: Uint8Array, copies = 2): Promise<void> {
    const writer = await storage.writer('object', { copies });
    await writer.write(bytes);
    await writer.commit(async () => undefined);
  }

  test('an answer that is lost after the work was done does no harm', async () => {
    const bytes = new SeededRandom(2).bytes(700 * kibibyte);
    for (const name of ['start', 'append_v2', 'append_v2', 'append_v2', 'finish']) {
      fake.planned.push({ match: isCall(`upload_session/${name}`), after: true, answer: lost });
    }
    const storage = storageWith({ chunkBytes: 256 * kibibyte, tries: 6 });
    await write(storage, bytes);
    const stored = await readAll(await storage.open('object'));
    assert.equal(Buffer.compare(stored, Buffer.concat([bytes, bytes])), 0);
    assert.equal(fake.planned.length, 0);
  });

  test('a commit whose answer never comes is taken back', async () => {
    for (const old of [undefined, 'old']) {
      if (old !== undefined) await put(storageWith(), 'object', old);
      fake.planned.push({ match: isCall('upload_session/finish'), after: true, answer: lost });
      await assertCode(write(storageWith({ tries: 1 }), bytesOf('new'), 1), 'storage.unavailable');
      assert.deepEqual(await listNames(storageWith()), old === undefined ? [] : ['object']);
      if (old !== undefined) assert.equal(await get(storageWith(), 'object'), old);
    }
  });

  test('an upload that was forgotten is said to be lost, and nothing stays', async () => {
    const storage = storageWith({ chunkBytes: 10 });
    for (const text of ['more than one chunk', 'all']) {
      const writer = await storage.writer('object', { copies: 1 });
      await writer.write(bytesOf(text));
      while (text.length > 10 && fake.sessions.size === 0) await new Promise(setImmediate);
      const forget = {
        match: isCall('upload_session/append_v2'),
        answer: { status: 409, body: { error_summary: 'not_found/.', error: { '.tag': 'not_found' } } },
      };
      fake.planned.push(forget);
      await assertCode(writer.commit(), 'storage.failed');
      fake.planned.length = 0;
    }
    assert.deepEqual(await listNames(storage), []);
  });

  test('another program that is faster is seen, and its file replaced', async () => {
    const storage = storageWith();
    const writer = await storage.writer('object', { copies: 1 });
    await writer.write(bytesOf('mine'));
    const conflict = {
      error_summary: 'path/conflict/file/..',
      error: { '.tag': 'path', path: { '.tag': 'conflict', conflict: { '.tag': 'file' } } },
    };
    fake.planned.push({ match: isCall('upload_session/finish'), answer: { status: 409, body: conflict } });
    await writer.commit();
    assert.equal(await get(storage, 'object'), 'mine');
  });

  test('a failed check does not take back what another program wrote meanwhile', async () => {
    const storage = storageWith();
    const writer = await storage.writer('object', { copies: 1 });
    await writer.write(bytesOf('mine'));
    const check = async () => {
      await put(storageWith(), 'object', 'theirs');
      throw new Error('check');
    };
    await assert.rejects(writer.commit(check), /check/);
    assert.equal(await get(storage, 'object'), 'theirs');
  });

  test('the same content again, whose check fails, stays', async () => {
    await put(storageWith(), 'object', 'same');
    const writer = await storageWith().writer('object', { copies: 1 });
    await writer.write(bytesOf('same'));
    await assert.rejects(
      writer.commit(async () => Promise.reject(new Error('check'))),
      /check/,
    );
    assert.equal(await get(storageWith(), 'object'), 'same');
  });

  test('what arrives other than it was sent is refused and taken back', async () => {
    const answer = {
      name: 'object',
      path_display: '/object',
      rev: '0123456789',
      size: 4,
      server_modified: '2026-01-01T00:00:00Z',
      content_hash: 'ab',
    };
    fake.planned.push({ match: isCall('upload_session/finish'), answer: { status: 200, body: answer } });
    await assertCode(write(storageWith(), bytesOf('body'), 1), 'storage.failed');
    assert.deepEqual(await listNames(storageWith()), []);
  });

  test('a folder is neither read nor deleted as a file', async () => {
    await put(storageWith(), 'folder/file', 'x');
    await storageWith().delete('folder');
    await assertCode(storageWith().stat('folder'), 'storage.not_found');
    await assertCode(put(storageWith(), 'folder', 'x'), 'storage.conflict');
    assert.equal(await get(storageWith(), 'folder/file'), 'x');
  });

  test('the spelling of the root does not matter', async () => {
    await put(storageWith({ rootPath: 'Backups' }), 'Shop', 'x');
    const storage = storageWith({ rootPath: '/backups/' });
    assert.deepEqual(await listNames(storage), ['Shop']);
    assert.equal(await get(storage, 'Shop'), 'x');
  });

  test('the hash is that of the documentation, over any chunks', () => {
    for (const sizeBytes of [0, 1, 4 << 20, (4 << 20) + 1, 9_000_000]) {
      const bytes = Buffer.from(new SeededRandom(sizeBytes).bytes(sizeBytes));
      const hash = new ContentHash();
      for (let offset = 0; offset < bytes.length; offset += 700_001)
        hash.update(bytes.subarray(offset, offset + 700_001));
      assert.equal(hash.digest(), contentHash(bytes));
    }
  });
});

describe('signing in and errors', () => {
  beforeEach(() => fake.clear());

  const refreshing = (secret: string | undefined) => ({
    refreshToken: new Secret(fake.refreshToken),
    appKey: fake.appKey,
    appSecret: secret === undefined ? undefined : new Secret(secret),
  });

  test('a refresh token gets an access token, one for all requests, and another when it ends', async () => {
    for (const secret of [fake.appSecret, undefined]) {
      const storage = storageWith({ access: refreshing(secret) });
      const before = fake.tokensMade;
      await Promise.all(['a', 'b', 'c'].map((name) => put(storage, name, name)));
      assert.equal(fake.tokensMade, before + 1);
      fake.expiredTokens.add(`short-lived-${fake.tokensMade}`);
      await Promise.all(['a', 'b', 'c'].map((name) => get(storage, name)));
      assert.equal(fake.tokensMade, before + 2);
      assert.deepEqual(storage.properties.warnings, []);
    }
  });

  async function codeWith(options: Partial<DropboxStorageOptions>, prepare: () => void = () => undefined) {
    prepare();
    return await put(storageWith({ tries: 1, ...options }), 'object', 'content').then(
      () => 'passed',
      (error: { code: string }) => error.code,
    );
  }

  test('each says why', async () => {
    fake.expiredTokens.add('old-token');
    const token = (text: string) => ({ access: { accessToken: new Secret(text) } });
    const planned =
      (status: number, headers: Record<string, string> = {}, body: object | string = '') =>
      () =>
        void fake.planned.push({ match: () => true, answer: { status, headers, body } });
    const busy = { error_summary: 'path/too_many_write_operations/.', error: { '.tag': 'path' } };
    const found = {
      'no such token': await codeWith(token('nobody')),
      'token that ended': await codeWith(token('old-token')),
      'no such refresh token': await codeWith({
        access: { ...refreshing(fake.appSecret), refreshToken: new Secret('x') },
      }),
      'no such app': await codeWith({ access: refreshing('wrong') }),
      'too many requests': await codeWith({}, planned(429, { 'retry-after': '1' })),
      'too much at once': await codeWith({}, planned(409, {}, busy)),
      away: await codeWith({}, planned(500)),
      full: await codeWith({}, () => {
        fake.spaceBytes = 3;
      }),
      'nothing listens': await codeWith({ apiUrl: 'http://127.0.0.1:1' }),
      'spool without a folder': await put(storageWith({ spool: { folder: '/nowhere' } }), 'x', 'y', 2).catch(
        ({ code }) => code,
      ),
    };
    assert.deepEqual(found, {
      'no such token': 'storage.credentials',
      'token that ended': 'storage.credentials',
      'no such refresh token': 'storage.credentials',
      'no such app': 'storage.credentials',
      'too many requests': 'storage.throttled',
      'too much at once': 'storage.throttled',
      away: 'storage.unavailable',
      full: 'storage.full',
      'nothing listens': 'storage.unavailable',
      'spool without a folder': 'storage.not_found',
    });
  });

  test('a right that is missing is named', async () => {
    fake.scopes.delete('files.content.write');
    await assert.rejects(put(storageWith(), 'object', 'x'), (error: Error & { code: string }) => {
      assert.match(error.message, /lacks the right files\.content\.write$/);
      return error.code === 'storage.unauthorized';
    });
    fake.scopes.add('files.content.write');
  });

  test('as long is waited as Dropbox asks', async () => {
    const waits: number[] = [];
    const answer = { status: 429, headers: { 'retry-after': '17' }, body: '' };
    fake.planned.push({ match: () => true, answer });
    await put(storageWith({ wait: async (durationMs) => void waits.push(durationMs) }), 'object', 'x');
    assert.deepEqual(waits, [17_000]);
  });

  test('the configuration of the guide is one', async () => {
    const environment = { DROPBOX_REFRESH_TOKEN: 'a', DROPBOX_APP_KEY: 'b', DROPBOX_APP_SECRET: 'c' };
    const { offsite } = await guideStorages('storage-dropbox.md', { environment, folder: workspace });
    assert.equal(offsite?.backend, 'dropbox');
    const { properties } = await openStorage({ ...offsite });
    assert.deepEqual(properties, {
      backend: 'dropbox',
      place: 'dropbox:/Backups/shop',
      warnings: [],
      usesSpool: true,
      createOnlyBytes: Number.POSITIVE_INFINITY,
    });
  });

  test('settings that contradict each other are refused', async () => {
    const bad = [{}, { accessToken: 'a', refreshToken: 'b' }, { refreshToken: 'a' }, { accessToken: 'a', appKey: 'b' }];
    for (const settings of bad) {
      const parsed = dropboxAdapter.schema.parse({ backend: 'dropbox', ...settings });
      await assertCode(dropboxAdapter.open(parsed, { folder: '/' }), 'config.invalid');
    }
    const given = { backend: 'dropbox', accessToken: 'canary', rootPath: '/Backups' };
    const storage = await dropboxAdapter.open(dropboxAdapter.schema.parse(given), { folder: '/' });
    assert.equal(storage.url('a b'), 'dropbox:/Backups/a b');
    assert.ok(!JSON.stringify(storage.properties).includes('canary'));
    assert.match(storage.properties.warnings[0] ?? '', /four hours/);
  });
});
