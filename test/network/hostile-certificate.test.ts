/**
 * A server in between that has a certificate of its own making: nobody who is asked for a secret gives it one. Each client is taken as it is by default,
 * with no authority but those of the system.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openStorage } from '../../src/config/open-storage.ts';
import type { StorageSettings } from '../../src/config/storage-settings.ts';
import { EmailNotifier } from '../../src/notify/email.ts';
import { PingNotifier } from '../../src/notify/ping.ts';
import { WebhookNotifier } from '../../src/notify/webhook.ts';
import { BullmqQueue } from '../../src/queue/bullmq/bullmq-queue.ts';
import { Secret } from '../../src/secret.ts';
import { parsePostgresUrl } from '../../src/source/postgres/postgres-address.ts';
import { PostgresConnection } from '../../src/source/postgres/postgres-connection.ts';
import { sampleNotification } from '../../src/testing/notifier-cases.ts';
import { findProgram } from '../services/find-program.ts';
import { makeCertificate } from '../services/self-signed-certificate.ts';
import { HostileServer, type Opening } from './hostile-server.ts';

const secret = 'canary-of-the-certificate';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-hostile-'));
after(() => rmSync(folder, { recursive: true }));

async function list(settings: StorageSettings): Promise<void> {
  const storage = await openStorage(settings, { wait: async () => undefined, folder });
  try {
    for await (const _ of storage.list());
  } finally {
    await storage.close();
  }
}

async function mail(port: number, security: 'tls' | 'starttls'): Promise<void> {
  const people = { from: 'a@example.test', to: ['b@example.test'] };
  const login = { user: 'user', password: new Secret(secret) };
  const email = new EmailNotifier({ host: '127.0.0.1', port, security, ...login, ...people });
  await email.send(sampleNotification({}), { signal: AbortSignal.timeout(30_000) });
}

interface Client {
  readonly how?: Opening;
  readonly code?: string;
  run(host: string, port: number): Promise<unknown>;
}

const sending = () => ({ signal: AbortSignal.timeout(30_000) });
const s3 = { backend: 's3', bucket: 'bucket', region: 'us-east-1', accessKey: 'access', secretKey: secret } as const;
const azure = { backend: 'azure', account: 'account', container: 'container' } as const;

const clients: Readonly<Record<string, Client>> = {
  S3: { code: 'storage.certificate', run: (host) => list({ ...s3, endpointUrl: `https://${host}` }) },
  WebDAV: {
    code: 'storage.certificate',
    run: (host) => list({ backend: 'webdav', url: `https://user:${secret}@${host}/dav` }),
  },
  FTPS: {
    how: 'ftp',
    code: 'storage.certificate',
    run: (host) => list({ backend: 'ftp', url: `ftps://user:${secret}@${host}/` }),
  },
  'Azure Blob': {
    code: 'storage.certificate',
    run: (host) => list({ ...azure, key: Buffer.from(secret).toString('base64'), endpoint: `https://${host}/account` }),
  },
  'a webhook': {
    run: (host) =>
      new WebhookNotifier({ url: new Secret(`https://${host}/${secret}`) }).send(sampleNotification({}), sending()),
  },
  'a watcher that is pinged': {
    run: (host) =>
      new PingNotifier({ url: new Secret(`https://${host}/${secret}`) }).send(sampleNotification({}), sending()),
  },
  'e-mail with TLS from the first byte': { run: (_, port) => mail(port, 'tls') },
  'e-mail with STARTTLS': { how: 'smtp', run: (_, port) => mail(port, 'starttls') },
  Redis: {
    code: 'queue.unavailable',
    run: (host) => BullmqQueue.open({ url: new Secret(`rediss://:${secret}@${host}/0`), timeoutMs: 4_000 } as never),
  },
  'PostgreSQL with sslmode=verify-full': {
    how: 'postgres',
    run: (host) =>
      PostgresConnection.open(parsePostgresUrl(new Secret(`postgres://user:${secret}@${host}/a?sslmode=verify-full`)), {
        timeoutMs: 10_000,
      }),
  },
};

/** The messages of an error and of what caused it. */
function messagesOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return `${error.message} ${'code' in error ? error.code : ''} ${messagesOf(error.cause)}`;
}

const skip = findProgram('openssl') === undefined && 'openssl is missing';

describe('a certificate that nobody vouches for', { skip }, () => {
  let server: HostileServer;
  before(async () => {
    server = await HostileServer.start(await makeCertificate(folder, undefined));
  });
  after(() => server.stop());

  for (const [name, { how = 'at once', code, run }] of Object.entries(clients)) {
    it(`is refused by ${name}, which tells the server nothing`, async () => {
      server.opening = how;
      server.take();
      await assert.rejects(run(`127.0.0.1:${server.port}`, server.port), (error: Error & { code?: string }) => {
        if (code !== undefined) assert.equal(error.code, code, error.message);
        assert.match(messagesOf(error), /certificate|self-signed|SELF_SIGNED/i);
        return true;
      });
      const told = server.take();
      assert.ok(!told.includes(secret) && !told.includes(Buffer.from(secret).toString('base64')), told);
    });
  }
});
