/** A process that starts a server, tells of it, and waits to be killed. */
import { dirname } from 'node:path';
import { startMariadb } from './start-mariadb.ts';
import { startPostgres } from './start-postgres.ts';

const [service, folder] =
  process.argv[2] === 'mariadb'
    ? await startMariadb().then((started) => [started, dirname(started.socketPath)] as const)
    : await startPostgres().then((started) => [started, started.socketFolder] as const);
console.log(JSON.stringify({ port: service.port, folder }));
process.stdin.resume();
