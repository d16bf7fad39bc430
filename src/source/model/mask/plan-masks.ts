import { HoldfastError } from '../../../errors.ts';
import { readApplicationModels } from '../application-models.ts';
import { type Application, databaseTables } from '../join-models.ts';
import { type Model, tableKey } from '../model.ts';
import type { ModelSchema } from '../model-schema.ts';
import { fromDatabase } from '../registry/from-database.ts';
import { type FoundRegistration, mergeRegistry } from '../registry/merge-registry.ts';
import { findModel, nameOf } from '../registry/resolve-model.ts';
import type { LoadPlan } from '../restore/restore-plan.ts';
import type { MaskedField } from './create-masker.ts';
import { type ColumnLimits, maskedFields } from './masked-fields.ts';

/** How the rows of one model are masked. */
export interface ModelMasks {
  readonly fields: readonly MaskedField[];
  /** Names of fields by column. */
  readonly fieldNames: Readonly<Record<string, string>>;
  /** Columns that are masked and by which rows are found: `customers.email is unique`. */
  readonly keys: readonly string[];
}

/** The masks of a restore, by model, and what is worth knowing of them. */
export interface PlannedMasks {
  readonly models: ReadonlyMap<string, ModelMasks>;
  readonly notes: readonly string[];
}

/** What masks are planned from. */
export interface PlanMasksOptions {
  readonly application: Application;
  readonly schema: ModelSchema;
  /** Those of the archive's other databases: what is registered may be in one of them. */
  readonly otherSchemas: readonly ModelSchema[];
  readonly loads: readonly LoadPlan[];
}

/**
 * Finds out what the registrations of an application mask in the rows of an archive. A column that refers to a masked one is masked alike, so that it goes on
 * referring to the same row.
 *
 * @throws `config.invalid` for a registration of what the archive does not know, since its rows would go in unmasked, and where nothing is masked at all;
 *   `target.incompatible` for rows that could not be found again.
 */
export async function planMasks(options: PlanMasksOptions): Promise<PlannedMasks> {
  const { application, schema, otherSchemas, loads } = options;
  const tables = databaseTables([schema, ...otherSchemas].flatMap(({ models }) => models));
  const { described, registrations } = await readApplicationModels(application, application.folder, tables);
  const discovered = schema.models.map(fromDatabase);
  const others = otherSchemas.map(({ models }) => models.map(fromDatabase));
  const isHere = ({ file, registration }: FoundRegistration): boolean => {
    if (findModel(discovered, described, registration, file) !== undefined) return true;
    if (others.some((one) => findModel(one, described, registration, file) !== undefined)) return false;
    const names = [nameOf(registration.model)];
    names.push(...described.filter(({ sources }) => sources.includes(registration.model)).map(({ name }) => name));
    const isLeftOut = [schema, ...otherSchemas].some(({ leftOut }) => leftOut.some(({ name }) => names.includes(name)));
    // Where the archive says nothing of it, the error of the merge tells.
    return !isLeftOut;
  };
  const merged = mergeRegistry(discovered, registrations.filter(isHere), { described });
  const owners = new Map(
    merged.models.map((model) => [
      tableKey(model.table),
      new Map(maskedFields(model, () => ({ required: false })).map((field) => [field.column, field])),
    ]),
  );
  if (!registrations.some(hasMask)) throw nothingMasked(registrations);
  const notes: string[] = [];
  const masks = new Map<string, ModelMasks>();
  for (const load of loads) {
    const fields = fieldsOf(load, { schema, owners, loads, notes });
    if (fields.length === 0) continue;
    refuseUnfindable(load, fields);
    const fieldNames = Object.fromEntries(load.source.columns.map(({ name, field }) => [name, field ?? name]));
    masks.set(load.source.name, { fields, fieldNames, keys: keysOf(load, fields) });
  }
  return { models: masks, notes };
}

function hasMask({ registration }: FoundRegistration): boolean {
  return Object.values(registration.fields).some((kind) => 'mask' in kind && kind.mask !== undefined);
}

function nothingMasked(registrations: readonly FoundRegistration[]): HoldfastError {
  return new HoldfastError('config.invalid', {
    message:
      registrations.length === 0
        ? '--mask, and there is no registration that says what is masked: no *.backup.ts is found here'
        : '--mask, and no registration here has a mask',
    hint: 'run it in the folder of the application, and give fields a mask: `email: value({ mask: maskEmail() })`',
  });
}

type Owners = ReadonlyMap<string, ReadonlyMap<string, MaskedField>>;

/** The column whose mask a column has: the one that it names in the end, or itself; undefined where it has none. */
function ownerOf(
  place: { readonly model: Model; readonly column: string },
  models: readonly Model[],
  owners: Owners,
  passed: ReadonlySet<string> = new Set(),
): { readonly model: Model; readonly column: string } | undefined {
  const { model, column } = place;
  const key = JSON.stringify([tableKey(model.table), column]);
  if (passed.has(key)) return undefined;
  for (const { columns, references } of model.foreignKeys) {
    const index = columns.indexOf(column);
    const named = models.find(({ table }) => tableKey(table) === tableKey(references.table));
    const other = references.columns[index] ?? named?.primaryKey?.columns[index];
    if (index < 0 || named === undefined || other === undefined) continue;
    const found = ownerOf({ model: named, column: other }, models, owners, new Set([...passed, key]));
    if (found !== undefined) return found;
  }
  return owners.get(tableKey(model.table))?.has(column) === true ? place : undefined;
}

function fieldsOf(
  load: LoadPlan,
  context: {
    readonly schema: ModelSchema;
    readonly owners: Owners;
    readonly loads: readonly LoadPlan[];
    readonly notes: string[];
  },
): MaskedField[] {
  const { schema, owners, loads, notes } = context;
  const { source } = load;
  return load.fields.flatMap(({ source: column, target, filler }): MaskedField[] => {
    // What goes nowhere needs no mask; what was left out has no value.
    if (target === undefined || filler !== undefined) return [];
    const owner = ownerOf({ model: source, column: column.name }, schema.models, owners);
    const found = owner === undefined ? undefined : owners.get(tableKey(owner.model.table))?.get(owner.column);
    if (owner === undefined || found === undefined) return [];
    const field = column.field ?? column.name;
    const isOwn = owner.model === source && owner.column === column.name;
    if (!isOwn) notes.push(`${source.name}.${field} is masked as ${owner.model.name}.${found.field}, which it names`);
    // The same text becomes the same only where the room is the same.
    const ownerLoad = loads.find((one) => one.source === owner.model) ?? load;
    const place = isOwn ? column.name : owner.column;
    return [{ ...found, field, column: column.name, ...limitsOf(ownerLoad, place), required: !target.isNullable }];
  });
}

function limitsOf({ fields }: LoadPlan, column: string): ColumnLimits {
  const found = fields.find(({ source }) => source.name === column);
  const type = (found?.target ?? found?.source)?.type;
  const limit = type?.kind === 'text' ? type.maximumLength : undefined;
  return { required: false, ...(limit === undefined ? {} : { maxLengthCharacters: limit }) };
}

/** Rows that are there are found by their key, and a masked key is another one in every archive. */
function refuseUnfindable({ source, target, onConflict, fields }: LoadPlan, masked: readonly MaskedField[]): void {
  if (onConflict === 'fail') return;
  const keys = target.primaryKey === undefined ? target.uniqueKeys : [target.primaryKey];
  const isMasked = (name: string) => {
    const from = fields.find((field) => field.target?.name === name)?.source.name;
    return masked.some(({ column }) => column === from);
  };
  const column = keys.flatMap((key) => key.columns).find(isMasked);
  if (column === undefined) return;
  throw new HoldfastError('target.incompatible', {
    message: `${source.name}.${column} is masked, and rows that are there are found by it: --on-conflict ${onConflict} would find none, or others`,
    hint: 'use --on-conflict replace-all, or leave the key unmasked',
    context: { model: source.name, column },
  });
}

/** Where masked values meet others that the database holds together or apart. */
function keysOf({ source, target, fields }: LoadPlan, masked: readonly MaskedField[]): string[] {
  const names = new Set(
    fields
      .filter((field) => masked.some(({ column }) => column === field.source.name))
      .flatMap((field) => (field.target === undefined ? [] : [field.target.name])),
  );
  const told = (columns: readonly string[], what: string) =>
    columns.filter((column) => names.has(column)).map((column) => `${source.name}.${column} is masked, and ${what}`);
  return [
    ...[target.primaryKey, ...target.uniqueKeys].flatMap((key) =>
      told(
        key?.columns ?? [],
        'has to be unique: its mask must keep different values different, as maskEmail and maskHash do',
      ),
    ),
    ...source.foreignKeys.flatMap(({ columns, references }) =>
      told(columns, `names a row of ${references.table.name}: mask what it names instead, and it is masked alike`),
    ),
  ];
}
