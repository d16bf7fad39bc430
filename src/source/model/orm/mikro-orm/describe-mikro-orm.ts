import type { EntityMetadata, EntityProperty, MikroORM } from '@mikro-orm/core';
import type { FieldDescription, RelationDescription } from '../../model-description.ts';
import { mergeModels } from '../merge-models.ts';
import type { OrmModel } from '../orm-model.ts';
import { tableName } from '../table-name.ts';

const ownerKinds: readonly string[] = ['m:1', '1:1'];

/** The properties that are columns of the entity's own table. */
function storedProperties(metadata: EntityMetadata): EntityProperty[] {
  // An entity that has a table besides its parent's has only its own properties there, and the key.
  const isPart = metadata.tptParent !== undefined;
  const properties = isPart ? [...metadata.getPrimaryProps(), ...(metadata.ownProps ?? [])] : metadata.props;
  return [...new Set(properties)].filter(({ kind, persist, formula, object, owner }) => {
    if (persist === false || formula !== undefined) return false;
    if (ownerKinds.includes(kind)) return kind === 'm:1' || owner;
    return kind === 'scalar' || (kind === 'embedded' && object === true);
  });
}

/** `address.street` for a property of an embedded one. */
function pathOf(property: EntityProperty, metadata: EntityMetadata): string {
  if (property.embedded === undefined) return property.name;
  const [parentName, name] = property.embedded;
  const parent = metadata.props.find((other) => other.name === parentName);
  return `${parent === undefined ? parentName : pathOf(parent, metadata)}.${name}`;
}

function fieldsOf(metadata: EntityMetadata): FieldDescription[] {
  return storedProperties(metadata).flatMap((property) => {
    const { fieldNames, referencedColumnNames } = property;
    const path = pathOf(property, metadata);
    return fieldNames.map((column, index) => ({
      name: fieldNames.length === 1 ? path : `${path}.${referencedColumnNames?.[index] ?? column}`,
      column,
    }));
  });
}

/** A schema of `*` is chosen with each query: tables of it are found by their name in the default one. */
function tableOf(metadata: EntityMetadata, defaultSchema: string | undefined) {
  return tableName(metadata.tableName, metadata.schema === '*' ? undefined : (metadata.schema ?? defaultSchema));
}

function relationsOf(metadata: EntityMetadata, defaultSchema: string | undefined): RelationDescription[] {
  const properties = storedProperties(metadata).filter(
    ({ kind, polymorphic }) => ownerKinds.includes(kind) && !polymorphic,
  );
  const relations = properties.flatMap((property): RelationDescription[] => {
    const { targetMeta, joinColumns, referencedColumnNames } = property;
    if (targetMeta === undefined) return [];
    const references = { table: tableOf(targetMeta, defaultSchema), columns: [...referencedColumnNames] };
    return [{ name: pathOf(property, metadata), columns: [...joinColumns], references }];
  });
  const { tptParent } = metadata;
  if (tptParent === undefined) return relations;
  const columnsOf = (one: EntityMetadata) => one.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames);
  const references = { table: tableOf(tptParent, defaultSchema), columns: columnsOf(tptParent) };
  return [...relations, { name: tptParent.className, columns: columnsOf(metadata), references }];
}

/** What an application's code has for an entity: its class, and the schema that was given for it. */
function sourcesOf(metadata: EntityMetadata, given: readonly unknown[]): unknown[] {
  const schemas = given.filter((entity) => {
    if (typeof entity !== 'object' || entity === null || !('meta' in entity)) return false;
    const { class: target, className } = entity.meta as EntityMetadata;
    return target === metadata.class || className === metadata.className;
  });
  return [...(metadata.class === undefined ? [] : [metadata.class]), ...schemas];
}

/**
 * The entities of a MikroORM, the pivot tables of many-to-many among them. Embeddables are fields of their owner (`address.street`); entities of one table
 * are one model; views and virtual entities are none. Filters play no part.
 */
export function describeMikroOrm(orm: MikroORM): OrmModel[] {
  const given = [...orm.config.get('entities'), ...(orm.config.get('entitiesTs') ?? [])] as unknown[];
  const defaultSchema = orm.config.get('schema') ?? undefined;
  const models = [...orm.getMetadata().getAll().values()]
    .filter(({ embeddable, abstract, virtual, view, tptParent, root }) => {
      return (
        !embeddable && !virtual && !view && !(abstract && tptParent === undefined && root.inheritanceType === undefined)
      );
    })
    .map((metadata) => ({
      name: metadata.className,
      table: tableOf(metadata, defaultSchema),
      fields: fieldsOf(metadata),
      relations: relationsOf(metadata, defaultSchema),
      sources: sourcesOf(metadata, given),
      isChild: metadata.root !== metadata,
    }));
  return mergeModels(models);
}
