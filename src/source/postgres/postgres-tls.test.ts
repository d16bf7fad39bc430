import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { backUp, restore } from '../../../test/postgres/restore.ts';
import { leaveOutWithout } from '../../../test/services/service-packages.ts';
import { type PostgresService, startPostgres } from '../../../test/services/start-postgres.ts';
import { HoldfastError } from '../../errors.ts';

leaveOutWithout('postgres');

let server: PostgresService;
let url: string;
before(async () => {
  server = await startPostgres({ tls: 'only', password: 'canary-4711' });
  url = await server.createDatabase('app');
});
after(async () => await server.stop());

function isRefused(error: unknown): boolean {
  assert.ok(error instanceof HoldfastError, String(error));
  assert.equal(error.code, 'source.unreadable', error.message);
  return !error.message.includes('canary');
}

it('a server that wants encryption is read and restored to; its certificate is checked when that is asked for', async () => {
  const authority = `sslrootcert=${server.certificatePath}`;
  for (const parameters of [
    '',
    'sslmode=require',
    `sslmode=verify-ca&${authority}`,
    `sslmode=verify-full&${authority}`,
  ]) {
    const entries = await backUp(`${url}?${parameters}`);
    await restore(`${url.replace('/app', '/copy')}?${parameters}`, entries, { overwrite: true });
  }
  for (const parameters of ['sslmode=disable', 'sslmode=verify-full']) {
    await assert.rejects(backUp(`${url}?${parameters}`), isRefused, parameters);
  }
});

it('a server without encryption is read unless encryption is asked for, and through its socket', async () => {
  const plain = await startPostgres();
  try {
    await backUp(plain.url);
    await assert.rejects(backUp(`${plain.url}?sslmode=require`), isRefused);
    const socket = `postgres://postgres@/postgres?host=${plain.socketFolder}&port=${plain.port}`;
    assert.equal((await backUp(socket)).length, 2);
  } finally {
    await plain.stop();
  }
});
