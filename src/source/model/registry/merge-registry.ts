import picomatch from 'picomatch';
import { HoldfastError } from '../../../errors.ts';
import type { RelationDescription, TableName } from '../model-description.ts';
import type { OrmModel } from '../orm/orm-model.ts';
import { type DefaultExclusion, defaultExclusion } from './default-exclusions.ts';
import type { FileRoot, ModelRegistration } from './define-backup.ts';
import { type DiscoveredModel, tableLabel } from './discovered-model.ts';
import { type PlannedField, plainValue, planFields, resolveField } from './plan-fields.ts';
import { registryError, suggest } from './registry-error.ts';
import { resolveModel } from './resolve-model.ts';
import { type RowCondition, rowConditions } from './row-condition.ts';

/** A registration and the file that exports it. */
export interface FoundRegistration {
  readonly file: string;
  readonly registration: ModelRegistration;
}

/** A model that is backed up, and how. */
export interface PlannedModel {
  readonly name: string;
  readonly table: TableName;
  readonly fields: readonly PlannedField[];
  readonly relations: readonly RelationDescription[];
  readonly fileRoots: readonly FileRoot[];
  /** All of these hold for the rows that are backed up; all rows where there are none. A model with any is never flushed. */
  readonly where: readonly RowCondition[];
  /** The columns of the unique key by which a row is known in another database too. */
  readonly naturalKey?: readonly string[];
  /** The file that says so; undefined where all was discovered. */
  readonly registeredIn: string | undefined;
}

/** A model that is left out, and why. */
export interface ExcludedModel {
  readonly name: string;
  readonly table: TableName;
  readonly reason: 'excludeModels' | DefaultExclusion;
  /** Models that are backed up and refer to it: their rows are restored only where what they refer to is there. */
  readonly referencedBy: readonly string[];
}

/** What {@link mergeRegistry} gives: each model is in one of the two lists. */
export interface MergedRegistry {
  readonly models: readonly PlannedModel[];
  readonly excluded: readonly ExcludedModel[];
}

/** Settings of {@link mergeRegistry}. */
export interface MergeOptions {
  /** Globs on names of models, on tables, or on `schema.table`: left out, besides sessions and caches. */
  readonly excludeModels?: readonly string[];
  /** Names of the configuration's media storages, that `file` may name; not checked unless set. */
  readonly storages?: readonly string[];
  /** What the application's ORM says of its models: registrations by class, schema or table object are found in these. */
  readonly described?: readonly OrmModel[];
}

/** The registration of each model, by its table. */
function registrationsByTable(
  discovered: readonly DiscoveredModel[],
  registrations: readonly FoundRegistration[],
  described: readonly OrmModel[],
): Map<string, FoundRegistration> {
  const found = new Map<string, FoundRegistration>();
  for (const one of registrations) {
    const model = resolveModel(discovered, described, one.registration, one.file);
    const label = tableLabel(model.table);
    const other = found.get(label);
    if (other !== undefined) {
      const place = other.file === one.file ? 'here' : `in ${other.file}`;
      throw registryError(one.file, `${model.name} is registered twice, also ${place}`, 'register a model once');
    }
    found.set(label, one);
  }
  return found;
}

/** What a glob of `excludeModels` is held against. */
function labelsOf(model: DiscoveredModel): string[] {
  return [...new Set([model.name, model.table.name, tableLabel(model.table)])];
}

/** What `excludeModels` names. A glob that fits nothing is a mistake, and would leave in what was to be left out. */
function excludedByName(discovered: readonly DiscoveredModel[], globs: readonly string[]): Set<DiscoveredModel> {
  const excluded = new Set<DiscoveredModel>();
  for (const glob of globs) {
    const matches = picomatch(glob, { dot: true, bash: true });
    const found = discovered.filter((model) => labelsOf(model).some((label) => matches(label)));
    if (found.length === 0) {
      throw new HoldfastError('config.invalid', {
        message: `models.excludeModels: no model fits ${glob}`,
        hint: suggest(
          glob,
          discovered.map(({ name }) => name),
        ),
      });
    }
    for (const model of found) excluded.add(model);
  }
  return excluded;
}

function planModel(
  model: DiscoveredModel,
  found: FoundRegistration | undefined,
  storages: readonly string[] | undefined,
): PlannedModel {
  const { name, table, relations } = model;
  if (found === undefined) {
    const fields = model.fields.map((field) => ({ name: field.name, column: field.column, kind: plainValue }));
    return { name, table, fields, relations, fileRoots: [], where: [], registeredIn: undefined };
  }
  const { file, registration } = found;
  const fields = planFields(model, registration, { file, storages });
  const where = rowConditions(registration.where, name, (field) => resolveField(model, field, file).column);
  const naturalKey = registration.naturalKey?.map((field) => resolveField(model, field, file).column);
  return {
    name,
    table,
    fields,
    relations,
    fileRoots: registration.fileRoots,
    where,
    ...(naturalKey === undefined ? {} : { naturalKey }),
    registeredIn: file,
  };
}

/**
 * What is backed up: every discovered model, each as its registration says, and those without one as they are. A registered model is left out only by
 * `excludeModels`; sessions and caches that nobody registered are left out by themselves.
 *
 * @throws `config.invalid` for a registration of a model or a field that there is not, of one model twice, for an excluded column that a restore could
 *   not fill, and for a glob that fits no model.
 */
export function mergeRegistry(
  discovered: readonly DiscoveredModel[],
  registrations: readonly FoundRegistration[],
  options: MergeOptions = {},
): MergedRegistry {
  const registered = registrationsByTable(discovered, registrations, options.described ?? []);
  const named = excludedByName(discovered, options.excludeModels ?? []);
  const reasonFor = (model: DiscoveredModel): ExcludedModel['reason'] | undefined => {
    if (named.has(model)) return 'excludeModels';
    return registered.has(tableLabel(model.table)) ? undefined : defaultExclusion(model, discovered);
  };
  const kept = discovered.filter((model) => reasonFor(model) === undefined);
  const referencesTo = ({ table }: DiscoveredModel) =>
    kept.filter((model) => model.relations.some((one) => tableLabel(one.references.table) === tableLabel(table)));
  const excluded = discovered.flatMap((model): ExcludedModel[] => {
    const reason = reasonFor(model);
    if (reason === undefined) return [];
    return [
      { name: model.name, table: model.table, reason, referencedBy: referencesTo(model).map(({ name }) => name) },
    ];
  });
  return {
    models: kept.map((model) => planModel(model, registered.get(tableLabel(model.table)), options.storages)),
    excluded,
  };
}
