/**
 * What a model of each library tells the compiler. The libraries' types are matched by their shape, so that none of them has to be installed.
 */

/** A class whose instances are rows: TypeORM, MikroORM, Sequelize. */
type EntityClass<Entity> = abstract new (...parameters: never[]) => Entity;

/** What a row of an entity holds: methods are no columns. */
type DataOf<Entity> = {
  [Key in keyof Entity as Key extends string
    ? Entity[Key] extends (...parameters: never[]) => unknown
      ? never
      : Key
    : never]: Entity[Key];
};

/** The attributes of an instance of Sequelize; else the properties of an entity. */
type RowOfInstance<Instance> = Instance extends { _attributes: infer Attributes } ? Attributes : DataOf<Instance>;

/**
 * The row of a model, by the names of its fields:
 * - a table of Drizzle: what it selects;
 * - a schema of MikroORM (`defineEntity`): its entity;
 * - an `EntitySchema` of TypeORM: its columns and relations;
 * - a delegate of Prisma (`prisma.invoice`): its scalar fields;
 * - a class of TypeORM, MikroORM or Sequelize: its properties or attributes;
 * - a name, as a text: anything, which is checked when the registration is read.
 */
export type RowOf<Model> = Model extends string
  ? Record<string, unknown>
  : Model extends { readonly $inferSelect: infer Row }
    ? Row
    : Model extends { readonly '~entity': infer Entity }
      ? DataOf<Entity>
      : Model extends {
            readonly options: { readonly name: string; readonly columns: { [Key in keyof (infer Row)]?: unknown } };
          }
        ? { [Key in keyof Row]: unknown }
        : Model extends { readonly fields: infer Fields; readonly findMany: unknown }
          ? { [Name in keyof Fields]: unknown }
          : Model extends EntityClass<infer Instance>
            ? RowOfInstance<Instance>
            : never;

/** Values that are columns, and never objects with columns of their own. */
type Leaf =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  | Date
  | Uint8Array
  | readonly unknown[]
  | ((...parameters: never[]) => unknown);

/** `street` of an embedded `address` is the field `address.street`. */
type EmbeddedName<Key extends string, Value> = unknown extends Value
  ? never
  : Value extends Leaf
    ? never
    : `${Key}.${keyof DataOf<Value> & string}`;

/** The names of a row's fields. */
export type FieldNameOf<Row> = {
  [Key in keyof Row & string]: Key | EmbeddedName<Key, Exclude<Row[Key], null | undefined>>;
}[keyof Row & string];

/** What is selected from a column of Kysely, which may differ from what is inserted (`Generated<number>`). */
type Selected<Column> = Column extends { readonly __select__: infer Value } ? Value : Column;

/** The models of a schema type: those of `Prisma.TypeMap`, or the tables of Kysely's `Database`. */
type ModelsOf<Schema> = Schema extends { readonly model: infer Models; readonly meta: unknown } ? Models : Schema;

/** The names of the models of a schema type. */
export type ModelNameOf<Schema> = keyof ModelsOf<Schema> & string;

/** The row of one model of a schema type. */
export type RowOfNamed<Schema, Name extends ModelNameOf<Schema>> = ModelsOf<Schema>[Name] extends infer Model
  ? Model extends { readonly fields: infer Fields; readonly payload: unknown }
    ? { [Field in keyof Fields]: unknown }
    : { [Column in keyof Model]: Selected<Model[Column]> }
  : never;
