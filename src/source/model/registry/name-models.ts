import type { RelationDescription } from '../model-description.ts';
import { type DiscoveredField, type DiscoveredModel, tableLabel } from './discovered-model.ts';

/** What {@link nameModels} gives. */
export interface NamedModels {
  /** Every table of the database, with the names of its description where it has one. */
  readonly models: readonly DiscoveredModel[];
  /** Descriptions without a table: views, models whose migration has not run, or those of another database. */
  readonly unmatched: readonly DiscoveredModel[];
}

function relationKey({ columns, references }: RelationDescription): string {
  return JSON.stringify([columns, tableLabel(references.table), references.columns]);
}

/** The database's relations under the names that the ORM gives them, and those that only the ORM knows. */
function mergeRelations(table: DiscoveredModel, described: DiscoveredModel): RelationDescription[] {
  const names = new Map(described.relations.map((relation) => [relationKey(relation), relation.name]));
  const enforced = new Set(table.relations.map(relationKey));
  const columns = new Set(table.fields.map(({ column }) => column));
  return [
    ...table.relations.map((relation) => ({ ...relation, name: names.get(relationKey(relation)) ?? relation.name })),
    ...described.relations.filter(
      (relation) => !enforced.has(relationKey(relation)) && relation.columns.every((column) => columns.has(column)),
    ),
  ];
}

/** Columns keep their own name where the ORM has none for them, unless another field is called so. */
function nameFields(table: DiscoveredModel, described: DiscoveredModel): DiscoveredField[] {
  const names = new Map(described.fields.map(({ name, column }) => [column, name]));
  const taken = new Set(names.values());
  return table.fields.map((field) => {
    const name = names.get(field.column);
    if (name !== undefined) return { ...field, name };
    return { ...field, name: taken.has(field.column) ? `column:${field.column}` : field.column };
  });
}

/**
 * Gives the tables of a database the names, fields and relations that an ORM describes. The database alone says which tables and columns there are:
 * what is not described keeps its own name, and nothing is left out.
 */
export function nameModels(tables: readonly DiscoveredModel[], described: readonly DiscoveredModel[]): NamedModels {
  const byTable = new Map(described.map((model) => [tableLabel(model.table), model]));
  const names = new Map<string, number>();
  for (const model of described) names.set(model.name, (names.get(model.name) ?? 0) + 1);
  const models = tables.map((table): DiscoveredModel => {
    const model = byTable.get(tableLabel(table.table));
    if (model === undefined) return names.has(table.name) ? { ...table, name: tableLabel(table.table) } : table;
    return {
      ...table,
      name: names.get(model.name) === 1 ? model.name : tableLabel(table.table),
      fields: nameFields(table, model),
      relations: mergeRelations(table, model),
      ...(model.sources === undefined ? {} : { sources: model.sources }),
    };
  });
  const labels = new Set(tables.map(({ table }) => tableLabel(table)));
  return { models, unmatched: described.filter(({ table }) => !labels.has(tableLabel(table))) };
}
