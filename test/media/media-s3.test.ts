/** Media storages on a real server: many objects, faults in the middle, and the command line. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GetObjectAclCommand, HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { mediaStorageFromEnvironment } from '../../src/config/open-media-storage.ts';
import { createBackup, MediaSource, MemoryStorage, restoreBackup, type Storage } from '../../src/index.ts';
import { MediaStorage } from '../../src/storage/media/media-storage.ts';
import { ForwardingStorage } from '../../src/storage/wrap/forwarding-storage.ts';
import { oddNames } from '../../src/testing/media-storage-cases.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { sourceCases } from '../../src/testing/source-cases.ts';
import { assertCode, listNames, put } from '../../src/testing/storage-case.ts';
import { makeWorkspace } from '../end-to-end/workspace.ts';
import { programEnvironment } from '../program-environment.ts';
import { makeBucket, openBucket, plainClient } from '../s3/open-bucket.ts';
import { startHttpProxy } from '../services/faulty-proxy.ts';
import { leftOut } from '../services/service-packages.ts';
import { type RgwService, startRgw } from '../services/start-rgw.ts';

const workspace = makeWorkspace('media-s3');
const program = fileURLToPath(new URL('../transcript/holdfast.ts', import.meta.url));

function backUp(storage: Storage | (() => Promise<Storage>), to: Storage) {
  const sources = [new MediaSource({ name: 'uploads', storage })];
  return createBackup({
    threads: 0,
    sources,
    output: { storage: to, name: 'a.holdfast' },
    encryption: 'none',
    copies: 1,
  });
}

describe('on a server', { skip: leftOut('rgw16') }, () => {
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

  /** As Amazon, of which it is known that it takes conditions. */
  const known = { preset: 'aws', region: 'us-east-1', checksums: false, pathStyle: true } as const;

  function putRaw(bucket: string, key: string, body: string | Uint8Array, headers: object = {}) {
    return client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.from(body), ...headers }));
  }

  test('a thousand small objects, odd names, empty ones and folders go there and back', async () => {
    const bucket = await makeBucket(client);
    const keys = [...Array.from({ length: 1000 }, (_, index) => `small/${index % 10}/${index}.txt`), ...oddNames];
    const left = keys.values();
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (const key of left) await putRaw(bucket, key, `of ${key}`, { ContentType: 'text/plain' });
      }),
    );
    await putRaw(bucket, 'empty.css', '', { ContentType: 'text/css', Metadata: { owner: '7' } });
    await putRaw(bucket, 'folder/', '');
    await putRaw(bucket, 'folder/with space/', '');
    await putRaw(bucket, 'double//slash', 'x');
    const storage = await openBucket(server, bucket);
    const archives = new MemoryStorage();
    const report = await backUp(storage, archives);
    assert.deepEqual(
      report.problems.map(({ code, path }) => `${code} ${path}`),
      ['source.unsupported files/uploads/double//slash'],
    );
    assert.equal(report.entryCount, 1000 + oddNames.length + 4);
    const archive = { storage: archives, name: 'a.holdfast' };
    const filesTo = join(workspace, 'thousand');
    await restoreBackup({ archive, threads: 0, filesTo });
    const root = join(filesTo, 'uploads');
    for (const key of keys) assert.equal(readFileSync(join(root, key), 'utf8'), `of ${key}`);
    assert.deepEqual(await readdir(join(root, 'folder')), ['with space']);
    const other = await makeBucket(client);
    const only = ['files/uploads/*', 'files/uploads/!(small)/**', 'files/uploads/small/1/*'];
    const restored = await openBucket(server, other, { input: known });
    await restoreBackup({ archive, threads: 0, mediaTo: [{ label: 'uploads', storage: restored }], only });
    const wanted = keys.filter((key) => !key.startsWith('small/') || key.startsWith('small/1/'));
    assert.deepEqual(await listNames(restored), [...wanted, 'empty.css'].sort());
    const head = await client.send(new HeadObjectCommand({ Bucket: other, Key: 'empty.css' }));
    assert.deepEqual([head.ContentType, head.Metadata?.['owner'], head.ContentLength], ['text/css', '7', 0]);
    await storage.close();
    await restored.close();
  });

  for (const what of ['removed', 'replaced'] as const) {
    test(`an object that is ${what} while it is read is told, and the others are kept`, async () => {
      const bucket = await makeBucket(client);
      const bytes = new SeededRandom(1).bytes(6 * 2 ** 20);
      await putRaw(bucket, 'a.bin', bytes);
      await putRaw(bucket, 'b.bin', 'small');
      const inner = await openBucket(server, bucket);
      const storage = new ForwardingStorage(inner);
      storage.open = async (name) => {
        const object = await inner.open(name);
        if (name === 'a.bin') await (what === 'removed' ? inner.delete(name) : putRaw(bucket, name, 'other'));
        return object;
      };
      const { problems, entryCount } = await backUp(storage, new MemoryStorage());
      assert.deepEqual(
        problems.map(({ code, path }) => [code, path]),
        [['source.changed', 'files/uploads/a.bin']],
      );
      assert.match(problems[0]?.message ?? '', new RegExp(`it was ${what} while it was read`));
      assert.equal(entryCount, 3);
      await inner.close();
    });
  }

  test('a cut in the middle is survived; a network that stays away ends the run, and no archive appears', async () => {
    const bucket = await makeBucket(client);
    const bytes = new SeededRandom(2).bytes(6 * 2 ** 20);
    await putRaw(bucket, 'a.bin', bytes);
    for (const times of [2, Number.POSITIVE_INFINITY]) {
      let cuts = 0;
      await using proxy = await startHttpProxy(server.port, ({ path, method, headers }) => {
        const isLater = method === 'GET' && path.includes('a.bin') && !headers.range?.startsWith('bytes=0-');
        if (!isLater || cuts >= times) return undefined;
        cuts += 1;
        return { how: 'cut', afterBytes: 100_000, direction: 'to client' };
      });
      const input = { endpointUrl: `http://127.0.0.1:${proxy.port}` };
      const storage = await openBucket(server, bucket, { input });
      const archives = new MemoryStorage();
      if (times === 2) {
        assert.deepEqual((await backUp(storage, archives)).problems, []);
        const mediaTo = [{ label: 'x', storage: new MemoryStorage() }];
        await restoreBackup({ archive: { storage: archives, name: 'a.holdfast' }, threads: 0, mediaTo });
        const found = await mediaTo[0]?.storage.open('a.bin');
        const into = new Uint8Array(bytes.length);
        await found?.read(0, into);
        assert.equal(Buffer.compare(into, bytes), 0);
      } else {
        await assertCode(backUp(storage, archives), 'storage.unavailable');
        assert.deepEqual(await listNames(archives), []);
      }
      assert.ok(cuts >= 2);
      await storage.close();
    }
  });

  test('public files have the ACL; a bucket that takes none is left to its policy', async () => {
    const bucket = await makeBucket(client);
    const publicUrl = 'https://cdn.example.org';
    const isOpen = async (name: string) => {
      const answer = await fetch(`${server.url}/${bucket}/${name}`);
      await answer.body?.cancel();
      return answer.status === 200;
    };
    const storage = await openBucket(server, bucket, { input: known });
    const media = new MediaStorage({ storage, publicUrl, isPublic: true });
    assert.equal(await isOpen(await media.save('small.txt', 'x')), true);
    assert.equal(await isOpen(await media.save('large.bin', new Uint8Array(6 * 2 ** 20))), true);
    const closed = new MediaStorage({ storage: await openBucket(server, bucket, { input: known }) });
    assert.equal(await isOpen(await closed.save('closed.txt', 'x')), false);
    await media.close();
    await closed.close();
    let refused = 0;
    await using proxy = await startHttpProxy(server.port, ({ headers }) => {
      if (headers['x-amz-acl'] === undefined) return undefined;
      refused += 1;
      const body =
        '<Error><Code>AccessControlListNotSupported</Code><Message>The bucket does not allow ACLs</Message></Error>';
      return { how: 'answer', status: 400, body };
    });
    const input = { ...known, endpointUrl: `http://127.0.0.1:${proxy.port}` };
    const policed = new MediaStorage({
      storage: await openBucket(server, bucket, { input }),
      publicUrl,
      isPublic: true,
    });
    assert.equal(await policed.save('policed.txt', 'x'), 'policed.txt');
    assert.equal(await policed.save('policed-2.txt', 'x'), 'policed-2.txt');
    assert.equal(refused, 1);
    const { Grants } = await client.send(new GetObjectAclCommand({ Bucket: bucket, Key: 'policed.txt' }));
    assert.equal(Grants?.length, 1);
    await policed.close();
  });

  describe('the contract of sources', () => {
    let bucket: string;
    before(async () => {
      bucket = await makeBucket(client);
      await putRaw(bucket, 'sub/large', 'x'.repeat(3_000_000));
      await putRaw(bucket, 'small', 'y');
    });
    const subject = {
      prefix: 'files/',
      make: async () => new MediaSource({ name: 'uploads', storage: () => openBucket(server, bucket) }),
      makeMissing: async () => new MediaSource({ name: 'uploads', storage: () => openBucket(server, 'not-there') }),
      get secret() {
        return server.secretKey;
      },
    };
    for (const { name, run } of sourceCases) test(name, () => run(subject));
  });

  describe('by the command line', () => {
    let folder: string;
    let environment: Record<string, string>;
    before(async () => {
      folder = join(workspace, 'shop');
      mkdirSync(folder);
      environment = {
        STORAGE_BUCKET_NAME: await makeBucket(client),
        AWS_ACCESS_KEY_ID: server.accessKey,
        AWS_SECRET_ACCESS_KEY: server.secretKey,
        AWS_REGION: 'us-east-1',
        AWS_ENDPOINT_URL_S3: server.url,
        RESTORED_BUCKET: await makeBucket(client),
      };
      const config = {
        media: {
          uploads: { fromEnvironment: true },
          fresh: {
            backend: 's3',
            bucket: ['$', '{RESTORED_BUCKET}'].join(''),
            endpointUrl: server.url,
            accessKey: server.accessKey,
            secretKey: server.secretKey,
            enabled: false,
          },
        },
        encryption: 'none',
      };
      writeFileSync(join(folder, 'holdfast.config.json'), JSON.stringify(config));
    });

    function holdfast(...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
      const { promise, resolve } = Promise.withResolvers<{ exitCode: number; stdout: string; stderr: string }>();
      const env = { ...programEnvironment(), TMPDIR: process.env['TMPDIR'], ...environment };
      execFile(process.execPath, [program, ...args], { cwd: folder, env }, (error, stdout, stderr) => {
        assert.ok(!`${stdout}${stderr}`.includes(server.secretKey), 'a secret is shown');
        resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr });
      });
      return promise;
    }

    test('what an application saved is backed up, and restored to another storage and to a folder', async () => {
      await using media = await mediaStorageFromEnvironment(environment);
      const name = await media.save('avatars/ü.png', 'picture');
      const url = await media.url(name);
      assert.equal(await (await fetch(url)).text(), 'picture');
      const made = await holdfast('backup', '--media', 'uploads', '--output', 'a.holdfast', '--json');
      assert.equal(made.exitCode, 0, made.stderr);
      const restored = await holdfast('restore', 'a.holdfast', '--media-to', 'fresh', '--yes', '--json');
      assert.equal(restored.exitCode, 0, restored.stderr);
      const { actions } = JSON.parse(restored.stdout) as { actions: { kind: string; target: string }[] };
      assert.deepEqual([actions[0]?.kind, actions[0]?.target.startsWith('fresh (')], ['media', true]);
      const { RESTORED_BUCKET: bucket = '' } = environment;
      const target = await openBucket(server, bucket);
      assert.deepEqual(await listNames(target), [name]);
      await put(target, name, 'another');
      const refused = await holdfast('restore', 'a.holdfast', '--media-to', 'uploads=fresh', '--yes');
      assert.equal(refused.exitCode, 1);
      assert.match(refused.stderr, /exists, with other content[\s\S]*--overwrite --no-undo/);
      const dry = await holdfast(
        'restore',
        'a.holdfast',
        '--media-to',
        'fresh',
        '--dry-run',
        '--overwrite',
        '--no-undo',
      );
      assert.match(dry.stdout, /merge/);
      assert.equal((await holdfast('restore', 'a.holdfast', '--files-to', 'out', '--yes')).exitCode, 0);
      assert.equal(readFileSync(join(folder, 'out/uploads', name), 'utf8'), 'picture');
      const nowhere = await holdfast('restore', 'a.holdfast', '--yes');
      assert.match(nowhere.stderr, /does not tell where files\/uploads came from[\s\S]*--media-to/);
      await target.close();
    });

    test('all enabled ones are backed up with the rest; a wrong name is told; a dry run says what is there', async () => {
      const plan = await holdfast('backup', '--dry-run');
      assert.match(plan.stdout, /media\s+uploads\s.*s3: bucket-/);
      assert.doesNotMatch(plan.stdout, /fresh/);
      const report = await holdfast('backup', '--json');
      assert.equal(report.exitCode, 0, report.stderr);
      assert.match(
        (JSON.parse(report.stdout) as { output: string }).output,
        /\/backups\/uploads_\d+_\d+_default\.holdfast$/,
      );
      const wrong = await holdfast('backup', '--media', 'upload', '--output', 'b.holdfast');
      assert.deepEqual([wrong.exitCode, /did you mean uploads\?/.test(wrong.stderr)], [2, true]);
      assert.match((await holdfast('config', 'check')).stdout, /media\s+uploads, fresh/);
      assert.match((await holdfast('doctor')).stdout, /uploads[\s\S]*can be read/);
    });
  });
});
