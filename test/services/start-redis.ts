import { dirname } from 'node:path';
import { requireProgram } from './find-program.ts';
import { programVersion } from './program-version.ts';
import { ServerProcess } from './server-process.ts';
import { serverUser } from './server-user.ts';
import type { Service } from './service.ts';
import { makeServiceFolder } from './service-folder.ts';

/** How a Redis is to be started. */
export interface RedisOptions {
  /** Asked from every client; none unless set. */
  readonly password?: string;
  /** Writes every command to its log, so that a killed server keeps them; false unless set: then it forgets all. */
  readonly durable?: boolean;
}

/** A running Redis. */
export interface RedisService extends Service {
  readonly password: string | undefined;
  /** Where `redis-cli` is. */
  readonly programFolder: string;
}

/** Starts a Redis of its own for a test; the test stops it. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisService> {
  const program = requireProgram('redis-server');
  const version = await programVersion(program);
  const user = serverUser(['redis', 'daemon']);
  const folder = makeServiceFolder(user, { isOnDisk: false });
  const { password, durable } = options;
  // Synced at once: while a sync of each second is slow the server holds back what it was told, and a kill loses that.
  const keep = ['--save', '', '--appendonly', durable === true ? 'yes' : 'no', '--appendfsync', 'always'];
  const access = password === undefined ? [] : ['--requirepass', password];
  const server = await ServerProcess.start({
    folder,
    user,
    commandFor: (port) => [
      program,
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--loglevel', 'notice'],
      ...keep,
      ...access,
    ],
    ready: /Ready to accept connections/,
    stopSignal: 'SIGTERM',
  });
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  return {
    url: `redis://${secret}127.0.0.1:${server.port}/0`,
    host: '127.0.0.1',
    port: server.port,
    version,
    password,
    programFolder: dirname(program),
    get processId() {
      return server.processId;
    },
    get log() {
      return server.log;
    },
    stop: () => server.stop(),
    kill: () => server.kill(),
    restart: () => server.restart(),
  };
}
