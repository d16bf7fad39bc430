import { resolve } from 'node:path';
import { HoldfastError } from '../../errors.ts';
import type { DatabaseSourceOptions } from '../database-options.ts';
import type { Engine } from '../engine.ts';
import { sqlitePathFromUrl } from './sqlite-path.ts';

/** Settings of servers that would be passed over here: a table that was not left out may be one that nobody may see. */
const foreignSettings = [
  'includeTables',
  'excludeTables',
  'method',
  'extraOptions',
  'connections',
  'roles',
  'models',
] as const;

function refuseForeign(options: DatabaseSourceOptions): void {
  const given = foreignSettings.find((name) => options[name] !== undefined);
  if (given === undefined) return;
  throw new HoldfastError('usage.invalid', {
    message: `a SQLite database is backed up whole: ${given} is not for it`,
    hint: 'leave the setting out for this database',
  });
}

/** SQLite: a file. */
export const sqliteEngine: Engine = {
  name: 'sqlite',
  names: ['sqlite'],
  schemes: ['sqlite'],
  urlForm: 'sqlite:relative.db',
  async makeSource(options) {
    refuseForeign(options);
    const { url, name, timeoutMs } = options;
    const path = sqlitePathFromUrl(url.reveal());
    const { SqliteSource } = await import('./sqlite-source.ts');
    return new SqliteSource({
      path,
      ...(name === undefined ? {} : { name }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  },
  async makePlainSource(options) {
    return await sqliteEngine.makeSource(options);
  },
  plainContent: 'db',
  async makeTarget(options) {
    const { url, mode, tables, connections: _, timeoutMs: __, ...rest } = options;
    const path = sqlitePathFromUrl(url.reveal());
    if (mode !== undefined && mode !== 'swap') {
      throw new HoldfastError('usage.invalid', {
        message: `a SQLite database is swapped in whole: the mode ${mode} is not for it`,
        hint: 'leave the mode out',
      });
    }
    if (tables !== undefined) {
      const { SqliteTablesTarget } = await import('./sqlite-tables-target.ts');
      return new SqliteTablesTarget({ path, tables, ...rest });
    }
    const { SqliteTarget } = await import('./sqlite-target.ts');
    return new SqliteTarget({ path, ...rest });
  },
  async undo(options) {
    const { undoSqlite } = await import('./undo-sqlite.ts');
    return await undoSqlite(sqlitePathFromUrl(options.url.reveal()), options);
  },
  async openScratch(options) {
    const { openSqliteScratch } = await import('./sqlite-scratch.ts');
    return await openSqliteScratch(options);
  },
  placeOf: (url) => resolve(sqlitePathFromUrl(url)),
};
