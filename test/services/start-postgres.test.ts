import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { leftOut } from './service-packages.ts';
import { type PostgresService, startPostgres } from './start-postgres.ts';

const skip = leftOut('postgres');
const password = 'p@ss/word: %41 é';
let service: PostgresService;
before(async () => {
  if (skip === false) service = await startPostgres({ password, tls: true });
});
after(() => service?.stop());

async function ask(url: string, statement: string, more: pg.ClientConfig = {}): Promise<unknown[]> {
  const { hostname, port, username, password: secret, pathname } = new URL(url);
  const decoded = { user: decodeURIComponent(username), password: decodeURIComponent(secret) };
  const database = decodeURIComponent(pathname.slice(1));
  const client = new pg.Client({ host: hostname, port: Number(port), database, ...decoded, ...more });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows.flatMap((row) => Object.values(row));
  } finally {
    await client.end();
  }
}

test('it answers on the loopback, is the version it says, and asks for the password', { skip }, async () => {
  const [version] = await ask(service.url, 'SHOW server_version');
  assert.ok(String(version).startsWith(service.version), String(version));
  assert.match(service.version, /^15\./);
  const wrong = service.url.replace(encodeURIComponent(password), 'wrong');
  assert.notEqual(wrong, service.url);
  await assert.rejects(ask(wrong, 'SELECT 1'), { code: '28P01' });
  assert.deepEqual(await ask(service.url, 'SELECT 2', { host: service.socketFolder, password: '' }), [2]);
});

test('TLS is there, with a certificate that verifies', { skip }, async () => {
  const ca = readFileSync(service.certificatePath ?? '', 'utf8');
  const isUsed = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
  assert.deepEqual(await ask(service.url, isUsed, { ssl: { ca } }), [true]);
  assert.deepEqual(await ask(service.url, isUsed), [false]);
  await assert.rejects(ask(service.url, isUsed, { ssl: {} }), /self-signed/);
});

test('databases of any name', { skip }, async () => {
  const name = 'Größe "x" / ? 100%';
  const url = await service.createDatabase(name);
  assert.deepEqual(await ask(url, 'SELECT current_database()'), [name]);
});

test('what was committed is there after a kill and a restart, on the same port', { skip }, async () => {
  const url = await service.createDatabase('killed');
  await ask(url, 'CREATE TABLE kept AS SELECT 1 AS number');
  const { processId, port } = service;
  await service.kill();
  await assert.rejects(ask(url, 'SELECT 1'), { code: 'ECONNREFUSED' });
  await service.restart();
  assert.notEqual(service.processId, processId);
  assert.equal(service.port, port);
  assert.deepEqual(await ask(url, 'SELECT number FROM kept'), [1]);
  await service.restart();
  assert.deepEqual(await ask(url, 'SELECT number FROM kept'), [1]);
});

test('stopping removes everything; settings are taken, and a wrong one says why', { skip }, async () => {
  const other = await startPostgres({ settings: { max_connections: '17' } });
  assert.deepEqual(await ask(other.url, 'SHOW max_connections'), ['17']);
  await other.stop();
  await other.stop();
  assert.equal(existsSync(other.socketFolder), false);
  await assert.rejects(ask(other.url, 'SELECT 1'), { code: 'ECONNREFUSED' });
  await assert.rejects(startPostgres({ settings: { max_connections: 'many' } }), /invalid value for parameter/);
});

test('it dies with a test process that is killed, and the next one removes what it left', { skip }, async () => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('server-owner-child.ts', import.meta.url)), 'postgres']);
  const [line] = await once(createInterface(child.stdout), 'line');
  const { port, folder } = JSON.parse(String(line)) as { port: number; folder: string };
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  const ended = new Promise<void>((resolve) => client.once('end', resolve));
  const lock = readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n');
  const sharedMemory = lock[6]?.trim().split(/\s+/)[1] ?? '';
  const attached = new RegExp(`^ *\\d+ +${sharedMemory} +\\d+ +\\d+ +\\d+ +\\d+ +(\\d+) `, 'm');
  /** How many processes have it; undefined where it is gone. */
  const attachedCount = () => attached.exec(readFileSync('/proc/sysvipc/shm', 'utf8'))?.[1];
  assert.notEqual(attachedCount() ?? '0', '0');
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  // The server's own death closes the connection.
  await ended;
  await closed;
  // Reset while the system still takes it apart.
  await assert.rejects(ask(url, 'SELECT 1'), { code: /^ECONN(REFUSED|RESET)$/ });
  while ((attachedCount() ?? '0') !== '0') await setImmediate();
  await (await startPostgres()).stop();
  assert.equal(existsSync(folder), false);
  assert.equal(attachedCount(), undefined);
});
