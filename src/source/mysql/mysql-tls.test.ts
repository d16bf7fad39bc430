import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { type MariadbServer, startMariadb } from '../../../test/mysql/mariadb-server.ts';
import { backUp } from '../../../test/mysql/restore.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { HoldfastError } from '../../errors.ts';

leaveOutWithout('mariadb');

const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
const certificate = join(folder, 'certificate.pem');
let server: MariadbServer;

before(async () => {
  const key = join(folder, 'key.pem');
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, '-days', '2'];
  execFileSync('openssl', [...args, ...names], { stdio: 'pipe' });
  // The server runs as another user.
  for (const [path, mode] of [
    [folder, 0o755],
    [key, 0o644],
    [certificate, 0o644],
  ] as const) {
    chmodSync(path, mode);
  }
  server = await startMariadb({
    settings: { 'ssl-cert': certificate, 'ssl-key': key, 'require-secure-transport': 'on' },
  });
});
after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const read = (parameters: string) => backUp(`${server.url('mysql')}?${parameters}`, { includeTables: ['help_topic'] });

it('a server that wants encryption is read, and its certificate checked when that is asked for', async () => {
  for (const parameters of [
    '',
    'ssl-mode=REQUIRED',
    `ssl-mode=VERIFY_CA&ssl-ca=${certificate}`,
    `ssl-mode=VERIFY_IDENTITY&ssl-ca=${certificate}`,
  ]) {
    const entries = await read(parameters);
    assert.ok(Number(entries[1]?.metadata['rows']) > 100, parameters);
  }
  for (const parameters of ['ssl-mode=VERIFY_IDENTITY', 'ssl-mode=DISABLED']) {
    await assert.rejects(
      read(parameters),
      (error) => error instanceof HoldfastError && error.code === 'source.unreadable',
      parameters,
    );
  }
});
