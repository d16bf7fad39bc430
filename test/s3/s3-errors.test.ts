/** Every way in which a server can refuse, told apart, with what is to be done. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import type { S3Client } from '@aws-sdk/client-s3';
import { type ErrorCode, HoldfastError } from '../../src/errors.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { listNames, put } from '../../src/testing/storage-case.ts';
import { type HttpFault, startHttpProxy, startTcpProxy } from '../services/faulty-proxy.ts';
import { freePort } from '../services/free-port.ts';
import { leftOut } from '../services/service-packages.ts';
import { type RgwService, startRgw } from '../services/start-rgw.ts';
import { makeBucket, openBucket, plainClient, type S3Input } from './open-bucket.ts';

interface Expected {
  readonly code: ErrorCode;
  readonly message?: RegExp;
  readonly hint?: RegExp;
}

/** The error tells all this, and no secret. */
async function assertFails(
  work: Promise<unknown>,
  { code, message, hint }: Expected,
  secret = 'nothing',
): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof HoldfastError, String(error));
    assert.equal(error.code, code, error.message);
    if (message) assert.match(error.message, message);
    if (hint) assert.match(error.hint, hint);
    assert.ok(!inspect(error, { depth: 10, showHidden: true }).includes(secret), 'the error holds the secret');
    return true;
  });
}

describe('errors of S3', { skip: leftOut('rgw16') }, () => {
  let server: RgwService;
  let client: S3Client;
  let bucket: string;
  before(async () => {
    server = await startRgw({ tls: true });
    client = plainClient(server);
    bucket = await makeBucket(client);
  });
  after(async () => {
    client.destroy();
    await server.stop();
  });

  async function withStorage(
    input: S3Input,
    work: (storage: Storage) => Promise<void>,
    idleMs = 30_000,
  ): Promise<void> {
    const storage = await openBucket(server, bucket, { input, patience: { idleMs, attempts: 2 } });
    try {
      await work(storage);
    } finally {
      await storage.close();
    }
  }

  test('credentials, signatures and buckets that are wrong are told apart', async () => {
    const { secretKey } = server;
    const cases: readonly (readonly [S3Input, Expected])[] = [
      [{ accessKey: 'NOBODY' }, { code: 'storage.credentials', hint: /accessKey/ }],
      [{ secretKey: `${secretKey}x` }, { code: 'storage.signature', hint: /secret key/ }],
      [{ bucket: 'no-such-bucket' }, { code: 'storage.container_not_found', message: /no bucket no-such-bucket/ }],
    ];
    for (const [input, expected] of cases) {
      await withStorage(input, async (storage) => {
        await assertFails(storage.open('x'), expected, secretKey);
        await assertFails(storage.stat('x'), expected, secretKey);
        await assertFails(listNames(storage), expected, secretKey);
        await assertFails(storage.delete('x'), expected, secretKey);
        await assertFails(storage.writer('x', { copies: 1 }), expected, secretKey);
      });
    }
  });

  test('what a key may not do is told, with the right that it lacks', async () => {
    const other = await server.createUser('other');
    const input = { accessKey: other.accessKey, secretKey: other.secretKey };
    await withStorage({}, async (storage) => void (await put(storage, 'there', 'x')));
    await withStorage(input, async (storage) => {
      const denied = (right: RegExp): Expected => ({ code: 'storage.unauthorized', hint: right });
      await assertFails(storage.open('there'), denied(/s3:GetObject.*s3:ListBucket/));
      await assertFails(listNames(storage), denied(/s3:ListBucket/));
      await assertFails(storage.delete('there'), denied(/s3:DeleteObject/));
      await assertFails(storage.writer('there', { copies: 1 }), denied(/s3:GetObject/));
    });
  });

  test('a key that only reads is told which right it lacks to write', async () => {
    const reader = await server.createUser('reader', { operations: 'read' });
    const { accessKey, secretKey } = reader;
    const own = await makeBucket(client);
    await server.administer('bucket', 'link', `--bucket=${own}`, '--uid=reader');
    await withStorage({ accessKey, secretKey, bucket: own }, async (storage) => {
      assert.deepEqual(await listNames(storage), []);
      await assertFails(put(storage, 'x', 'x'), { code: 'storage.unauthorized', hint: /s3:PutObject/ });
      assert.deepEqual(await listNames(storage), []);
    });
  });

  test('a quota that is used up is told', async () => {
    const { accessKey, secretKey } = await server.createUser('small');
    const small = plainClient(server, { accessKey, secretKey });
    const own = await makeBucket(small);
    small.destroy();
    await server.administer('quota', 'set', '--quota-scope=user', '--uid=small', '--max-size=4096');
    await server.administer('quota', 'enable', '--quota-scope=user', '--uid=small');
    await withStorage({ accessKey, secretKey, bucket: own }, async (storage) => {
      await assertFails(put(storage, 'x', 'x'.repeat(9000)), { code: 'storage.full', hint: /quota/ });
    });
  });

  const answer = (status: number, code: string, extra = ''): HttpFault => ({
    how: 'answer',
    status,
    body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>said the server</Message>${extra}</Error>`,
  });
  const kms = 'User: arn:x is not authorized to perform: kms:GenerateDataKey on this resource';
  const answers: readonly (readonly [HttpFault, Expected])[] = [
    [answer(503, 'SlowDown'), { code: 'storage.throttled' }],
    [answer(429, 'TooManyRequests'), { code: 'storage.throttled' }],
    [answer(500, 'InternalError'), { code: 'storage.unavailable' }],
    [{ how: 'answer', status: 502, body: 'bad gateway' }, { code: 'storage.unavailable' }],
    [answer(403, 'RequestTimeTooSkewed'), { code: 'storage.clock_skew', message: /clock/ }],
    [
      { ...answer(301, 'PermanentRedirect'), headers: { 'x-amz-bucket-region': 'eu-west-3' } } as HttpFault,
      { code: 'storage.wrong_region', hint: /eu-west-3/ },
    ],
    [
      answer(400, 'AuthorizationHeaderMalformed', '<Region>ap-south-1</Region>'),
      { code: 'storage.wrong_region', hint: /ap-south-1/ },
    ],
    [answer(403, 'ExpiredToken'), { code: 'storage.credentials' }],
    [answer(403, 'InvalidObjectState'), { code: 'storage.failed', message: /archive class/ }],
    [answer(400, 'RequestTimeout'), { code: 'storage.timeout' }],
    [answer(404, 'NoSuchBucket'), { code: 'storage.container_not_found' }],
    [answer(507, 'XMinioStorageFull'), { code: 'storage.full' }],
    [answer(418, 'Teapot'), { code: 'storage.failed', message: /Teapot.*said the server/ }],
    [
      { how: 'answer', status: 403, body: `<Error><Code>AccessDenied</Code><Message>${kms}</Message></Error>` },
      { code: 'storage.unauthorized', hint: /kms:GenerateDataKey/ },
    ],
  ];

  test('each answer of a server has its code, on requests with and without a body', async () => {
    for (const [fault, expected] of answers) {
      await using proxy = await startHttpProxy(server.port, () => fault);
      await withStorage({ endpointUrl: `http://127.0.0.1:${proxy.port}` }, async (storage) => {
        await assertFails(storage.open('x'), expected);
        await assertFails(storage.stat('x'), expected);
      });
    }
  });

  test('networks that fail are told apart', async () => {
    const closed = await freePort();
    await using stalled = await startTcpProxy(server.port, () => ({
      how: 'stall',
      afterBytes: 10,
      direction: 'to client',
    }));
    await using reset = await startTcpProxy(server.port, () => ({
      how: 'reset',
      afterBytes: 0,
      direction: 'to server',
    }));
    const cases: readonly (readonly [string, Expected, number?])[] = [
      [`http://127.0.0.1:${closed}`, { code: 'storage.unavailable', message: /refuses connections/ }],
      ['http://nowhere.invalid', { code: 'storage.unavailable', message: /nowhere\.invalid/ }],
      [`http://127.0.0.1:${stalled.port}`, { code: 'storage.timeout' }, 300],
      [`http://127.0.0.1:${reset.port}`, { code: 'storage.unavailable', message: /cut the connection/ }],
      [server.tlsUrl ?? '', { code: 'storage.certificate', hint: /NODE_EXTRA_CA_CERTS/ }],
      [server.url.replace('http:', 'https:'), { code: 'storage.certificate', hint: /useSsl/ }],
    ];
    for (const [endpointUrl, expected, idleMs] of cases) {
      const work = (storage: Storage) => assertFails(storage.open('x'), expected);
      await withStorage({ endpointUrl, pathStyle: true }, work, idleMs);
    }
  });
});
