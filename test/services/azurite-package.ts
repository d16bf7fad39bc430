/** Azurite comes from npm, but with 400 packages that nothing else needs: it is installed for the tests alone, once for all clones. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from './find-program.ts';
import { cacheFolder } from './unpacked-packages.ts';

export const azuriteVersion = '3.37.0';

function azuriteFolder(): string {
  return join(cacheFolder(), `azurite-${azuriteVersion}`);
}

/** The script of its server for blobs; undefined where it is not installed. */
export function azuriteScript(): string | undefined {
  const script = join(azuriteFolder(), 'node_modules/azurite/dist/src/blob/main.js');
  return existsSync(script) ? script : undefined;
}

/** Installs it where that is possible. Does nothing when it is there. */
export function installAzurite(): void {
  if (azuriteScript() !== undefined || findProgram('npm') === undefined) return;
  console.error(`installing azurite ${azuriteVersion} for the tests`);
  const words = ['install', '--prefix', azuriteFolder(), '--ignore-scripts', '--no-audit', '--no-fund'];
  const run = spawnSync('npm', [...words, `azurite@${azuriteVersion}`], { encoding: 'utf8' });
  // The tests that need it say so themselves.
  if (run.status !== 0)
    console.error(`${run.stdout}${run.stderr}\nit was not installed: ${run.error ?? `exit ${run.status}`}`);
}
