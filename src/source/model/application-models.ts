import { describeOrm } from './orm/describe-orm.ts';
import type { DatabaseTable, OrmName } from './orm/model-adapter.ts';
import type { OrmModel } from './orm/orm-model.ts';
import { loadRegistrations } from './registry/load-registrations.ts';
import type { FoundRegistration } from './registry/merge-registry.ts';

/** Where an application says what its models are. All of it may be left out: then the database alone says so. */
export interface ApplicationModelSettings {
  readonly orm?: OrmName;
  /** With `orm`: the module of its models, or the schema of Prisma; relative to the folder. */
  readonly schema?: string | readonly string[];
  /** Drizzle's, as given to `drizzle()`. */
  readonly casing?: 'snake_case' | 'camelCase';
  /** Globs of registrations; `*.backup.ts` and `*.backup.js` anywhere unless set. */
  readonly registry?: readonly string[];
  /** How long each module may take to load: 30,000 unless set. */
  readonly loadTimeoutMs?: number;
}

/** What an application says of its models. */
export interface ApplicationModels {
  readonly described: readonly OrmModel[];
  readonly registrations: readonly FoundRegistration[];
}

/**
 * Reads what an application says of its models: by its ORM, and in its registrations.
 *
 * @param folder That of the configuration.
 * @param tables What the database has.
 * @throws `config.invalid` for what cannot be loaded or is not valid, `tool.not_found` where a package of the ORM is not installed.
 */
export async function readApplicationModels(
  settings: ApplicationModelSettings,
  folder: string,
  tables: readonly DatabaseTable[],
): Promise<ApplicationModels> {
  const { orm, schema, casing, registry, loadTimeoutMs } = settings;
  const limits = loadTimeoutMs === undefined ? {} : { timeoutMs: loadTimeoutMs };
  const described =
    orm === undefined || schema === undefined
      ? []
      : await describeOrm({ orm, schema, folder, tables, ...limits, ...(casing === undefined ? {} : { casing }) });
  const registrations = await loadRegistrations(folder, { ...limits, ...(registry === undefined ? {} : { registry }) });
  return { described, registrations };
}
