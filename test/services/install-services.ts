import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { installAzurite } from './azurite-package.ts';
import { extractedFolder, extractedServers } from './extracted-server.ts';
import { findProgram } from './find-program.ts';
import { missingExtracted, missingPackages } from './service-packages.ts';
import { unpackMissing } from './unpacked-packages.ts';

const script = fileURLToPath(new URL('install-packages.sh', import.meta.url));

const extractScript = fileURLToPath(new URL('extract-packages.sh', import.meta.url));

/** Unpacks the servers that are not installed, where this is Debian; nobody has to be root for it once the lists of packages are there. */
function extractServers(): void {
  if (!['apt-get', 'dpkg', 'flock'].every(findProgram)) return;
  for (const name of missingExtracted()) {
    const { packages } = extractedServers[name];
    console.error(`unpacking ${packages.join(' ')} for the tests`);
    const words = [extractedFolder(name), ...packages];
    const { status, error, stdout, stderr } = spawnSync(extractScript, words, {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    if (status !== 0) console.error(`${stdout}${stderr}\n${name} was not unpacked: ${error ?? `exit ${status}`}`);
  }
}

/** Installs or unpacks the servers that tests start where that is possible. Does nothing when all are there. */
export function installServices(): void {
  extractServers();
  installMissing();
  unpackMissing();
  installAzurite();
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
