/** Runs the whole suite; arguments are files to run instead. Installs the servers that tests start, where it may. */
import { existsSync, globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { installServices } from '../test/services/install-services.ts';
import { missingServices } from '../test/services/service-packages.ts';

/** Begun first: one of them at the end would be waited for alone. */
const longest = [
  'test/transcript/transcript.test.ts',
  'test/web/whole-journey.test.ts',
  'test/s3/s3-contract.test.ts',
  'test/media/media-s3.test.ts',
  'test/queue/worker.process.test.ts',
  'test/storage/network-trials.test.ts',
  'test/vectors/reader.test.ts',
  'test/web/page-barriers.test.ts',
  'test/end-to-end/serve.process.test.ts',
  'test/damage/damage.test.ts',
  'test/notify/commands.test.ts',
];
const patterns = ['src/**/*.test.ts', 'test/**/*.test.ts', 'demo/**/*.test.ts', 'bench/**/*.test.ts'];

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
const chosen = process.argv.slice(2);
const rest = globSync(chosen.length > 0 ? chosen : patterns).sort();
const files = chosen.length > 0 ? rest : [...new Set([...longest, ...rest])];
const unknown = [
  ...chosen.filter((pattern) => globSync(pattern).length === 0),
  ...files.filter((file) => !existsSync(file)),
];
if (unknown.length > 0) throw new Error(`there is no test file ${unknown.join(', ')}`);

installServices();
const missing = missingServices();
// Thousands of short processes load the same modules: stripped of types and compiled once, by whoever comes first.
process.env['NODE_COMPILE_CACHE'] = resolve('build', 'compiled');
process.exitCode = 1;
const results = run({
  files: files.map((file) => resolve(file)),
  // Some wait for a server, a disk or a clock: meanwhile another one computes.
  concurrency: availableParallelism() + 1,
  execArgv: ['--import', './scripts/file-limit.ts'],
});
results.on('test:summary', ({ file, success }) => {
  const isWhole = file === undefined;
  if (isWhole && success && !(missing.length > 0 && process.env['CI'] === 'true')) process.exitCode = 0;
});
results.on('end', () => {
  for (const reason of missing) console.error(reason);
});
results.compose(new spec()).pipe(process.stdout);
