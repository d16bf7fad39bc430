/** Storages on servers of the tests. */

import { readFileSync } from 'node:fs';
import ssh2 from 'ssh2';
import { systemClock } from '../../src/clock.ts';
import { systemRandom } from '../../src/random.ts';
import { Secret } from '../../src/secret.ts';
import { connectSftp, type ServerOptions } from '../../src/storage/sftp/connect-sftp.ts';
import type { SftpLogin } from '../../src/storage/sftp/sftp-login.ts';
import { SftpSession } from '../../src/storage/sftp/sftp-session.ts';
import { SftpStorage, type SftpStorageOptions } from '../../src/storage/sftp/sftp-storage.ts';
import type { SshdService } from '../services/start-sshd.ts';

/** What differs from a plain log-in by key. */
export interface OpenOptions extends Partial<Omit<SftpStorageOptions, 'session' | 'place'>> {
  /** Of a proxy before the server. */
  readonly port?: number;
  readonly login?: Partial<SftpLogin>;
  readonly timeoutMs?: number;
  readonly connectTimeoutMs?: number;
  readonly retryDelayMs?: number;
  /** Sees each connection that is made. */
  readonly onConnect?: () => void;
}

/** Settings of a connection to a server of the tests. */
export function serverOptions(server: SshdService, options: OpenOptions = {}): ServerOptions {
  const port = options.port ?? server.port;
  const key = { text: new Secret(readFileSync(server.keyPath, 'utf8')), name: server.keyPath };
  return {
    host: server.host,
    port,
    login: async () => ({ user: server.user, key, ...options.login }),
    knownHosts: { text: server.knownHosts.join('\n').replaceAll(`:${server.port} `, `:${port} `) },
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    timeoutMs: options.timeoutMs ?? 10_000,
    clock: systemClock,
    place: `sftp://${server.user}@${server.host}:${port}`,
    library: ssh2,
  };
}

/** A storage in a folder of the server. */
export function openSftp(server: SshdService, rootPath: string, options: OpenOptions = {}): SftpStorage {
  const settings = serverOptions(server, options);
  const session = new SftpSession({
    connect: () => {
      options.onConnect?.();
      return connectSftp(settings);
    },
    random: systemRandom,
    retryDelayMs: options.retryDelayMs ?? 1,
  });
  return new SftpStorage({ rootPath, ...options, session, place: settings.place });
}
