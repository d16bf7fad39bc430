import { isAbsolute } from 'node:path';
import { HoldfastError } from '../errors.ts';
import type { Source } from './source.ts';
import { SqliteSource } from './sqlite/sqlite-source.ts';

const supported = 'supported are sqlite:relative.db and sqlite:///absolute.db';

/** Names the scheme alone: the rest of a URL may hold a password. */
function refuse(message: string): never {
  throw new HoldfastError('usage.invalid', { message: `${message}; ${supported}` });
}

/**
 * The path that a `sqlite:` URL names; percent-encoding is undone. Throws `usage.invalid`.
 *
 * @example sqlitePathFromUrl('sqlite:data/app.db') // 'data/app.db'
 * @example sqlitePathFromUrl('sqlite:///srv/my%20app.db') // '/srv/my app.db'
 */
export function sqlitePathFromUrl(url: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1];
  if (scheme === undefined) refuse('a database is named by a URL');
  if (scheme.toLowerCase() !== 'sqlite') refuse(`databases of the kind ${JSON.stringify(scheme)} are not supported`);
  const rest = url.slice(scheme.length + 1);
  if (rest.includes('?')) refuse('a sqlite: URL takes no parameters (write ? in a name as %3F)');
  if (rest === ':memory:') refuse('a database in memory cannot be backed up from outside');
  let path: string;
  try {
    path = decodeURIComponent(rest);
  } catch (cause) {
    throw new HoldfastError('usage.invalid', {
      message: `the percent-encoding is not valid (write % as %25); ${supported}`,
      cause,
    });
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

/** The database that a URL names. Throws `usage.invalid`, which says what is supported. */
export function sourceFromUrl(url: string): Source {
  return new SqliteSource({ path: sqlitePathFromUrl(url) });
}
