import { HoldfastError } from '../../../errors.ts';
import { dependencyLevels } from '../dependency-order.ts';
import { type Discovery, type Model, type ModelColumn, type ModelEngine, storedColumns, tableKey } from '../model.ts';
import type { TableName } from '../model-description.ts';
import type { ModelSchema } from '../model-schema.ts';
import { canBecome, converterFor } from './convert-value.ts';
import { mapModel, mapTable } from './map-model.ts';
import { familyOf } from './map-type.ts';
import { planMatch } from './match-plan.ts';
import { naturalKeyThere } from './natural-keys.ts';
import type { Renames } from './renames.ts';
import type { FieldPlan, LoadPlan, OnConflict, RestorePlan } from './restore-plan.ts';

/** What a plan is made from. */
export interface PlanRestoreOptions {
  readonly schema: ModelSchema;
  /** The models whose rows are restored, by name, and whether all their rows stand in the archive. */
  readonly chosen: ReadonlyMap<string, { readonly isFiltered: boolean }>;
  readonly engine: ModelEngine;
  readonly there: Discovery;
  readonly onConflict: OnConflict;
  readonly flush: boolean;
  readonly createSchema: boolean;
  readonly renames: Renames;
  /** By model, in columns of the archive; none unless set. */
  readonly naturalKeys?: ReadonlyMap<string, readonly string[]>;
}

/** A plan, and what is worth knowing of it. */
export interface PlannedRestore {
  readonly plan: RestorePlan;
  readonly notes: readonly string[];
}

/**
 * Decides where each value goes, before anything is written. Throws `target.incompatible`, which names all that does not fit: tables and columns
 * that are not there, columns that need a value and get none, types that have become others.
 */
export function planRestore(options: PlanRestoreOptions): PlannedRestore {
  const { schema, engine, chosen, there, onConflict, renames, naturalKeys = new Map() } = options;
  const problems: string[] = [];
  const notes: string[] = [];
  const creates: Model[] = [];
  const loads: LoadPlan[] = [];
  for (const source of schema.models.filter(({ name }) => chosen.has(name))) {
    const target = targetOf(source, options, creates, notes);
    if (target === undefined) {
      problems.push(`the table ${tableText(renamedTable(source, schema.engine, engine, renames))} is not there`);
      continue;
    }
    const other = loads.find((load) => tableKey(load.target.table) === tableKey(target.table));
    if (other !== undefined) {
      // A schema that becomes a part of the name may make it that of another table.
      problems.push(`${other.source.name} and ${source.name} both go to ${tableText(target.table)}`);
      continue;
    }
    const isMade = creates.includes(target);
    const context = { schema, engine, renames, problems, notes: isMade ? [] : notes };
    const fields = [...fieldsOf(source, target, context), ...fillersOf(source, target, context)];
    checkRequired(target, fields, problems);
    const isFiltered = chosen.get(source.name)?.isFiltered === true;
    const policy = onConflict === 'replace-all' ? (isFiltered ? 'update' : 'fail') : onConflict;
    const columns = isMade || policy === 'fail' ? undefined : naturalKeys.get(source.name);
    const naturalKey = columns && naturalKeyThere({ name: source.name, columns }, { target, fields }, problems);
    if (policy === 'update' && target.primaryKey === undefined && naturalKey === undefined && !isMade) {
      problems.push(`${source.name} has no primary key, which says what is updated`);
    }
    if (isFiltered && (options.flush || onConflict === 'replace-all')) {
      notes.push(`${source.name} is not emptied: the archive holds a choice of its rows`);
    }
    loads.push({
      source,
      target,
      fields,
      onConflict: isMade ? 'fail' : policy,
      isTagged: schema.engine === 'sqlite',
      ...(naturalKey === undefined ? {} : { naturalKey }),
    });
  }
  const match = planMatch({ loads, models: schema.models, naturalKeys }, problems);
  if (problems.length > 0) throw drift(problems, options.createSchema);
  const isFlushed = options.flush || onConflict === 'replace-all';
  const flushes = isFlushed
    ? childrenFirst(
        loads
          .filter(({ source, target }) => chosen.get(source.name)?.isFiltered !== true && !creates.includes(target))
          .map(({ target }) => target),
      )
    : [];
  notes.push(...strangersTo(flushes, there.models, loads));
  const made = new Set([...there.models, ...creates].map(({ table }) => tableKey(table)));
  return {
    plan: {
      sourceEngine: schema.engine,
      loads,
      creates: creates.map((model) => withoutMissing(model, made, notes)),
      flushes,
      ...(match === undefined ? {} : { match }),
    },
    notes,
  };
}

function drift(problems: readonly string[], createSchema: boolean): HoldfastError {
  const shown = problems.slice(0, 10).join('; ') + (problems.length > 10 ? `; and ${problems.length - 10} more` : '');
  const isTable = problems.some((problem) => problem.startsWith('the table '));
  return new HoldfastError('target.incompatible', {
    message: `the target is not as the archive has it: ${shown}`,
    hint:
      isTable && !createSchema
        ? 'make missing tables with --create-schema, or say with --rename what they are called now'
        : 'change the target, or say with --rename old=new what is called otherwise, and with --rename model.column= what is left out',
    context: { problems },
  });
}

function targetOf(
  source: Model,
  { schema, engine, there, createSchema, renames }: PlanRestoreOptions,
  creates: Model[],
  notes: string[],
): Model | undefined {
  const wanted = renamedTable(source, schema.engine, engine, renames);
  const found = there.models.find(({ table }) => tableKey(table) === tableKey(wanted));
  if (found !== undefined || !createSchema) return found;
  const mapped = mapModel(source, { source: schema.engine, target: engine }, notes);
  const foreignKeys = mapped.foreignKeys.map((key) => {
    const { table } = key.references;
    const named = schema.models.find(
      (model) => tableKey(mapTable(model.table, schema.engine, engine)) === tableKey(table),
    );
    if (named === undefined) return key;
    return { ...key, references: { ...key.references, table: renamedTable(named, schema.engine, engine, renames) } };
  });
  const made = { ...mapped, table: wanted, foreignKeys };
  creates.push(made);
  return made;
}

function renamedTable(source: Model, from: ModelEngine, to: ModelEngine, renames: Renames): TableName {
  const table = mapTable(source.table, from, to);
  const name = renames.tables.get(source.name);
  return name === undefined ? table : { ...table, name };
}

function tableText({ schema, name }: TableName): string {
  return schema === undefined ? name : `${schema}.${name}`;
}

/** What planning the fields of a model needs, and where it tells. */
interface FieldContext {
  readonly schema: ModelSchema;
  readonly engine: ModelEngine;
  readonly renames: Renames;
  readonly problems: string[];
  readonly notes: string[];
}

/** What is put into columns that were left out of the backup. */
function fillersOf(source: Model, target: Model, { renames }: FieldContext): FieldPlan[] {
  return source.columns.flatMap((column): FieldPlan[] => {
    const wanted = renames.columns.get(`${source.name}.${column.name}`) ?? column.name;
    const found = target.columns.find(({ name }) => name === wanted);
    const { excluded } = column;
    if (excluded === undefined || column.kind !== 'exclude' || found?.generatedSql !== undefined) return [];
    if (found === undefined) return [];
    const convert = converterFor(column.type, found.type);
    return [{ source: column, target: found, filler: excluded.value, ...(convert === undefined ? {} : { convert }) }];
  });
}

function fieldsOf(source: Model, target: Model, context: FieldContext): FieldPlan[] {
  const { schema, engine, renames, problems, notes } = context;
  const isSameEngine = schema.engine === engine;
  return storedColumns(source).map((column): FieldPlan => {
    const wanted = renames.columns.get(`${source.name}.${column.name}`) ?? column.name;
    if (wanted === '') return { source: column };
    const found = target.columns.find(({ name }) => name === wanted);
    if (found === undefined) {
      problems.push(`${source.name} has no column ${wanted}`);
      return { source: column };
    }
    if (found.generatedSql !== undefined) {
      notes.push(`${source.name}.${wanted} is generated by the target: its values are left to it`);
      return { source: column };
    }
    if (!canBecome(column.type, found.type)) {
      problems.push(`${source.name}.${wanted} was ${column.nativeType} and is ${found.nativeType}`);
      return { source: column };
    }
    if (isSameEngine && column.nativeType === found.nativeType) return { source: column, target: found };
    const convert = converterFor(column.type, found.type);
    if (column.nativeType !== found.nativeType && familyOf(schema.engine) === familyOf(engine)) {
      notes.push(`${source.name}.${wanted} was ${column.nativeType} and is ${found.nativeType}`);
    }
    return { source: column, target: found, ...(convert === undefined ? {} : { convert }) };
  });
}

/** Columns that came since the backup, and that no row of the archive has a value for. */
function checkRequired(target: Model, fields: readonly FieldPlan[], problems: string[]): void {
  const filled = new Set(fields.map((field) => field.target?.name));
  const isOptional = ({ isNullable, defaultSql, identity, generatedSql }: ModelColumn) =>
    isNullable || defaultSql !== undefined || identity !== undefined || generatedSql !== undefined;
  for (const column of target.columns) {
    if (filled.has(column.name) || isOptional(column)) continue;
    problems.push(`${target.name}.${column.name} needs a value, and the archive has none`);
  }
}

/** A foreign key to a table that is not there cannot be made. */
function withoutMissing(model: Model, made: ReadonlySet<string>, notes: string[]): Model {
  const isThere = (key: Model['foreignKeys'][number]) => made.has(tableKey(key.references.table));
  for (const key of model.foreignKeys.filter((candidate) => !isThere(candidate))) {
    notes.push(
      `${model.name}: the key ${key.name} to ${tableText(key.references.table)}, which is not there, is not made`,
    );
  }
  return { ...model, foreignKeys: model.foreignKeys.filter(isThere) };
}

/** Tables that are not restored and name rows of those that are emptied: the number that a row had may be that of another in the archive. */
function strangersTo(flushes: readonly Model[], there: readonly Model[], loads: readonly LoadPlan[]): string[] {
  const flushed = new Set(flushes.map(({ table }) => tableKey(table)));
  const loaded = new Set(loads.map(({ target }) => tableKey(target.table)));
  return there
    .filter(({ table }) => !loaded.has(tableKey(table)))
    .flatMap(({ name, foreignKeys }) =>
      foreignKeys
        .filter(({ references }) => flushed.has(tableKey(references.table)))
        .map(
          ({ columns, references }) =>
            `${name} is not restored, and names rows of ${tableText(references.table)} by ${columns.join(', ')}: where these have other numbers in the archive, it names others now`,
        ),
    );
}

function childrenFirst(models: readonly Model[]): Model[] {
  const levels = dependencyLevels(models);
  const levelOf = ({ table }: Model) => levels.get(tableKey(table)) ?? 0;
  return models.toSorted((a, b) => levelOf(b) - levelOf(a));
}
