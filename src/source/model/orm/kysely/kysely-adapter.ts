import type { Kysely } from 'kysely';
import { findExport } from '../find-export.ts';
import type { ModelAdapter } from '../model-adapter.ts';
import { describeKysely } from './describe-kysely.ts';

function isKysely(value: unknown): value is Kysely<unknown> {
  return typeof value === 'object' && value !== null && 'getExecutor' in value && 'selectFrom' in value;
}

/** Kysely: the module exports its instance, whose plugins say how columns are called. It connects with the first query, and there is none. */
export const kyselyAdapter: ModelAdapter = {
  async describe({ paths: [path], importModules, tables }) {
    const wanted = { path, what: 'instance of Kysely', example: 'export const database = new Kysely<Database>({ … })' };
    return await describeKysely(findExport(await importModules(), isKysely, wanted), tables);
  },
};
