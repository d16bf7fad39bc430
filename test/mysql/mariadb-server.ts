import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { Secret } from '../../src/secret.ts';
import { parseMysqlUrl } from '../../src/source/mysql/mysql-address.ts';
import { MysqlConnection } from '../../src/source/mysql/mysql-connection.ts';

/** A MariaDB server of a test's own, with an account `root` that has no password. */
export interface MariadbServer {
  readonly port: number;
  readonly socketPath: string;
  url(database: string, account?: string): string;
  /** Runs statements, one after the other, without a database, and gives the rows of the last. */
  query(...statements: readonly string[]): Promise<readonly Record<string, unknown>[]>;
  connect(): Promise<MysqlConnection>;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  /** Starts it again on its data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Where the server's programs are; undefined where MariaDB is not installed. */
export function findMariadb(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  return folders.map((folder) => join(folder, 'mariadbd')).find((path) => existsSync(path));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function serverOptions(place: {
  readonly base: string;
  readonly folder: string;
  readonly port: number;
  readonly socketPath: string;
  readonly extraOptions: readonly string[];
}): string[] {
  const { base, folder, port, socketPath, extraOptions } = place;
  return [
    '--no-defaults',
    `--basedir=${base}`,
    `--plugin-dir=${base.replace(/\/$/, '')}/lib/mysql/plugin`,
    `--datadir=${folder}/d`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    `--socket=${socketPath}`,
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-buffer-pool-size=64M',
    '--skip-name-resolve',
    ...extraOptions,
  ];
}

/** Starts one on a free port with a new folder of data. The server does not run as root. */
export async function startMariadb(extraOptions: readonly string[] = []): Promise<MariadbServer> {
  const program = findMariadb();
  if (program === undefined) throw new Error('MariaDB is not installed: apt-get install mariadb-server');
  const base = dirname(dirname(realpathSync(program)));
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-mariadb-')));
  const account = process.getuid?.() === 0 ? { uid: 1, gid: 1 } : {};
  chmodSync(folder, 0o755);
  if (account.uid !== undefined) chownSync(folder, account.uid, account.gid);
  const install = ['--no-defaults', `--basedir=${base}`, `--datadir=${folder}/d`, '--skip-test-db', '--force'];
  execFileSync('mariadb-install-db', [...install, '--auth-root-authentication-method=normal', '--skip-name-resolve'], {
    ...account,
    cwd: folder,
    stdio: 'pipe',
  });
  const port = await freePort();
  const socketPath = join(folder, 's');
  const options = serverOptions({ base, folder, port, socketPath, extraOptions });
  const log = openSync(join(folder, 'log'), 'a');
  const start = async () => {
    const child = spawn(program, options, { ...account, cwd: folder, stdio: ['ignore', log, log] });
    await waitForServer(join(folder, 'log'), child);
    return child;
  };
  let child = await start();
  const onExit = () => child.kill('SIGKILL');
  process.on('exit', onExit);
  const url = (database: string, user = 'root') => `mariadb://${user}@127.0.0.1:${port}/${database}`;
  const connect = () =>
    MysqlConnection.open(parseMysqlUrl(new Secret(url('x'))), { timeoutMs: 20_000, database: null });
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  };
  return {
    port,
    socketPath,
    url,
    connect,
    async query(...statements) {
      const connection = await connect();
      try {
        let rows: readonly Record<string, unknown>[] = [];
        for (const sql of statements) rows = await connection.rows(sql);
        return rows;
      } finally {
        await connection.close();
      }
    },
    kill: () => end('SIGKILL'),
    async restart() {
      child = await start();
    },
    async stop() {
      await end('SIGKILL');
      process.off('exit', onExit);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits for the line of the log that says so. */
async function waitForServer(log: string, child: ReturnType<typeof spawn>): Promise<void> {
  const seen = () => readFileSync(log, 'utf8').split('ready for connections').length;
  const before = seen();
  for (let turn = 0; turn < 3_000; turn += 1) {
    if (seen() > before) return;
    if (child.exitCode !== null) throw new Error(`MariaDB ended: ${readFileSync(log, 'utf8').slice(-2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('MariaDB did not start');
}
