import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';

/**
 * Has SQLite read a file's header, as of a file that does not change: files beside it are neither read, made nor removed.
 * Throws what SQLite throws; damage behind the header may be no more than a writer at work.
 *
 * It is not read with a file handle of our own: closing one drops the locks that a connection of this process holds on the same
 * file (sqlite.org/howtocorrupt.html section 2.2), which SQLite itself knows how to avoid.
 */
export function readHeader(path: string): void {
  const database = new DatabaseSync(new URL(`${pathToFileURL(path).href}?immutable=1`), { readOnly: true });
  try {
    database.prepare('PRAGMA schema_version').get();
  } finally {
    database.close();
  }
}
