import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findProgram } from './find-program.ts';
import { missingPackages } from './service-packages.ts';

const script = fileURLToPath(new URL('install-packages.sh', import.meta.url));

/** Installs the servers that tests start where that is possible: as root on Debian. Does nothing when all are there. */
export function installServices(): void {
  const packages = missingPackages();
  if (packages.length === 0) return;
  const canInstall = process.getuid?.() === 0 && ['apt-get', 'dpkg-query', 'flock'].every(findProgram);
  if (!canInstall) return;
  console.error(`installing ${packages.join(' ')} for the tests`);
  const { status, error, stdout, stderr } = spawnSync(script, packages, { encoding: 'utf8', maxBuffer: 64 << 20 });
  // The tests that need them say so themselves.
  if (status !== 0) console.error(`${stdout}${stderr}\nthe packages were not installed: ${error ?? `exit ${status}`}`);
}
