/** What holds wherever one row, and those that belong to it, are looked for: in a database or in an archive. */
import { HoldfastError } from '../../errors.ts';
import type { Model } from './model.ts';

/** Rows that are found one by one, and so held in memory. */
export const maximumRows = 100_000;

/** Throws `usage.invalid` for a model that there is not. */
export function findModel(models: readonly Model[], name: string): Model {
  const found = models.find((model) => model.name === name) ?? models.find(({ table }) => table.name === name);
  if (found !== undefined) return found;
  throw new HoldfastError('usage.invalid', {
    message: `there is no model ${name}`,
    hint: `models are: ${models.map((model) => model.name).join(', ')}`,
  });
}

/** Throws `usage.invalid` for a model whose rows have no names. */
export function primaryColumns(model: Model): readonly string[] {
  if (model.primaryKey !== undefined) return model.primaryKey.columns;
  throw new HoldfastError('usage.invalid', {
    message: `${model.name} has no primary key, which names its rows`,
    hint: 'leave the table out with --exclude-table, or choose whole models',
  });
}

export function tooManyRows(): HoldfastError {
  return new HoldfastError('usage.invalid', {
    message: `more than ${maximumRows} rows belong to this one: they are not found one by one`,
    hint: 'choose whole models, or rows by a condition',
  });
}
