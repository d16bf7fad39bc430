import type { Model, ModelStatic, Sequelize } from 'sequelize';
import type { RelationDescription, TableName } from '../../model-description.ts';
import { mergeModels } from '../merge-models.ts';
import type { OrmModel } from '../orm-model.ts';
import { tableName } from '../table-name.ts';

/** A model as it is at run time, with what its types leave out. */
type RuntimeModel = ModelStatic<Model> & {
  readonly rawAttributes: Readonly<Record<string, RuntimeAttribute>>;
  readonly primaryKeyField?: string;
};

interface RuntimeAttribute {
  readonly field?: string;
  readonly type: unknown;
  readonly references?: string | { readonly model?: unknown; readonly key?: string };
}

/** An association to a row of another model, by columns of one's own. */
interface BelongsTo {
  readonly associationType: string;
  readonly as: string;
  readonly identifierField: string;
  readonly target: RuntimeModel;
  readonly targetKeyField?: string;
  readonly targetIdentifier?: string;
}

function isVirtual({ type }: RuntimeAttribute): boolean {
  return (type as { key?: unknown }).key === 'VIRTUAL';
}

/** Where there are no schemas, Sequelize makes one a part of the table's name. */
function tableOf(given: ReturnType<RuntimeModel['getTableName']> | string, dialect: string): TableName {
  if (typeof given === 'string') return tableName(given, undefined);
  const { tableName: name, schema, delimiter } = given as { tableName: string; schema?: string; delimiter?: string };
  const isNamePart = schema !== undefined && schema !== '' && dialect !== 'postgres';
  return isNamePart ? { name: `${schema}${delimiter || '.'}${name}` } : tableName(name, schema);
}

const fieldOf = (model: RuntimeModel, attribute: string): string => model.rawAttributes[attribute]?.field ?? attribute;

function associationsOf(model: RuntimeModel, dialect: string): RelationDescription[] {
  return (Object.values(model.associations) as unknown as BelongsTo[])
    .filter(({ associationType }) => associationType === 'BelongsTo')
    .map(({ as, identifierField, target, targetKeyField, targetIdentifier }) => ({
      name: as,
      columns: [identifierField],
      references: {
        table: tableOf(target.getTableName(), dialect),
        columns: [targetKeyField ?? fieldOf(target, targetIdentifier ?? '') ?? ''],
      },
    }));
}

/** `references` of attributes: a join table has these and no associations. */
function referencesOf(model: RuntimeModel, dialect: string): RelationDescription[] {
  return Object.entries(model.rawAttributes).flatMap(([name, attribute]): RelationDescription[] => {
    const { references, field = name } = attribute;
    if (references === undefined || isVirtual(attribute)) return [];
    const { model: given, key } = typeof references === 'string' ? { model: references, key: undefined } : references;
    const target = typeof given === 'function' ? (given as RuntimeModel) : undefined;
    const named = target?.getTableName() ?? (given as string | { tableName: string });
    const column = key ?? target?.primaryKeyField ?? 'id';
    const references_ = { table: tableOf(named as string, dialect), columns: [column] };
    return [{ name: name.replace(/(_id|Id)$/, '') || name, columns: [field], references: references_ }];
  });
}

/**
 * The models of a Sequelize, the ones it made for many-to-many as well. Scopes and `paranoid` play no part. Of a model with a schema for each tenant, only
 * the one that it was defined with is here; the tables of the others keep their own names.
 */
export function describeSequelize(sequelize: Sequelize): OrmModel[] {
  const dialect = sequelize.getDialect();
  const models = Object.values(sequelize.models) as unknown as RuntimeModel[];
  return mergeModels(
    models.map((model) => ({
      name: model.name,
      table: tableOf(model.getTableName(), dialect),
      fields: Object.entries(model.rawAttributes)
        .filter(([, attribute]) => !isVirtual(attribute))
        .map(([name, { field = name }]) => ({ name, column: field })),
      relations: [...associationsOf(model, dialect), ...referencesOf(model, dialect)],
      sources: [model],
      isChild: false,
    })),
  );
}
