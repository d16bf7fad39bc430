/** Runs the whole suite; arguments are files to run instead. Installs the servers that tests start, where it may. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installServices } from '../test/services/install-services.ts';
import { missingServices } from '../test/services/service-packages.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const chosen = process.argv.slice(2);
const files =
  chosen.length > 0 ? chosen : ['src/**/*.test.ts', 'test/**/*.test.ts', 'demo/**/*.test.ts', 'bench/**/*.test.ts'];
const args = ['--import', './scripts/file-limit.ts', '--test', '--test-concurrency=2', ...files];
installServices();
const missing = missingServices();
// Thousands of short processes load the same modules: stripped of types and compiled once, by whoever comes first.
const env = { ...process.env, NODE_COMPILE_CACHE: join(root, 'build', 'compiled') };
const result = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
for (const reason of missing) console.error(reason);
process.exitCode = missing.length > 0 && process.env['CI'] === 'true' ? 1 : (result.status ?? 1);
