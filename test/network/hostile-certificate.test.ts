/**
 * A server in between that has a certificate of its own making: nobody who is asked for a secret gives it one. Each client is taken as it is by default,
 * with no authority but those of the system; the server counts what it was told after the handshake.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { TLSSocket } from 'node:tls';
import { openStorage } from '../../src/config/open-storage.ts';
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

/** What is said in clear before TLS begins. */
type Opening = 'at once' | 'postgres' | 'ftp' | 'smtp';

const secret = 'canary-of-the-certificate';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-hostile-'));
after(() => rmSync(folder, { recursive: true }));

describe('a certificate that nobody vouches for', {
  skip: findProgram('openssl') === undefined && 'openssl is missing',
}, () => {
  let identity: { cert: Buffer; key: Buffer };
  let server: Server;
  let opening: Opening = 'at once';
  const told: Buffer[] = [];
  const open = new Set<Socket>();

  before(async () => {
    const { certificatePath, keyPath } = await makeCertificate(folder, undefined);
    identity = { cert: readFileSync(certificatePath), key: readFileSync(keyPath) };
    server = createServer((socket) => {
      open.add(socket.on('error', () => undefined).on('close', () => open.delete(socket)));
      if (opening === 'at once') encrypt(socket);
      else converse(socket, opening);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });

  function encrypt(socket: Socket): void {
    const secure = new TLSSocket(socket, { isServer: true, ...identity });
    secure.on('error', () => socket.destroy()).on('data', (bytes: Buffer) => told.push(bytes));
  }

  /** Until TLS begins; what is said in clear counts as told. */
  function converse(socket: Socket, how: Exclude<Opening, 'at once'>): void {
    const greeting = { postgres: '', ftp: '220 ready\r\n', smtp: '220 ready ESMTP\r\n' }[how];
    if (greeting.length > 0) socket.write(greeting);
    const onData = (bytes: Buffer) => {
      const text = bytes.toString('latin1');
      const begins = {
        postgres: bytes.readInt32BE(4) === 80877103,
        ftp: /^AUTH TLS/i.test(text),
        smtp: /^STARTTLS/i.test(text),
      }[how];
      if (!begins) {
        told.push(bytes);
        socket.write(how === 'smtp' ? '250-here\r\n250 STARTTLS\r\n' : '500 no\r\n');
        return;
      }
      socket.off('data', onData);
      socket.write({ postgres: 'S', ftp: '234 go on\r\n', smtp: '220 go on\r\n' }[how]);
      encrypt(socket);
    };
    socket.on('data', onData);
  }

  const port = () => (server.address() as AddressInfo).port;
  const context = { wait: async () => undefined, folder };

  async function list(settings: Parameters<typeof openStorage>[0]): Promise<void> {
    const storage = await openStorage(settings, context);
    try {
      for await (const _ of storage.list());
    } finally {
      await storage.close();
    }
  }

  const clients: Readonly<
    Record<string, { readonly how?: Opening; readonly code?: string; readonly run: () => Promise<unknown> }>
  > = {
    S3: {
      code: 'storage.certificate',
      run: () =>
        list({
          backend: 's3',
          endpointUrl: `https://127.0.0.1:${port()}`,
          bucket: 'bucket',
          region: 'us-east-1',
          accessKey: 'access',
          secretKey: secret,
        }),
    },
    WebDAV: {
      code: 'storage.certificate',
      run: () => list({ backend: 'webdav', url: `https://user:${secret}@127.0.0.1:${port()}/dav` }),
    },
    FTPS: {
      how: 'ftp',
      code: 'storage.certificate',
      run: () => list({ backend: 'ftp', url: `ftps://user:${secret}@127.0.0.1:${port()}/` }),
    },
    'Azure Blob': {
      code: 'storage.certificate',
      run: () =>
        list({
          backend: 'azure',
          account: 'account',
          key: Buffer.from(secret).toString('base64'),
          container: 'container',
          endpoint: `https://127.0.0.1:${port()}/account`,
        }),
    },
    'a webhook': {
      run: () =>
        new WebhookNotifier({ url: new Secret(`https://127.0.0.1:${port()}/${secret}`) }).send(sampleNotification({}), {
          signal: AbortSignal.timeout(10_000),
        }),
    },
    'a watcher that is pinged': {
      run: () =>
        new PingNotifier({ url: new Secret(`https://127.0.0.1:${port()}/${secret}`) }).send(sampleNotification({}), {
          signal: AbortSignal.timeout(10_000),
        }),
    },
    'e-mail with TLS from the first byte': { run: () => mail('tls') },
    'e-mail with STARTTLS': { how: 'smtp', run: () => mail('starttls') },
    Redis: {
      code: 'queue.unavailable',
      run: () =>
        BullmqQueue.open({ url: new Secret(`rediss://:${secret}@127.0.0.1:${port()}/0`), timeoutMs: 2_000 } as never),
    },
    'PostgreSQL with sslmode=verify-full': {
      how: 'postgres',
      run: () =>
        PostgresConnection.open(
          parsePostgresUrl(new Secret(`postgres://user:${secret}@127.0.0.1:${port()}/shop?sslmode=verify-full`)),
          { timeoutMs: 5_000 },
        ),
    },
  };

  async function mail(security: 'tls' | 'starttls'): Promise<void> {
    const email = new EmailNotifier({
      host: '127.0.0.1',
      port: port(),
      security,
      user: 'user',
      password: new Secret(secret),
      from: 'a@example.test',
      to: ['b@example.test'],
    });
    await email.send(sampleNotification({}), { signal: AbortSignal.timeout(10_000) });
  }

  for (const [name, { how = 'at once', code, run }] of Object.entries(clients)) {
    it(`is refused by ${name}, which tells the server nothing`, async () => {
      opening = how;
      told.length = 0;
      await assert.rejects(run(), (error: Error & { code?: string; cause?: Error }) => {
        if (code !== undefined) assert.equal(error.code, code, error.message);
        const all = `${error.message} ${error.cause?.message ?? ''} ${(error.cause as { cause?: Error } | undefined)?.cause?.message ?? ''}`;
        assert.match(all, /certificate|self-signed|SELF_SIGNED/i);
        return true;
      });
      const heard = Buffer.concat(told).toString('latin1');
      assert.ok(!heard.includes(secret) && !heard.includes(Buffer.from(secret).toString('base64')), heard);
    });
  }
});
