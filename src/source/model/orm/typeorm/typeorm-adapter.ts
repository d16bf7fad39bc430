import type { DataSource } from 'typeorm';
import { HoldfastError } from '../../../../errors.ts';
import { findExport } from '../find-export.ts';
import type { ModelAdapter } from '../model-adapter.ts';
import { describeTypeorm } from './describe-typeorm.ts';

/** A DataSource of any copy of the library, with the method that builds its metadata, which the library's own commands use as well. */
type BuildableDataSource = DataSource & { buildMetadatas(): Promise<void> };

function isDataSource(value: unknown): value is BuildableDataSource {
  return typeof value === 'object' && value !== null && 'entityMetadatas' in value && 'buildMetadatas' in value;
}

/** TypeORM: the module exports its DataSource, as the library's own command line wants it. It is not initialised, so nothing is connected. */
export const typeormAdapter: ModelAdapter = {
  async describe({ paths: [path], importModules }) {
    const dataSource = findExport(await importModules(), isDataSource, {
      path,
      what: 'DataSource of TypeORM',
      example: 'export default new DataSource({ … })',
    });
    try {
      if (!dataSource.isInitialized) await dataSource.buildMetadatas();
    } catch (cause) {
      throw new HoldfastError('config.invalid', {
        message: `the entities of ${path} are not valid: ${cause instanceof Error ? cause.message : String(cause)}`,
        hint: 'mend them as TypeORM asks; its own `schema:log` says the same',
        context: { path },
        cause,
      });
    }
    return describeTypeorm(dataSource);
  },
};
