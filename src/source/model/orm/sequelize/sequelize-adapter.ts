import type { Sequelize } from 'sequelize';
import { findExport, missingExport } from '../find-export.ts';
import type { ModelAdapter } from '../model-adapter.ts';
import { describeSequelize } from './describe-sequelize.ts';

function isSequelize(value: unknown): value is Sequelize {
  return typeof value === 'object' && value !== null && 'modelManager' in value && 'models' in value;
}

/** Sequelize: the module exports its instance, after the models were defined. It connects with the first query, and there is none. */
export const sequelizeAdapter: ModelAdapter = {
  async describe({ paths: [path], importModules }) {
    const wanted = { path, what: 'Sequelize', example: 'export const sequelize = new Sequelize(…)' };
    const models = describeSequelize(findExport(await importModules(), isSequelize, wanted));
    if (models.length > 0) return models;
    throw missingExport({ path, what: 'Sequelize with models', example: "import './models.ts' before the export" });
  },
};
