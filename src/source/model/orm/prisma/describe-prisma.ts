import type { FieldDescription, RelationDescription, TableName } from '../../model-description.ts';
import type { OrmModel } from '../orm-model.ts';
import { tableName } from '../table-name.ts';

/** A field of Prisma's data model (DMMF). */
export interface PrismaField {
  readonly name: string;
  /** `object` for a relation. */
  readonly kind: string;
  /** Of a relation, the other model. */
  readonly type: string;
  readonly dbName?: string | null;
  readonly isId?: boolean;
  readonly isList?: boolean;
  readonly relationName?: string;
  readonly relationFromFields?: readonly string[];
  readonly relationToFields?: readonly string[];
}

/** A model of Prisma's data model (DMMF). */
export interface PrismaModel {
  readonly name: string;
  readonly dbName?: string | null;
  readonly schema?: string | null;
  readonly fields: readonly PrismaField[];
}

function tableOf({ name, dbName, schema }: PrismaModel): TableName {
  return tableName(dbName ?? name, schema);
}

function columnOf({ fields }: PrismaModel, name: string): string {
  return fields.find((field) => field.name === name)?.dbName ?? name;
}

function relationsOf(model: PrismaModel, models: ReadonlyMap<string, PrismaModel>): RelationDescription[] {
  return model.fields.flatMap(
    ({ name, type, relationFromFields = [], relationToFields = [] }): RelationDescription[] => {
      const target = models.get(type);
      if (relationFromFields.length === 0 || target === undefined) return [];
      const columns = relationToFields.map((field) => columnOf(target, field));
      return [
        {
          name,
          columns: relationFromFields.map((field) => columnOf(model, field)),
          references: { table: tableOf(target), columns },
        },
      ];
    },
  );
}

/** One side of a many-to-many relation without a model of its own. */
interface Side {
  readonly model: PrismaModel;
  readonly relationName: string;
}

/** The table between: `_TagToUser`, with the columns `A` and `B` for the two models in the order of their names. */
function joinModel(relationName: string, [first, second]: readonly [PrismaModel, PrismaModel]): OrmModel {
  const side = (name: 'A' | 'B', model: PrismaModel): RelationDescription => {
    const key = model.fields.find(({ isId }) => isId === true)?.name ?? 'id';
    return { name, columns: [name], references: { table: tableOf(model), columns: [columnOf(model, key)] } };
  };
  const name = `_${relationName}`;
  const fields: FieldDescription[] = ['A', 'B'].map((column) => ({ name: column, column }));
  return {
    name,
    table: tableName(name, first.schema),
    fields,
    relations: [side('A', first), side('B', second)],
    sources: [],
  };
}

function joinModels(models: ReadonlyMap<string, PrismaModel>): OrmModel[] {
  const sides = [...models.values()].flatMap((model) =>
    model.fields.flatMap(({ kind, type, isList, relationName }): Side[] => {
      const isMany = kind === 'object' && isList === true && relationName !== undefined;
      const back = models
        .get(type)
        ?.fields.filter((other) => other.relationName === relationName && other.isList === true);
      // A relation of a model to itself has both of its sides in it; one with a key of its own has a side that is no list.
      const isManyToMany = (back?.length ?? 0) === (type === model.name ? 2 : 1);
      return isMany && isManyToMany ? [{ model, relationName }] : [];
    }),
  );
  const names = [...new Set(sides.map(({ relationName }) => relationName))];
  return names.map((name) => {
    const found = sides.filter(({ relationName }) => relationName === name).map(({ model }) => model);
    const [first, second] = found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    return joinModel(name, [first, second ?? first] as [PrismaModel, PrismaModel]);
  });
}

/**
 * The models of a schema of Prisma, with the tables of its implicit many-to-many relations. What is marked `@@ignore` is not in it.
 *
 * @param views Names of `view` blocks, which the data model does not tell from models.
 */
export function describePrisma(datamodel: readonly PrismaModel[], views: ReadonlySet<string> = new Set()): OrmModel[] {
  const models = new Map(datamodel.filter(({ name }) => !views.has(name)).map((model) => [model.name, model]));
  const described = [...models.values()].map((model): OrmModel => {
    const fields = model.fields.filter(({ kind }) => kind !== 'object');
    return {
      name: model.name,
      table: tableOf(model),
      fields: fields.map(({ name, dbName }) => ({ name, column: dbName ?? name })),
      relations: relationsOf(model, models),
      sources: [],
    };
  });
  return [...described, ...joinModels(models)];
}
