import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import ssh2, { type SFTPWrapper } from 'ssh2';
import { Secret } from '../../secret.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { connectSftp } from './connect-sftp.ts';
import type { SftpConnection } from './sftp-connection.ts';

const timeoutMs = 1_000;
const { STATUS_CODE } = ssh2.utils.sftp;
const attrs = { mode: 0o100600, uid: 0, gid: 0, size: 1, atime: 0, mtime: 0 };

/** A clock that the limits of time follow too. */
function limitedBy(context: TestContext): FakeClock {
  const clock = new FakeClock();
  const limits: { readonly dueMs: number; readonly controller: AbortController }[] = [];
  const timeout = (durationMs: number): AbortSignal => {
    const controller = new AbortController();
    limits.push({ dueMs: clock.monotonicMs() + durationMs, controller });
    return controller.signal;
  };
  context.mock.method(AbortSignal, 'timeout', timeout);
  const advance = clock.advance.bind(clock);
  clock.advance = (durationMs) => {
    advance(durationMs);
    for (const { dueMs, controller } of limits) if (dueMs <= clock.monotonicMs()) controller.abort();
  };
  return clock;
}

/** Connects to a server of one folder, whose pages `answer` gives one after the other. */
async function connectToFolder(
  context: TestContext,
  clock: FakeClock,
  answer: (sftp: SFTPWrapper, id: number, page: number) => void,
): Promise<{ readonly connection: SftpConnection; readonly openHandles: () => number }> {
  const host = ssh2.utils.generateKeyPairSync('ed25519');
  let openHandles = 0;
  const serve = (sftp: SFTPWrapper) => {
    let page = 0;
    sftp.on('OPENDIR', (id) => {
      openHandles += 1;
      sftp.handle(id, Buffer.from('folder'));
    });
    sftp.on('READDIR', (id) => {
      answer(sftp, id, page);
      page += 1;
    });
    sftp.on('CLOSE', (id) => {
      openHandles -= 1;
      sftp.status(id, STATUS_CODE.OK);
    });
  };
  const server = new ssh2.Server({ hostKeys: [host.private] }, (client) => {
    client.on('error', () => undefined);
    client.on('authentication', (login) => login.accept());
    client.on('session', (accept) => accept().on('sftp', (acceptSftp) => serve(acceptSftp())));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connection = await connectSftp({
    host: '127.0.0.1',
    port,
    login: async () => ({ user: 'user', password: new Secret('password') }),
    knownHosts: { text: `[127.0.0.1]:${port} ${host.public}\n` },
    connectTimeoutMs: 600_000,
    timeoutMs,
    clock,
    place: 'sftp://user@host',
    library: ssh2,
  });
  context.after(async () => {
    await connection.end();
    server.close();
  });
  return { connection, openHandles: () => openHandles };
}

test('a large folder is listed by a server that answers each request in time, however long all takes', async (context) => {
  const clock = limitedBy(context);
  const { connection, openHandles } = await connectToFolder(context, clock, (sftp, id, page) => {
    clock.advance(timeoutMs / 4);
    const names = page === 0 ? ['.', '..'] : [`${page}`];
    if (page > 10) sftp.status(id, STATUS_CODE.EOF);
    else
      sftp.name(
        id,
        names.map((filename) => ({ filename, longname: filename, attrs })),
      );
  });
  const entries = await connection.list('/folder');
  assert.deepEqual(
    entries.map(({ name }) => name),
    Array.from({ length: 10 }, (_, index) => `${index + 1}`),
  );
  assert.equal(entries[0]?.stats.isFile(), true);
  assert.equal(openHandles(), 0);
});

test('a folder whose server falls silent in the middle is given up', async (context) => {
  const clock = limitedBy(context);
  const { connection } = await connectToFolder(context, clock, (sftp, id, page) => {
    if (page === 0) sftp.name(id, [{ filename: 'x', longname: 'x', attrs }]);
    else clock.advance(timeoutMs);
  });
  await assert.rejects(connection.list('/folder'), { code: 'storage.timeout' });
});

test('a folder that is refused in the middle is closed', async (context) => {
  const clock = limitedBy(context);
  const { connection, openHandles } = await connectToFolder(context, clock, (sftp, id, page) => {
    if (page === 0) sftp.name(id, [{ filename: 'x', longname: 'x', attrs }]);
    else sftp.status(id, STATUS_CODE.PERMISSION_DENIED);
  });
  await assert.rejects(connection.list('/folder'), { code: 'storage.unauthorized' });
  assert.equal(openHandles(), 0);
});
