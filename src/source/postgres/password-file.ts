import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../secret.ts';
import type { PostgresAddress } from './postgres-address.ts';

/** The parts of a line, split at colons; a backslash takes the next character as it is. */
function partsOf(line: string): string[] {
  const parts = [''];
  for (const [, escaped, colon, other] of line.matchAll(/\\(.)|(:)|([^\\:]|\\$)/g)) {
    if (colon !== undefined && parts.length < 5) parts.push('');
    else parts[parts.length - 1] += escaped ?? colon ?? other ?? '';
  }
  return parts;
}

/** The password of the first line that fits: `host:port:database:user:password`, where a star fits all. */
export function findPassword(text: string, address: PostgresAddress, database: string): Secret | undefined {
  const host = address.host.startsWith('/') ? 'localhost' : address.host;
  const wanted = [host, String(address.port), database, address.user];
  for (const line of text.split('\n').filter((each) => !each.startsWith('#'))) {
    const parts = partsOf(line.replace(/\r$/, ''));
    const isFitting = wanted.every((value, index) => parts[index] === '*' || parts[index] === value);
    if (parts.length === 5 && isFitting) return new Secret(parts[4] ?? '');
  }
  return undefined;
}

/** The password of `PGPASSFILE` or `~/.pgpass`; as for the server's own tools, others must not be able to read the file. */
export async function readPasswordFile(address: PostgresAddress, database: string): Promise<Secret | undefined> {
  const path = process.env['PGPASSFILE'] ?? join(homedir(), '.pgpass');
  try {
    const stats = await stat(path);
    if (!stats.isFile() || (process.platform !== 'win32' && (stats.mode & 0o077) !== 0)) return undefined;
    return findPassword(await readFile(path, 'utf8'), address, database);
  } catch {
    return undefined;
  }
}
