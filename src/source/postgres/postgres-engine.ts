import { type Engine, onServer, plainDumpSettings } from '../engine.ts';
import { postgresPlaceOf } from './postgres-address.ts';

/** PostgreSQL: a database of a server. */
export const postgresEngine: Engine = {
  name: 'postgres',
  names: ['postgres'],
  schemes: ['postgres', 'postgresql'],
  urlForm: 'postgres://user@host/database',
  async makeSource(options) {
    const { PostgresSource } = await import('./postgres-source.ts');
    return new PostgresSource(options);
  },
  async makePlainSource(options) {
    const { PostgresSource } = await import('./postgres-source.ts');
    const { extraOptions = [], ...settings } = plainDumpSettings(options);
    return new PostgresSource({ ...settings, extraOptions: [...extraOptions, '--format=plain'] });
  },
  plainContent: 'sql',
  async makeTarget(options) {
    const { PostgresTarget } = await import('./postgres-target.ts');
    return new PostgresTarget(options);
  },
  async undo(options) {
    const { undoPostgres } = await import('./undo-postgres.ts');
    return await undoPostgres(options);
  },
  async openScratch(options) {
    const { openPostgresScratch } = await import('./postgres-scratch.ts');
    return await openPostgresScratch(onServer(options, postgresEngine.urlForm));
  },
  placeOf: postgresPlaceOf,
};
