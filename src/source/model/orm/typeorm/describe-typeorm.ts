import type { DataSource, EntityMetadata, EntitySchema } from 'typeorm';
import type { FieldDescription, RelationDescription } from '../../model-description.ts';
import { mergeModels } from '../merge-models.ts';
import type { OrmModel } from '../orm-model.ts';
import { tableName } from '../table-name.ts';

type ColumnMetadata = EntityMetadata['columns'][number];

/** Tables of their own, or shared with a parent; views and abstract parents have none. */
const tableTypes: readonly string[] = ['regular', 'entity-child', 'junction', 'closure-junction', 'closure'];

/** The table of an entity. SQLite knows attached databases, which are not backed up with this one, and no schemas. */
function tableOf({ tableName: name, schema }: EntityMetadata) {
  return tableName(name, schema);
}

/** A column is called by its property; the one of a relation that has no property of its own by the relation: `customer`, and not `customer.id`. */
function fieldOf({ propertyPath, databaseName, isVirtual, relationMetadata }: ColumnMetadata): FieldDescription {
  const isAlone = isVirtual && relationMetadata?.isOwning === true && relationMetadata.joinColumns.length === 1;
  const isOfJoinTable = relationMetadata?.isManyToMany === true;
  return { name: isAlone && !isOfJoinTable ? relationMetadata.propertyPath : propertyPath, column: databaseName };
}

function relationsOf(metadata: EntityMetadata): RelationDescription[] {
  const owned = metadata.relations
    .filter(({ isManyToOne, isOneToOneOwner }) => isManyToOne || isOneToOneOwner)
    .map(({ propertyPath, joinColumns, inverseEntityMetadata }) => ({
      name: propertyPath,
      columns: joinColumns.map(({ databaseName }) => databaseName),
      references: {
        table: tableOf(inverseEntityMetadata),
        columns: joinColumns.map(({ referencedColumn }) => referencedColumn?.databaseName ?? ''),
      },
    }));
  const keys = metadata.foreignKeys.map(({ columns, referencedColumns, referencedEntityMetadata }) => ({
    name: columns.map(({ propertyPath }) => propertyPath).join('_'),
    columns: columns.map(({ databaseName }) => databaseName),
    references: {
      table: tableOf(referencedEntityMetadata),
      columns: referencedColumns.map(({ databaseName }) => databaseName),
    },
  }));
  return [...owned, ...keys];
}

/** What an application's code has for an entity: its class, and the schema that was given for it. */
function sourcesOf({ target, name }: EntityMetadata, given: readonly unknown[]): unknown[] {
  const schemas = given.filter(
    (entity): entity is EntitySchema => typeof entity === 'object' && entity !== null && 'options' in entity,
  );
  const own = schemas.filter(({ options }) => options.target === target || options.name === name);
  return typeof target === 'string' ? own : [target, ...own];
}

/**
 * The entities of a DataSource whose metadata are built: also join tables, closure tables, and entities that are not synchronised. Entities that share
 * a table (`@TableInheritance`) are one model, with the fields of all.
 */
export function describeTypeorm(dataSource: DataSource): OrmModel[] {
  const { entities = [] } = dataSource.options;
  const given: unknown[] = Array.isArray(entities) ? entities : Object.values(entities);
  const models = dataSource.entityMetadatas
    .filter(({ tableType, expression }) => tableTypes.includes(tableType) && expression === undefined)
    .map((metadata) => {
      const columns = metadata.columns.filter(({ isVirtualProperty }) => !isVirtualProperty);
      return {
        name: metadata.name,
        table: tableOf(metadata),
        fields: columns.map(fieldOf),
        relations: relationsOf(metadata),
        sources: sourcesOf(metadata, given),
        isChild: metadata.tableType === 'entity-child',
      };
    });
  return mergeModels(models);
}
