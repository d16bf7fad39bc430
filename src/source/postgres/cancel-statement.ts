import { once } from 'node:events';
import { connect } from 'node:net';
import { timeoutSignal } from '../../clock.ts';
import type { PostgresAddress } from './postgres-address.ts';

const cancelCode = 80_877_102;
const waitMs = 1_000;

/** What the server gave a connection, to have its statement cancelled by another one. */
export interface BackendKey {
  readonly processId: number;
  readonly secretKey: number;
}

/**
 * Asks the server to cancel what a connection has it do. Like the server's own library of its version and before, in the clear: what is sent
 * is of use for this connection alone, which ends. Never throws: where it does not get through, the server notices later that nobody listens.
 */
export async function cancelStatement(address: PostgresAddress, key: BackendKey): Promise<void> {
  const { host, port } = address;
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  socket.on('error', () => undefined);
  const message = Buffer.alloc(16);
  message.writeInt32BE(16, 0);
  message.writeInt32BE(cancelCode, 4);
  message.writeInt32BE(key.processId, 8);
  message.writeInt32BE(key.secretKey, 12);
  socket.end(message);
  await Promise.race([once(socket, 'close'), once(timeoutSignal(waitMs), 'abort')]).catch(() => undefined);
  socket.destroy();
}
