#!/usr/bin/env node
// Plain JavaScript that any Node since 12 parses: an old one gets one clear line instead of a syntax error.
// It imports nothing before the version is known, so that `--version` costs no more than the start of Node.
/* global process */
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(`holdfast: this Node is too old (v${process.versions.node}): install Node 24 or newer\n`);
  process.exitCode = 2;
} else if (process.argv.length === 3 && (process.argv[2] === '--version' || process.argv[2] === '-V')) {
  const { readFileSync } = process.getBuiltinModule('node:fs');
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  process.stdout.write(`${version}\n`);
} else {
  // The space for young objects keeps its first size: it would grow to 16 MiB while modules load, and to 64 MiB with what passes through later.
  process.getBuiltinModule('node:v8').setFlagsFromString('--semi-space-growth-factor=1');
  import('../dist/cli/main.js').then(
    ({ main }) => main(process.argv.slice(2)),
    (error) => {
      process.stderr.write(`holdfast: this installation is not complete: ${error.message} [operation.failed]\n`);
      process.exitCode = 1;
    },
  );
}
