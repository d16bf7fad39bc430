import { isAbsolute } from 'node:path';
import { HoldfastError } from '../../errors.ts';

const forms = 'supported are sqlite:relative.db and sqlite:///absolute.db';

function refuse(message: string, cause?: unknown): never {
  throw new HoldfastError('usage.invalid', { message: `${message}; ${forms}`, cause });
}

/**
 * The path that a `sqlite:` URL names; percent-encoding is undone. Throws `usage.invalid`.
 *
 * @example sqlitePathFromUrl('sqlite:data/app.db') // 'data/app.db'
 * @example sqlitePathFromUrl('sqlite:///srv/my%20app.db') // '/srv/my app.db'
 */
export function sqlitePathFromUrl(url: string): string {
  const scheme = 'sqlite:';
  if (url.slice(0, scheme.length).toLowerCase() !== scheme) refuse('this is not the URL of a SQLite database');
  const rest = url.slice(scheme.length);
  if (rest.includes('?')) refuse('a sqlite: URL takes no parameters (write ? in a name as %3F)');
  if (rest === ':memory:') refuse('a database in memory cannot be backed up from outside');
  let path: string;
  try {
    path = decodeURIComponent(rest);
  } catch (cause) {
    refuse('the percent-encoding is not valid (write % as %25)', cause);
  }
  if (path.startsWith('//')) {
    if (path[2] !== '/') refuse('a sqlite: URL has no host: give one slash or three');
    path = path.slice(2);
  }
  if (path.includes('\0')) refuse('a path has no NUL byte');
  if (path === '' || path.endsWith('/')) refuse('the URL names no file');
  // `/C:/app.db` is how a URL spells a drive.
  return process.platform === 'win32' && /^\/[a-z]:/i.test(path) && isAbsolute(path) ? path.slice(1) : path;
}
