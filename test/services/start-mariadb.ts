import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import mysql from 'mysql2/promise';
import { requireProgram } from './find-program.ts';
import { programVersion } from './program-version.ts';
import { makeCertificate } from './self-signed-certificate.ts';
import { ServerProcess } from './server-process.ts';
import { giveTo, serverUser } from './server-user.ts';
import type { Service } from './service.ts';
import { makeServiceFolder } from './service-folder.ts';
import { copyTemplate } from './template-folder.ts';

/** How a MariaDB is to be started. */
export interface MariadbOptions {
  /** What `root` has to tell over TCP; anyone is let in unless set. The socket asks for none. */
  readonly password?: string;
  /** Lets TLS be used, with a certificate signed by itself; `only` refuses connections without it. */
  readonly tls?: boolean | 'only';
  /** Waits for the disk as servers at work do; false unless set. A killed server keeps what was committed either way. */
  readonly durable?: boolean;
  /** Its data lie on a disk of this size, in MiB, that is gone with the server: see {@link mayMountDisks}. */
  readonly diskMebibytes?: number;
  /** More settings, as in `my.cnf`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running MariaDB. */
export interface MariadbService extends Service {
  readonly user: string;
  readonly password: string | undefined;
  readonly socketPath: string;
  readonly dataFolder: string;
  /** Where `mariadb-dump` and the others of this version are. */
  readonly programFolder: string;
  /** For `ssl-ca`; undefined without TLS. */
  readonly certificatePath: string | undefined;
  /** The URL of another database of this server. */
  urlOf(database: string): string;
  /** Makes a database, of any name, and gives its URL. */
  createDatabase(name: string): Promise<string>;
}

async function settingsOf(options: MariadbOptions, folder: string): Promise<Record<string, string>> {
  const settings: Record<string, string> = {
    // A server that starts removes all temporary tables in this folder, also those of another one at work.
    tmpdir: join(folder, 'temporary'),
    'bind-address': '127.0.0.1',
    socket: join(folder, 'socket'),
    'pid-file': join(folder, 'pid'),
    'skip-name-resolve': 'on',
    'character-set-server': 'utf8mb4',
    'max-allowed-packet': '64M',
    'innodb-buffer-pool-size': '64M',
    'innodb-log-file-size': '32M',
  };
  if (options.durable !== true) {
    // 2 hands a commit to the system: a killed server keeps it, and no disk is waited for.
    Object.assign(settings, { 'innodb-flush-log-at-trx-commit': '2', 'innodb-doublewrite': '0' });
  }
  if (options.tls !== undefined && options.tls !== false) {
    const { certificatePath, keyPath } = await makeCertificate(folder, serverUser(['mysql', 'daemon']));
    Object.assign(settings, { 'ssl-cert': certificatePath, 'ssl-key': keyPath });
    if (options.tls === 'only') settings['require-secure-transport'] = 'on';
  }
  return { ...settings, ...options.settings };
}

async function copyData(version: string, to: string): Promise<void> {
  const user = serverUser(['mysql', 'daemon']);
  const commandFor = (data: string) => [
    requireProgram('mariadb-install-db'),
    '--no-defaults',
    `--datadir=${data}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    '--skip-name-resolve',
    '--force',
    '--innodb-log-file-size=32M',
    `--tmpdir=${dirname(data)}`,
  ];
  await copyTemplate({ name: `mariadb-${version}`, user, commandFor }, to);
}

/** In a name space of its own a process may mount, whoever runs it, where the system lets users have such. */
const unshare = ['unshare', '--user', '--map-root-user', '--mount'];

/** Whether servers may have a small disk of their own here. */
export function mayMountDisks(): boolean {
  const user = serverUser(['mysql', 'daemon']);
  const [command = '', ...words] = [...unshare, 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', tmpdir()];
  const as = user === undefined ? {} : { uid: user.userId, gid: user.groupId };
  return spawnSync(command, words, as).status === 0;
}

/** Runs a command with a folder on a disk of its own, which begins as the folder is. */
function onDisk(folder: string, mebibytes: number, command: readonly string[]): string[] {
  const script =
    'mount -n -t tmpfs -o "size=$1m" none /mnt && cp -a "$0/." /mnt && mount -n --move /mnt "$0" && shift && exec "$@"';
  return [...unshare, 'bash', '-c', script, folder, String(mebibytes), ...command, '--user=root'];
}

/** Starts a MariaDB of its own for a test; the test stops it. */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbService> {
  const program = requireProgram('mariadbd');
  const version = await programVersion(program);
  const user = serverUser(['mysql', 'daemon']);
  const folder = makeServiceFolder(user, { isOnDisk: options.durable === true });
  const dataFolder = join(folder, 'data');
  const socketPath = join(folder, 'socket');
  const settings = await settingsOf(options, folder);
  await copyData(version, dataFolder);
  const { tmpdir: temporaryFolder = folder } = settings;
  mkdirSync(temporaryFolder, { recursive: true });
  giveTo(temporaryFolder, user);
  const args = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const server = await ServerProcess.start({
    folder,
    user,
    commandFor: (port) => {
      const command = [program, '--no-defaults', `--datadir=${dataFolder}`, `--port=${port}`, ...args];
      const { diskMebibytes } = options;
      return diskMebibytes === undefined ? command : onDisk(dataFolder, diskMebibytes, command);
    },
    ready: /: ready for connections/,
    stopSignal: 'SIGTERM',
  });
  const inside = async (statement: string): Promise<void> => {
    const connection = await mysql.createConnection({ socketPath, user: 'root' });
    try {
      await connection.query(statement);
    } finally {
      await connection.end();
    }
  };
  const { password } = options;
  if (password !== undefined) {
    await inside(`ALTER USER root@'127.0.0.1' IDENTIFIED BY ${mysql.escape(password)}`);
  }
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`;
  const urlOf = (database: string) =>
    `mariadb://root${secret}@127.0.0.1:${server.port}/${encodeURIComponent(database)}`;
  return {
    url: urlOf('mysql'),
    host: '127.0.0.1',
    port: server.port,
    user: 'root',
    password,
    version,
    socketPath,
    dataFolder,
    programFolder: dirname(requireProgram('mariadb-dump')),
    certificatePath: settings['ssl-cert'],
    urlOf,
    async createDatabase(name) {
      await inside(`CREATE DATABASE ${mysql.escapeId(name, true)}`);
      return urlOf(name);
    },
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
