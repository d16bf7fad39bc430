import type { MikroORM, Options } from '@mikro-orm/core';
import { HoldfastError } from '../../../../errors.ts';
import { findExport } from '../find-export.ts';
import { importLibrary } from '../import-library.ts';
import type { ModelAdapter } from '../model-adapter.ts';
import { describeMikroOrm } from './describe-mikro-orm.ts';

type Given = MikroORM | Options;

function isMikroOrm(value: unknown): value is MikroORM {
  return typeof value === 'object' && value !== null && 'getMetadata' in value && 'config' in value;
}

function isGiven(value: unknown): value is Given {
  return (
    isMikroOrm(value) || (typeof value === 'object' && value !== null && ('entities' in value || 'entitiesTs' in value))
  );
}

/** Finds the entities; connects nothing, and writes no cache. */
async function discover(options: Options, path: string): Promise<MikroORM> {
  const library = await importLibrary<typeof import('@mikro-orm/core')>('@mikro-orm/core', path);
  try {
    return await library.MikroORM.init({ ...options, debug: false, metadataCache: { enabled: false } });
  } catch (cause) {
    throw new HoldfastError('config.invalid', {
      message: `the entities of ${path} are not valid: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'mend them as MikroORM asks; its own `mikro-orm debug` says the same',
      context: { path },
      cause,
    });
  }
}

/** MikroORM: the module exports its options (`mikro-orm.config.ts`) or an instance. */
export const mikroOrmAdapter: ModelAdapter = {
  async describe({ paths: [path], importModules }) {
    const found = findExport(await importModules(), isGiven, {
      path,
      what: 'options of MikroORM',
      example: 'export default defineConfig({ entities: [ … ] })',
    });
    return describeMikroOrm(isMikroOrm(found) ? found : await discover(found, path));
  },
};
