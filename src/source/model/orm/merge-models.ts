import type { FieldDescription, RelationDescription } from '../model-description.ts';
import type { OrmModel } from './orm-model.ts';

/** One of the models that share a table. */
export interface SharingModel extends OrmModel {
  /** Inherits from another that has the table's name. */
  readonly isChild: boolean;
}

function shapeOf({ columns, references }: RelationDescription): string {
  return JSON.stringify([columns, references]);
}

/** Names a model by its table's fields: each column once, and no name twice. */
function uniqueFields(fields: readonly FieldDescription[]): FieldDescription[] {
  const columns = new Map<string, FieldDescription>();
  const names = new Set<string>();
  for (const field of fields) {
    if (columns.has(field.column)) continue;
    const name = names.has(field.name) ? field.column : field.name;
    names.add(name);
    columns.set(field.column, { ...field, name });
  }
  return [...columns.values()];
}

function uniqueRelations(relations: readonly RelationDescription[]): RelationDescription[] {
  const shapes = new Map<string, RelationDescription>();
  for (const relation of relations) if (!shapes.has(shapeOf(relation))) shapes.set(shapeOf(relation), relation);
  return [...shapes.values()];
}

/** One model a table: single-table inheritance has several. The parent's name stands for all, and any of their classes. */
export function mergeModels(models: readonly SharingModel[]): OrmModel[] {
  const tables = new Map<string, SharingModel[]>();
  for (const model of models) {
    const key = JSON.stringify([model.table.schema, model.table.name]);
    tables.set(key, [...(tables.get(key) ?? []), model]);
  }
  return [...tables.values()].map((sharing) => {
    const [first, ...others] = [...sharing].sort((a, b) => Number(a.isChild) - Number(b.isChild)) as [SharingModel];
    const all = [first, ...others];
    return {
      name: first.name,
      table: first.table,
      fields: uniqueFields(all.flatMap(({ fields }) => fields)),
      relations: uniqueRelations(all.flatMap(({ relations }) => relations)),
      sources: all.flatMap(({ sources }) => sources),
    };
  });
}
