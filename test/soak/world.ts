/** A company at work: money moves in its database, and `serve` backs it up every minute to S3 and SFTP, over networks that fail. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import pg from 'pg';
import { FaultProxy } from '../network/fault-proxy.ts';
import { makeBucket, plainClient } from '../s3/open-bucket.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';
import { type RgwService, startRgw } from '../services/start-rgw.ts';
import { type SshdService, startSshd } from '../services/start-sshd.ts';

/** How much money there is: whatever moves, a snapshot has all of it. */
export const totalAmount = 1_000_000;
const accounts = 1_000;

/** The servers, the proxies before them, and what was told. */
export interface World {
  readonly folder: string;
  readonly postgres: PostgresService;
  readonly rgw: RgwService;
  readonly sshd: SshdService;
  readonly cloudProxy: FaultProxy;
  readonly hostProxy: FaultProxy;
  readonly databaseUrl: string;
  readonly messages: readonly { readonly event: string; readonly id: string }[];
  /** How many transfers there were. */
  readonly transferCount: number;
  stop(): Promise<void>;
}

/** Starts it. */
export async function startWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-soak-'));
  // The servers run as other users.
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'sftp'));
  chmodSync(join(folder, 'sftp'), 0o777);
  const postgres = await startPostgres({ password: 'canary-database' });
  const rgw = await startRgw({ onDisk: true, version: 20 });
  const sshd = await startSshd();
  const cloudProxy = await FaultProxy.start(Number(new URL(rgw.url).port));
  const hostProxy = await FaultProxy.start(sshd.port);
  const databaseUrl = await postgres.createDatabase('bank');
  await fill(databaseUrl);
  const client = plainClient(rgw);
  const bucket = await makeBucket(client);
  client.destroy();
  const { server, messages } = await listenForMessages();
  const { port } = server.address() as AddressInfo;
  const knownHosts = sshd.knownHosts.map((line) => line.replace(/:\d+/, `:${hostProxy.port}`));
  writeFileSync(join(folder, 'known_hosts'), `${knownHosts.join('\n')}\n`);
  const config = {
    databases: [{ alias: 'bank', url: databaseUrl }],
    storage: {
      cloud: {
        backend: 's3',
        bucket,
        endpointUrl: `http://127.0.0.1:${cloudProxy.port}`,
        accessKey: rgw.accessKey,
        secretKey: rgw.secretKey,
        pathStyle: true,
      },
      host: {
        backend: 'sftp',
        host: '127.0.0.1',
        port: hostProxy.port,
        user: sshd.user,
        key: sshd.keyPath,
        knownHosts: join(folder, 'known_hosts'),
        rootPath: join(folder, 'sftp'),
      },
    },
    encryptionKey: 'a passphrase of the soak',
    schedule: { cron: '* * * * *', timezone: 'UTC' },
    retention: { keepLast: 5, keepDaily: 1, keepWeekly: 0, keepMonthly: 0 },
    notifications: [{ type: 'webhook', url: `http://127.0.0.1:${port}/` }],
    notifyOnSuccess: false,
  };
  writeFileSync(join(folder, 'holdfast.config.json'), JSON.stringify(config));
  const transfers = moveMoney(databaseUrl);
  return {
    folder,
    postgres,
    rgw,
    sshd,
    cloudProxy,
    hostProxy,
    databaseUrl,
    messages,
    get transferCount() {
      return transfers.count;
    },
    stop: async () => {
      await transfers.stop();
      server.close();
      await Promise.all([cloudProxy.stop(), hostProxy.stop()]);
      await Promise.all([postgres.stop(), rgw.stop(), sshd.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function fill(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(
    `CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL);
     CREATE TABLE transfer (id bigserial PRIMARY KEY, source int, target int, amount int, note text);
     INSERT INTO account SELECT id, ${totalAmount / accounts} FROM generate_series(1, ${accounts}) id;
     INSERT INTO transfer (source, target, amount, note)
       SELECT 1, 2, 0, repeat(md5(id::text), 4) FROM generate_series(1, 60000) id;`,
  );
  await client.end();
}

async function listenForMessages(): Promise<{ server: Server; messages: { event: string; id: string }[] }> {
  const messages: { event: string; id: string }[] = [];
  const server = createServer(async (request, response) => {
    messages.push((await json(request)) as { event: string; id: string });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, messages };
}

/** Moves money without end, some hundred times a second at most, over a server that comes and goes. */
function moveMoney(url: string): { readonly count: number; stop(): Promise<void> } {
  const state = { count: 0, isOver: false };
  const work = async () => {
    while (!state.isOver) {
      const client = new pg.Client({ connectionString: url });
      // A server that dies says so here as well.
      client.on('error', () => undefined);
      try {
        await client.connect();
        while (!state.isOver) {
          const [source, target, amount] = [1 + (state.count % accounts), 1 + ((state.count * 7) % accounts), 3];
          await client.query(
            `BEGIN;
             UPDATE account SET amount = amount - ${amount} WHERE id = ${source};
             UPDATE account SET amount = amount + ${amount} WHERE id = ${target};
             INSERT INTO transfer (source, target, amount) VALUES (${source}, ${target}, ${amount});
             COMMIT`,
          );
          state.count += 1;
          await pause(20);
        }
      } catch {
        await pause(500);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  };
  const working = work();
  return {
    get count() {
      return state.count;
    },
    stop: async () => {
      state.isOver = true;
      await working;
    },
  };
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
