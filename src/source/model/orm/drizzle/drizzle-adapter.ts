import { missingExport } from '../find-export.ts';
import { importLibrary } from '../import-library.ts';
import type { ModelAdapter } from '../model-adapter.ts';
import { type DrizzleLibrary, describeDrizzle } from './describe-drizzle.ts';

/** What a module exports by name, and what is in an object that it exports (`export const schema = { … }`). */
function namedValues(module: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isPlain = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value));
  const inner = Object.values(module).filter(isPlain);
  return Object.assign({}, ...inner, module) as Record<string, unknown>;
}

/** Drizzle: the module is the schema, as `drizzle.config.ts` names it. */
export const drizzleAdapter: ModelAdapter = {
  async describe({ paths: [path], importModules, casing }) {
    const values = namedValues(await importModules());
    const load = <Part>(part: string) => importLibrary<Part>(part, path);
    const library: DrizzleLibrary = {
      core: await load('drizzle-orm'),
      casing: await load('drizzle-orm/casing'),
      postgres: await load('drizzle-orm/pg-core'),
      mysql: await load('drizzle-orm/mysql-core'),
      sqlite: await load('drizzle-orm/sqlite-core'),
    };
    const models = describeDrizzle(values, library, casing);
    if (models.length > 0) return models;
    throw missingExport({
      path,
      what: 'table of Drizzle',
      example: "export const invoices = pgTable('invoice', { … })",
    });
  },
};
