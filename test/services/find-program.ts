/** Where programs of servers are: their packages put them in folders that are not always on PATH. */
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Folders of PostgreSQL's own programs, the supported version first: those on PATH are wrappers that choose a version themselves. */
function postgresFolders(): string[] {
  const base = '/usr/lib/postgresql';
  let versions: string[];
  try {
    versions = readdirSync(base).sort((one, other) => Number(other) - Number(one));
  } catch {
    return [];
  }
  const wanted = versions.includes('15') ? ['15', ...versions.filter((version) => version !== '15')] : versions;
  return wanted.map((version) => join(base, version, 'bin'));
}

/** The whole path of a program, or undefined. */
export function findProgram(name: string): string | undefined {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of [...postgresFolders(), ...onPath, '/usr/sbin', '/sbin', '/usr/local/sbin']) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next folder may have it.
    }
  }
  return undefined;
}

/** The whole path of a program that has to be there. */
export function requireProgram(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}
