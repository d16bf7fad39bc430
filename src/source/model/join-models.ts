import { HoldfastError } from '../../errors.ts';
import { type ApplicationModelSettings, readApplicationModels } from './application-models.ts';
import { describeModels } from './describe-models.ts';
import { excludedText } from './excluded-text.ts';
import { type Discovery, type LeftOut, type Model, type ModelColumn, type ModelEngine, tableKey } from './model.ts';
import type { ModelDescription } from './model-description.ts';
import { fromDatabase } from './registry/from-database.ts';
import {
  type ExcludedModel,
  type FoundRegistration,
  mergeRegistry,
  type PlannedModel,
} from './registry/merge-registry.ts';
import type { PlannedField } from './registry/plan-fields.ts';
import { findModel } from './registry/resolve-model.ts';
import { whereSql } from './registry/where-sql.ts';

/** An application whose models say how they are backed up. */
export interface Application extends ApplicationModelSettings {
  /** That of the configuration: paths start from it. */
  readonly folder: string;
  /** Names of the media storages that registrations may name; not checked unless set. */
  readonly storages?: readonly string[];
  /** It has several databases: what is registered may be in another one, and is then told; an error unless set. */
  readonly hasOtherDatabases?: boolean;
}

/** What is joined with what was found in a database. */
export interface JoinOptions {
  readonly engine: ModelEngine;
  readonly application?: Application | undefined;
  readonly descriptions?: readonly ModelDescription[] | undefined;
  /** Besides sessions and caches. */
  readonly excludeModels?: readonly string[] | undefined;
  /** Whether a model is asked for by name: it is no session and no cache then. */
  readonly isAskedFor: (model: Model) => boolean;
}

/** The models of a database, as the database, an ORM and registrations tell them together. */
export interface JoinedModels {
  readonly models: readonly Model[];
  /** For each of the models, what its registration says of it; by table. */
  readonly planned: ReadonlyMap<string, PlannedModel>;
  /** Conditions of registrations, by table. */
  readonly wheres: ReadonlyMap<string, string>;
  readonly leftOut: readonly LeftOut[];
  readonly notes: readonly string[];
}

/** Joins them. Without an application the database alone tells. Throws `config.invalid`, `tool.not_found`. */
export async function joinModels(found: Discovery, options: JoinOptions): Promise<JoinedModels> {
  const { application, engine, excludeModels = [] } = options;
  const told =
    application === undefined
      ? { described: [], registrations: [] }
      : await readApplicationModels(application, application.folder, databaseTables(found.models));
  const all = describeModels(found.models, [...told.described, ...(options.descriptions ?? [])]);
  const discovered = all.map(fromDatabase);
  const notes: string[] = [];
  const isHere = ({ file, registration }: FoundRegistration) => {
    if (application?.hasOtherDatabases !== true) return true;
    const model = findModel(discovered, told.described, registration, file);
    if (model === undefined) notes.push(`${file} registers a model that is not in this database`);
    return model !== undefined;
  };
  const merged = mergeRegistry(discovered, told.registrations.filter(isHere), {
    described: told.described,
    excludeModels,
    ...(application?.storages === undefined ? {} : { storages: application.storages }),
  });
  const planned = new Map(merged.models.map((model) => [tableKey(model.table), model]));
  const excluded = new Map(merged.excluded.map((model) => [tableKey(model.table), model]));
  const leftOut = [...found.leftOut];
  const wheres = new Map<string, string>();
  const models = all.flatMap((model): Model[] => {
    const key = tableKey(model.table);
    const exclusion = excluded.get(key);
    if (exclusion !== undefined && (exclusion.reason === 'excludeModels' || !options.isAskedFor(model))) {
      leftOut.push({ name: model.name, reason: reasonOf(exclusion) });
      return [];
    }
    const plan = planned.get(key);
    if (plan === undefined) return [model];
    const where = whereSql(plan.where, engine);
    if (where !== undefined) wheres.set(key, where);
    return [withKinds(model, plan)];
  });
  return { models, planned, wheres, leftOut, notes };
}

/** What adapters are told of a database. */
export function databaseTables(models: readonly Model[]) {
  return models.map(({ table, columns }) => ({ table, columns: columns.map(({ name }) => name) }));
}

function reasonOf({ reason, referencedBy }: ExcludedModel): string {
  const why = {
    excludeModels: 'excluded',
    sessions: 'sessions are, unless they are registered or included by name',
    cache: 'caches are, unless they are registered or included by name',
  }[reason];
  return referencedBy.length === 0 ? why : `${why}; ${referencedBy.join(', ')} refer to it`;
}

/** What the registration says of the columns, so that it stands in the archive. */
function withKinds(model: Model, { fields, naturalKey, registeredIn }: PlannedModel): Model {
  if (registeredIn === undefined) return model;
  const kinds = new Map(fields.map((field) => [field.column, field]));
  return {
    ...model,
    columns: model.columns.map((column) => withKind(column, kinds.get(column.name), `${registeredIn}: ${model.name}`)),
    ...(naturalKey === undefined ? {} : { naturalKey }),
  };
}

function withKind(column: ModelColumn, field: PlannedField | undefined, place: string): ModelColumn {
  if (field === undefined || field.kind.kind === 'value') return column;
  const { kind } = field;
  if (kind.kind !== 'exclude') return { ...column, kind: kind.kind };
  if (kind.value === undefined || kind.value === null) return { ...column, kind: 'exclude' };
  const text = excludedText(kind.value, column.type);
  if (text !== undefined) return { ...column, kind: 'exclude', excluded: { value: text } };
  throw new HoldfastError('config.invalid', {
    message: `${place}.${field.name}: ${column.nativeType} does not take ${JSON.stringify(String(kind.value))}, which a restore would put there`,
    hint: 'give exclude() a value of the type of the column',
  });
}
