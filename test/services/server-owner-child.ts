/** A process that starts a server, tells of it, and waits to be killed. */
import { startMariadb } from './start-mariadb.ts';
import { startPostgres } from './start-postgres.ts';

const service = process.argv[2] === 'mariadb' ? await startMariadb() : await startPostgres();
console.log(JSON.stringify({ processId: service.processId, port: service.port }));
process.stdin.resume();
