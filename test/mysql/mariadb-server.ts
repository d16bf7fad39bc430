import { Secret } from '../../src/secret.ts';
import { parseMysqlUrl } from '../../src/source/mysql/mysql-address.ts';
import { MysqlConnection } from '../../src/source/mysql/mysql-connection.ts';
import { type MariadbOptions, type MariadbService, startMariadb as startService } from '../services/start-mariadb.ts';

/** A MariaDB server of a test's own, with an account `root` that has no password, and statements run by the adapter's own connection. */
export interface MariadbServer extends Pick<MariadbService, 'port' | 'socketPath' | 'kill' | 'restart' | 'stop'> {
  url(database: string, account?: string): string;
  /** Runs statements, one after the other, without a database, and gives the rows of the last. */
  query(...statements: readonly string[]): Promise<readonly Record<string, unknown>[]>;
  connect(): Promise<MysqlConnection>;
}

/** Starts one on a free port with new data. */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const { port, socketPath, kill, restart, stop } = await startService(options);
  const url = (database: string, account = 'root') => `mariadb://${account}@127.0.0.1:${port}/${database}`;
  const connect = () =>
    MysqlConnection.open(parseMysqlUrl(new Secret(url('x'))), { timeoutMs: 20_000, database: null });
  return {
    port,
    socketPath,
    kill,
    restart,
    stop,
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
  };
}
