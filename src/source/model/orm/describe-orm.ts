import { resolve } from 'node:path';
import { HoldfastError } from '../../../errors.ts';
import { defaultImportTimeoutMs, importModule } from '../import-module.ts';
import { modelAdapters } from './adapters.ts';
import type { DatabaseTable, OrmName } from './model-adapter.ts';
import type { OrmModel } from './orm-model.ts';

/** Where an application's ORM has its models. */
export interface DescribeOrmOptions {
  readonly orm: OrmName;
  /** Relative to the folder: a module of the application, or with Prisma a schema; several are one after the other. */
  readonly schema: string | readonly string[];
  /** That of the configuration. */
  readonly folder: string;
  /** What the database has; only Kysely's adapter asks. */
  readonly tables?: readonly DatabaseTable[];
  /** Drizzle's, as given to `drizzle()`. */
  readonly casing?: 'snake_case' | 'camelCase';
  /** How long each module may take to load: 30,000 unless set. */
  readonly timeoutMs?: number;
}

/**
 * What an application's ORM says of its models.
 *
 * @throws `config.invalid` where a module cannot be loaded in time or exports nothing of that library, `tool.not_found` where a package is missing.
 */
export async function describeOrm(options: DescribeOrmOptions): Promise<OrmModel[]> {
  const { orm, schema, folder, tables = [], casing, timeoutMs = defaultImportTimeoutMs } = options;
  const [first, ...others] = (typeof schema === 'string' ? [schema] : schema).map((path) => resolve(folder, path));
  if (first === undefined) {
    throw new HoldfastError('config.invalid', {
      message: 'models.schema names nothing',
      hint: 'name the module that has the models',
    });
  }
  const paths = [first, ...others] as const;
  const importModules = async () => {
    const values: Record<string, unknown> = {};
    for (const path of paths) {
      const { default: main, ...named } = await importModule(path, timeoutMs);
      Object.assign(
        values,
        named,
        main === undefined ? {} : { ['default' in values ? `default ${path}` : 'default']: main },
      );
    }
    return values;
  };
  const context = { paths, importModules, tables, ...(casing === undefined ? {} : { casing }) };
  return [...(await (await modelAdapters[orm]()).describe(context))];
}
