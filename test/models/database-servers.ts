/** The two servers that tests of models use beside files of SQLite. */
import { after, before } from 'node:test';
import { leaveOutWithout } from '../services/service-packages.ts';
import { startMariadb } from '../services/start-mariadb.ts';
import { type PostgresService, startPostgres } from '../services/start-postgres.ts';

/** What the tests want of either. */
export type DatabaseServer = Pick<PostgresService, 'url' | 'urlOf' | 'createDatabase'>;

leaveOutWithout('postgres');
leaveOutWithout('mariadb');

/** Starts both before the tests of a suite, and before its own `before`; stops them after the last one. */
export function databaseServers(): Readonly<Record<'postgres' | 'mariadb', DatabaseServer>> {
  const started: (DatabaseServer & { stop(): Promise<void> })[] = [];
  before(async () => {
    started.push(...(await Promise.all([startPostgres(), startMariadb()])));
  });
  after(async () => {
    for (const server of started) await server.stop();
  });
  const serverAt = (index: number): DatabaseServer => {
    const running = (): DatabaseServer => {
      const server = started[index];
      if (server === undefined) throw new Error('the servers start with the first test');
      return server;
    };
    return {
      get url() {
        return running().url;
      },
      urlOf: (database) => running().urlOf(database),
      createDatabase: (name) => running().createDatabase(name),
    };
  };
  return { postgres: serverAt(0), mariadb: serverAt(1) };
}
