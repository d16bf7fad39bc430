import type { Bench } from '../race.ts';
import type { Row } from '../row.ts';
import { benchMariadb } from './mariadb.ts';
import { benchModels } from './models.ts';
import { benchLargePostgres, benchPostgres } from './postgres.ts';
import { benchSqlite } from './sqlite.ts';

/** Databases, each with the tools that come with it beside the product. They have a page of their own. */
export const databaseBenchmarks: Readonly<Record<string, (bench: Bench) => Promise<Row[]>>> = {
  postgres: benchPostgres,
  mariadb: benchMariadb,
  sqlite: benchSqlite,
  models: benchModels,
  'postgres-large': benchLargePostgres,
};

/** What `databases` stands for: the large one is run when it is named. */
export const databaseNames = ['postgres', 'mariadb', 'sqlite', 'models'] as const;
