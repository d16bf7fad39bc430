import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs of database servers that tests start, and the Debian packages that bring them. */
const servers = [
  { program: 'mariadbd', packages: ['mariadb-server', 'mariadb-client'] },
  { program: 'redis-server', packages: ['redis-server', 'redis-tools'] },
] as const;
/** Debian asks this script whether a service that was installed may start; 101 means no. */
const startPolicy = '/usr/sbin/policy-rc.d';

function isInstalled(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  return folders.some((folder) => existsSync(join(folder, program)));
}

function aptGet(...args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // A lock that another process holds is waited for.
  const all = ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args];
  return spawnSync('apt-get', all, { env, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

/** Installs what is missing where that may be done: as root, on Debian. Gives the programs that are still missing. */
export function installServers(): string[] {
  const missing = servers.filter(({ program }) => !isInstalled(program));
  if (missing.length > 0 && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    if (!existsSync(startPolicy)) writeFileSync(startPolicy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    aptGet('update');
    aptGet('install', '-y', '--no-install-recommends', ...missing.flatMap(({ packages }) => packages));
  }
  return missing.map(({ program }) => program).filter((program) => !isInstalled(program));
}
