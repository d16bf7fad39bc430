/** Drills an archive on a server, tells when it is in the midst of it, and never ends by itself. */
import { drillBackup } from '../../src/index.ts';

const [archive = '', server = '', temporaryFolder = ''] = process.argv.slice(2);
const stay = async () => {
  process.stdout.write('checking\n');
  await new Promise(() => setInterval(() => undefined, 1000));
};
await drillBackup({ archive, threads: 1, servers: [server], temporaryFolder, checks: [stay], timeoutMs: 600_000 });
