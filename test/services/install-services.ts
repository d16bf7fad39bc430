import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findProgram } from './find-program.ts';
import { missingPackages } from './service-packages.ts';
import { unpackMissing } from './unpacked-packages.ts';

const script = fileURLToPath(new URL('install-packages.sh', import.meta.url));

/** Installs or unpacks the servers that tests start where that is possible. Does nothing when all are there. */
export function installServices(): void {
  installMissing();
  unpackMissing();
}

/** As root on Debian. */
function installMissing(): void {
  const packages = missingPackages();
  if (packages.length === 0) return;
  const canInstall = process.getuid?.() === 0 && ['apt-get', 'dpkg-query', 'flock'].every(findProgram);
  if (!canInstall) return;
  console.error(`installing ${packages.join(' ')} for the tests`);
  const { status, error, stdout, stderr } = spawnSync(script, packages, { encoding: 'utf8', maxBuffer: 64 << 20 });
  // The tests that need them say so themselves.
  if (status !== 0) console.error(`${stdout}${stderr}\nthe packages were not installed: ${error ?? `exit ${status}`}`);
}
