import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import mysql from 'mysql2/promise';
import { leftOut } from './service-packages.ts';
import { type MariadbService, startMariadb } from './start-mariadb.ts';

const skip = leftOut('mariadb');
const password = 'p@ss/word: %41 é';
let service: MariadbService;
before(async () => {
  if (skip === false) service = await startMariadb({ password, tls: true });
});
after(() => service?.stop());

async function ask(url: string, statement: string, more: mysql.ConnectionOptions = {}): Promise<unknown[]> {
  const { hostname, port, username, password: secret, pathname } = new URL(url);
  const decoded = { user: decodeURIComponent(username), password: decodeURIComponent(secret) };
  const database = decodeURIComponent(pathname.slice(1));
  const connection = await mysql.createConnection({
    host: hostname,
    port: Number(port),
    database,
    ...decoded,
    ...more,
  });
  try {
    const [rows] = await connection.query({ sql: statement, rowsAsArray: true });
    return Array.isArray(rows) ? rows.flat() : [];
  } finally {
    await connection.end();
  }
}

test('it answers on the loopback, is the version it says, and asks for the password', { skip }, async () => {
  const [version] = await ask(service.url, 'SELECT version()');
  assert.ok(String(version).startsWith(service.version), String(version));
  assert.match(service.version, /^10\.11\./);
  await assert.rejects(ask(service.url, 'SELECT 1', { password: 'wrong' }), { code: 'ER_ACCESS_DENIED_ERROR' });
  assert.deepEqual(await ask(service.url, 'SELECT 2', { socketPath: service.socketPath, password: '' }), [2]);
});

test('TLS is there, with a certificate that verifies', { skip }, async () => {
  const ca = readFileSync(service.certificatePath ?? '', 'utf8');
  const cipher = "SHOW SESSION STATUS LIKE 'Ssl_cipher'";
  assert.match(String((await ask(service.url, cipher, { ssl: { ca } }))[1]), /./);
  assert.equal((await ask(service.url, cipher))[1], '');
  await assert.rejects(ask(service.url, cipher, { ssl: { rejectUnauthorized: true } }), {
    code: 'HANDSHAKE_SSL_ERROR',
  });
});

test('databases of any name', { skip }, async () => {
  const name = 'Größe `x" / ? 100%.';
  assert.deepEqual(await ask(await service.createDatabase(name), 'SELECT database()'), [name]);
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
  const other = await startMariadb({ settings: { 'max-connections': '17' } });
  assert.deepEqual(await ask(other.url, 'SELECT @@max_connections'), [17]);
  await other.stop();
  await other.stop();
  assert.equal(existsSync(dirname(other.socketPath)), false);
  await assert.rejects(ask(other.url, 'SELECT 1'), { code: 'ECONNREFUSED' });
  await assert.rejects(startMariadb({ settings: { 'no-such-setting': '1' } }), /unknown variable/);
});

test('it dies with a test process that is killed', { skip }, async () => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('server-owner-child.ts', import.meta.url)), 'mariadb']);
  const [line] = await once(createInterface(child.stdout), 'line');
  const { port } = JSON.parse(String(line)) as { port: number };
  const connection = await mysql.createConnection({ host: '127.0.0.1', port, user: 'root' });
  const ended = new Promise<void>((resolve) => connection.on('error', () => resolve()));
  child.kill('SIGKILL');
  // The server's own death closes the connection.
  await ended;
  connection.destroy();
  await assert.rejects(mysql.createConnection({ host: '127.0.0.1', port, user: 'root' }), { code: 'ECONNREFUSED' });
});
