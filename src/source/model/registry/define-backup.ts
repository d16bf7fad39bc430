import type { FieldKind } from './field-kind.ts';
import type { FieldNameOf, ModelNameOf, RowOf, RowOfNamed } from './model-types.ts';
import type { Where } from './row-condition.ts';

/** A folder that belongs to a model, though no row names what is in it. */
export interface FileRoot {
  /** Relative to the configuration's folder. */
  readonly path: string;
  /** The tree's name in archives: its folder's unless set. */
  readonly name?: string;
}

/** What is said of one model. Fields that are not named are backed up as values. */
export interface BackupGiven<Row> {
  readonly fields?: { readonly [Field in FieldNameOf<Row>]?: FieldKind };
  /** More folders to back up with this model. */
  readonly fileRoots?: readonly (string | FileRoot)[];
  /** Only these rows. */
  readonly where?: Where<Row>;
  /** The fields of the unique key by which a row is known in another database too, where it may have another number: `['email']`. */
  readonly naturalKey?: readonly FieldNameOf<Row>[];
}

const registrationMark = Symbol.for('holdfast.model-registration');

/** A registration, as a `*.backup.ts` exports it. */
export interface ModelRegistration {
  readonly [registrationMark]: true;
  /** The model, as it was given: a class, a table, or a name. */
  readonly model: unknown;
  readonly fields: Readonly<Record<string, FieldKind>>;
  readonly fileRoots: readonly FileRoot[];
  readonly where: Readonly<Record<string, unknown>>;
  readonly naturalKey?: readonly string[];
}

function registrationOf(model: unknown, given: BackupGiven<never>): ModelRegistration {
  const { fields = {}, fileRoots = [], where = {}, naturalKey } = given;
  return {
    [registrationMark]: true,
    model,
    fields: fields as Record<string, FieldKind>,
    fileRoots: fileRoots.map((root) => (typeof root === 'string' ? { path: root } : root)),
    where: where as Record<string, unknown>,
    ...(naturalKey === undefined ? {} : { naturalKey }),
  };
}

/**
 * Says how one model is backed up; it goes into a `*.backup.ts` beside the application's code, as its default export or any other. The others stay
 * as they are, and so do the fields that are not named. A field that the model does not have is no valid TypeScript.
 *
 * @param model A table of Drizzle, an entity of TypeORM or MikroORM (class or schema), a model of Sequelize, a delegate of Prisma
 *   (`prisma.invoice`), or a name. Without a model, a type comes first: `defineBackup<Database>()('invoice', { … })`, of Kysely's tables or of
 *   Prisma's `Prisma.TypeMap`.
 *
 * @example
 * export default defineBackup(invoices, { fields: { pdfPath: filePath({ root: 'uploads' }), renderCache: exclude() } });
 */
export function defineBackup<Model>(model: Model & {}, given: BackupGiven<RowOf<Model>>): ModelRegistration;
export function defineBackup<Schema>(): <Name extends ModelNameOf<Schema>>(
  name: Name,
  given: BackupGiven<RowOfNamed<Schema, Name>>,
) => ModelRegistration;
export function defineBackup(...parameters: [] | [unknown, BackupGiven<never>]): unknown {
  return parameters.length === 0 ? registrationOf : registrationOf(...parameters);
}

/** Whether something is a registration, made by this or another copy of Holdfast. */
export function isRegistration(value: unknown): value is ModelRegistration {
  return typeof value === 'object' && value !== null && registrationMark in value;
}
