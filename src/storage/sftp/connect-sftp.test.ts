import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import ssh2, { type Client } from 'ssh2';
import { systemClock } from '../../clock.ts';
import { connectSftp } from './connect-sftp.ts';

/** A client that logs in at once; the step throws, as the library does where its socket has ended. */
function clientThrowingAt(step: 'connect' | 'sftp'): new () => Client {
  class ThrowingClient extends EventEmitter {
    connect(): void {
      if (step === 'connect') throw new Error('Not connected');
      this.emit('ready');
    }
    sftp(): void {
      throw new Error('Not connected');
    }
    destroy(): void {
      this.emit('close');
    }
  }
  return ThrowingClient as unknown as new () => Client;
}

async function listen(context: TestContext): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => undefined));
  context.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

for (const step of ['connect', 'sftp'] as const) {
  test(`a library that throws at ${step}() is told as such, and no rejection is left to nobody`, async (context) => {
    const port = await listen(context);
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);
    context.after(() => process.off('unhandledRejection', onUnhandled));
    const connecting = connectSftp({
      host: '127.0.0.1',
      port,
      login: async () => ({ user: 'user' }),
      knownHosts: { text: '' },
      connectTimeoutMs: 60_000,
      timeoutMs: 60_000,
      clock: systemClock,
      place: 'sftp://user@host',
      library: { Client: clientThrowingAt(step), utils: ssh2.utils },
    });
    await assert.rejects(connecting, { code: 'storage.unavailable', message: /sftp:.*Not connected/ });
    // Node tells of unhandled rejections before the next turn.
    await turn();
    assert.deepEqual(unhandled, []);
  });
}
