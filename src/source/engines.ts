import { HoldfastError } from '../errors.ts';
import type { Engine } from './engine.ts';
import { mysqlEngine } from './mysql/mysql-engine.ts';
import { postgresEngine } from './postgres/postgres-engine.ts';
import type { EntryMetadata } from './source.ts';
import { sqliteEngine } from './sqlite/sqlite-engine.ts';

/** Every engine that there is. The one place that lists them; each loads its adapter when it is used. */
export const engines: readonly Engine[] = [sqliteEngine, postgresEngine, mysqlEngine];

const schemeOf = (url: string) => /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1];

function findEngine(url: string): Engine | undefined {
  const scheme = schemeOf(url)?.toLowerCase();
  return scheme === undefined ? undefined : engines.find(({ schemes }) => schemes.includes(scheme));
}

/** Why a URL names no kind of database; undefined where it does. Tells the scheme alone: the rest may hold a password. */
export function urlKindProblem(url: string): string | undefined {
  if (findEngine(url) !== undefined) return undefined;
  const scheme = schemeOf(url);
  const forms = engines.map(({ urlForm }) => urlForm).join(', ');
  const problem =
    scheme === undefined
      ? 'a database is named by a URL'
      : `databases of the kind ${JSON.stringify(scheme)} are not supported`;
  return `${problem}; supported are ${forms}`;
}

/** The engine that a URL names by its scheme. Throws `usage.invalid`, which says what is supported. */
export function engineOfUrl(url: string): Engine {
  const engine = findEngine(url);
  if (engine !== undefined) return engine;
  throw new HoldfastError('usage.invalid', {
    message: urlKindProblem(url) ?? 'a database is named by a URL',
    hint: 'a file of SQLite is named by sqlite: before its path',
  });
}

/** The engine that an archived entry of a database came from; undefined where this version does not know it. */
export function engineOfEntry(entry: { readonly kind: string; readonly metadata: EntryMetadata }): Engine | undefined {
  const name = entry.kind === 'sqlite' ? 'sqlite' : entry.metadata['engine'];
  return engines.find(({ names }) => names.some((known) => known === name));
}
