import { HoldfastError } from '../errors.ts';
import type { Engine } from './engine.ts';
import { mysqlEngine } from './mysql/mysql-engine.ts';
import { postgresEngine } from './postgres/postgres-engine.ts';
import type { EntryMetadata } from './source.ts';
import { sqliteEngine } from './sqlite/sqlite-engine.ts';

/** Every engine that there is. The one place that lists them; each loads its adapter when it is used. */
export const engines: readonly Engine[] = [sqliteEngine, postgresEngine, mysqlEngine];

/** Names the scheme alone: the rest of a URL may hold a password. */
function refuse(message: string): never {
  const forms = engines.map(({ urlForm }) => urlForm).join(', ');
  throw new HoldfastError('usage.invalid', {
    message: `${message}; supported are ${forms}`,
    hint: 'a file of SQLite is named by sqlite: before its path',
  });
}

/** The engine that a URL names by its scheme. Throws `usage.invalid`, which says what is supported. */
export function engineOfUrl(url: string): Engine {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1];
  if (scheme === undefined) refuse('a database is named by a URL');
  const engine = engines.find(({ schemes }) => schemes.includes(scheme.toLowerCase()));
  return engine ?? refuse(`databases of the kind ${JSON.stringify(scheme)} are not supported`);
}

/** The engine that an archived entry of a database came from; undefined where this version does not know it. */
export function engineOfEntry(entry: { readonly kind: string; readonly metadata: EntryMetadata }): Engine | undefined {
  const name = entry.kind === 'sqlite' ? 'sqlite' : entry.metadata['engine'];
  return engines.find(({ names }) => names.some((known) => known === name));
}
