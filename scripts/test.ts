/** Runs the whole suite; arguments are files to run instead. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installServers } from './install-servers.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const chosen = process.argv.slice(2);
const files =
  chosen.length > 0 ? chosen : ['src/**/*.test.ts', 'test/**/*.test.ts', 'demo/**/*.test.ts', 'bench/**/*.test.ts'];
const missing = chosen.length > 0 ? [] : installServers();
if (missing.length > 0) {
  process.stderr.write(`tests: not installed: ${missing.join(', ')}; the tests of these servers fail\n`);
}
const args = ['--test', '--test-concurrency=2', ...files];
const result = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
process.exitCode = result.status ?? 1;
