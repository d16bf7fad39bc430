import { chownSync, readFileSync } from 'node:fs';
import { findProgram } from './find-program.ts';

/** Who a server runs as. */
export interface ServerUser {
  readonly userId: number;
  readonly groupId: number;
}

/** The first of these users that this machine has, or undefined when not root: then a server runs as whoever runs the tests. */
export function serverUser(names: readonly string[]): ServerUser | undefined {
  // Servers of databases refuse to run as root.
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of names) {
    const found = users.find(([user]) => user === name);
    if (found !== undefined) return { userId: Number(found[2]), groupId: Number(found[3]) };
  }
  throw new Error(`this machine has no user ${names.join(' or ')}`);
}

/** Gives a path to the user of a server. */
export function giveTo(path: string, user: ServerUser | undefined): void {
  if (user !== undefined) chownSync(path, user.userId, user.groupId);
}

/** The command as that user runs it; undefined: as this one. `dies` with the process that spawns it, where the system can do that. */
export function commandAs(
  user: ServerUser | undefined,
  command: readonly string[],
  options: { dies?: boolean } = {},
): string[] {
  const settings: string[] = [];
  if (user !== undefined) settings.push(`--reuid=${user.userId}`, `--regid=${user.groupId}`, '--clear-groups');
  if (options.dies === true && findProgram('setpriv') !== undefined) settings.push('--pdeathsig=KILL');
  return settings.length === 0 ? [...command] : ['setpriv', ...settings, '--', ...command];
}
