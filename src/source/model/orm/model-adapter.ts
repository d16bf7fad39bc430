import type { TableName } from '../model-description.ts';
import type { OrmModel } from './orm-model.ts';

/** The libraries that tell about their models. */
export const ormNames = ['drizzle', 'typeorm', 'prisma', 'sequelize', 'mikro-orm', 'kysely'] as const;

/** One of {@link ormNames}. */
export type OrmName = (typeof ormNames)[number];

/** A table of the database and its columns. */
export interface DatabaseTable {
  readonly table: TableName;
  readonly columns: readonly string[];
}

/** What an adapter is given. */
export interface AdapterContext {
  /** What the configuration names: modules of the application, or with Prisma a schema. */
  readonly paths: readonly [string, ...string[]];
  /** What all the modules export, loaded within a time limit; a default export after the first is under another name. Throws `config.invalid`. */
  importModules(): Promise<Readonly<Record<string, unknown>>>;
  /** What the database has: a library without models at run time gives these its names. */
  readonly tables: readonly DatabaseTable[];
  /** How Drizzle makes names of columns out of keys. */
  readonly casing?: 'snake_case' | 'camelCase';
}

/**
 * What an ORM says of its models. Nothing is asked of the database and no connection is opened; scopes, default filters and soft deletes play no part,
 * since rows are never read through the ORM.
 */
export interface ModelAdapter {
  /**
   * The models of a module or a schema, in its order, without views and what the library does not manage.
   *
   * @throws `config.invalid` where it exports nothing that the library makes, `tool.not_found` where a package of the library is not installed.
   */
  describe(context: AdapterContext): Promise<readonly OrmModel[]>;
}
