import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { requireProgram } from './find-program.ts';
import { programVersion } from './program-version.ts';
import { type Certificate, makeCertificate } from './self-signed-certificate.ts';
import { ServerProcess } from './server-process.ts';
import { giveTo, type ServerUser, serverUser } from './server-user.ts';
import type { Service } from './service.ts';
import { makeServiceFolder } from './service-folder.ts';
import { copyTemplate } from './template-folder.ts';

/** How a PostgreSQL is to be started. */
export interface PostgresOptions {
  /** What `postgres`, the superuser, has to tell over TCP (SCRAM); anyone is let in unless set. The socket asks for none. */
  readonly password?: string;
  /** Lets TLS be used, with a certificate signed by itself; `only` refuses TCP without it. */
  readonly tls?: boolean | 'only';
  /** Waits for the disk as servers at work do; false unless set. A killed server keeps what was committed either way. */
  readonly durable?: boolean;
  /** More settings, as in `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running PostgreSQL. */
export interface PostgresService extends Service {
  readonly user: string;
  readonly password: string | undefined;
  /** The folder of its socket: `host` for programs of PostgreSQL that do not go over TCP. */
  readonly socketFolder: string;
  readonly dataFolder: string;
  /** Where `pg_dump` and the others of this version are. */
  readonly programFolder: string;
  /** For `sslrootcert`; undefined without TLS. */
  readonly certificatePath: string | undefined;
  /** The URL of another database of this server. */
  urlOf(database: string): string;
  /** Makes a database, of any name, and gives its URL. */
  createDatabase(name: string): Promise<string>;
}

/** Who may come in, and how: the socket is for the test itself. */
function accessRules({ password, tls }: PostgresOptions): string {
  const kind = tls === 'only' ? 'hostssl' : 'host';
  const method = password === undefined ? 'trust' : 'scram-sha-256';
  return ['all', 'replication']
    .map((database) => `local ${database} all trust\n${kind} ${database} all 127.0.0.1/32 ${method}\n`)
    .join('');
}

function settingsOf(options: PostgresOptions, folder: string, certificate: Certificate | undefined): string[] {
  const onOff = options.durable === true ? 'on' : 'off';
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    // Shared memory in files of the data folder: a killed server leaves none in /dev/shm.
    dynamic_shared_memory_type: 'mmap',
    lc_messages: 'C',
    fsync: onOff,
    full_page_writes: onOff,
  };
  if (certificate !== undefined) {
    settings['ssl'] = 'on';
    settings['ssl_cert_file'] = certificate.certificatePath;
    settings['ssl_key_file'] = certificate.keyPath;
  }
  return Object.entries({ ...settings, ...options.settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

interface MadeFolder {
  readonly folder: string;
  readonly user: ServerUser | undefined;
  readonly dataFolder: string;
  readonly certificate: Certificate | undefined;
}

async function makeFolder(options: PostgresOptions, version: string): Promise<MadeFolder> {
  const user = serverUser(['postgres', 'daemon']);
  const folder = makeServiceFolder(user, { isOnDisk: options.durable === true });
  const dataFolder = join(folder, 'data');
  const initialise = [requireProgram('initdb'), '--auth=trust', '--username=postgres', '--no-sync'];
  const commandFor = (data: string) => [...initialise, '--encoding=UTF8', '--locale=C.UTF-8', '--pgdata', data];
  await copyTemplate({ name: `postgres-${version}`, user, commandFor }, dataFolder);
  const rulesPath = join(dataFolder, 'pg_hba.conf');
  writeFileSync(rulesPath, accessRules(options));
  giveTo(rulesPath, user);
  const hasTls = options.tls === true || options.tls === 'only';
  return { folder, user, dataFolder, certificate: hasTls ? await makeCertificate(folder, user) : undefined };
}

/** Starts a PostgreSQL of its own for a test; the test stops it. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresService> {
  const program = requireProgram('postgres');
  const version = await programVersion(program);
  const { folder, user, dataFolder, certificate } = await makeFolder(options, version);
  const settings = settingsOf(options, folder, certificate);
  const server = await ServerProcess.start({
    folder,
    user,
    commandFor: (port) => [program, '-D', dataFolder, '-p', String(port), ...settings],
    ready: /database system is ready to accept connections/,
    stopSignal: 'SIGINT',
  });
  const inside = async (statement: (client: pg.Client) => string): Promise<void> => {
    const client = new pg.Client({ host: folder, port: server.port, user: 'postgres', database: 'postgres' });
    await client.connect();
    try {
      await client.query(statement(client));
    } finally {
      await client.end();
    }
  };
  const { password } = options;
  if (password !== undefined) {
    await inside((client) => `ALTER ROLE postgres PASSWORD ${client.escapeLiteral(password)}`);
  }
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`;
  const urlOf = (database: string) =>
    `postgres://postgres${secret}@127.0.0.1:${server.port}/${encodeURIComponent(database)}`;
  return {
    url: urlOf('postgres'),
    host: '127.0.0.1',
    port: server.port,
    user: 'postgres',
    password,
    version,
    socketFolder: folder,
    dataFolder,
    programFolder: dirname(program),
    certificatePath: certificate?.certificatePath,
    urlOf,
    async createDatabase(name) {
      await inside((client) => `CREATE DATABASE ${client.escapeIdentifier(name)}`);
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
