import { HoldfastError } from '../../errors.ts';
import { type Model, type ModelForeignKey, tableKey } from './model.ts';
import type { ModelDescription, TableName } from './model-description.ts';

/**
 * Gives the models that an ORM describes their names, their fields' names, and relations that the database does not enforce. The others
 * stay as they were found. Throws `config.invalid` where two would have one name.
 */
export function describeModels(models: readonly Model[], descriptions: readonly ModelDescription[]): readonly Model[] {
  const described = models.map((model) => {
    const description = descriptions.find(({ table }) => isSameTable(table, model.table));
    return description === undefined ? model : describe(model, description, models);
  });
  const names = new Set<string>();
  for (const { name } of described) {
    if (names.has(name)) throw new HoldfastError('config.invalid', { message: `two models have the name ${name}` });
    names.add(name);
  }
  return described;
}

function isSameTable(wanted: TableName, found: TableName): boolean {
  return wanted.name === found.name && (wanted.schema ?? found.schema ?? 'public') === (found.schema ?? 'public');
}

function describe(model: Model, { name, fields, relations }: ModelDescription, models: readonly Model[]): Model {
  const known = new Set(model.foreignKeys.map(shapeOf));
  const soft = relations.flatMap((relation): ModelForeignKey[] => {
    const target = models.find(({ table }) => isSameTable(relation.references.table, table));
    if (target === undefined) return [];
    const key = {
      name: relation.name,
      columns: relation.columns,
      references: { table: target.table, columns: relation.references.columns },
      isSoft: true,
    };
    return known.has(shapeOf(key)) ? [] : [key];
  });
  return {
    ...model,
    name,
    columns: model.columns.map((column) => {
      const field = fields.find((candidate) => candidate.column === column.name);
      return field === undefined || field.name === column.name ? column : { ...column, field: field.name };
    }),
    foreignKeys: [...model.foreignKeys, ...soft],
  };
}

function shapeOf({ columns, references }: ModelForeignKey): string {
  return JSON.stringify([columns, tableKey(references.table), references.columns]);
}
