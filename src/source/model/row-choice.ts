import { HoldfastError } from '../../errors.ts';
import { findModel, maximumRows, primaryColumns, tooManyRows } from './found-row.ts';
import { type Model, type ModelForeignKey, tableKey } from './model.ts';
import type { ModelReader } from './model-reader.ts';
import { type ModelSettings, parseRowChoice } from './model-settings.ts';

/** Which rows are read. */
export interface RowChoices {
  /** Conditions, by table. */
  readonly wheres: ReadonlyMap<string, string>;
  /** Only models that have a condition are read. */
  readonly isNarrow: boolean;
}

/** So many rows are asked for at once. */
const batchSize = 200;

type Values = readonly (string | null)[];

/**
 * The conditions of the settings, and those that are registered, by table; a row that is asked for is read whatever they say. Throws `usage.invalid` for a model that there is not, `source.not_found` for a
 * row.
 */
export async function chooseRows(
  reader: ModelReader,
  models: readonly Model[],
  settings: ModelSettings,
  registered: ReadonlyMap<string, string> = new Map(),
): Promise<RowChoices> {
  const row = parseRowChoice(settings.row);
  if (row === undefined) {
    const wheres = new Map(registered);
    for (const [name, where] of Object.entries(settings.where ?? {})) {
      const key = tableKey(findModel(models, name).table);
      const other = registered.get(key);
      wheres.set(key, other === undefined ? where : `(${other}) AND (${where})`);
    }
    return { wheres, isNarrow: false };
  }
  const walk = new RowWalk(reader, models, settings.withOwned === true);
  await walk.start(findModel(models, row.model), row.key);
  return { wheres: await walk.finish(), isNarrow: true };
}

/** Follows foreign keys from one row to all that it needs, and to those that belong to it. */
class RowWalk {
  readonly #reader: ModelReader;
  readonly #models: readonly Model[];
  readonly #withOwned: boolean;
  /** Primary keys of the rows, by table. */
  readonly #found = new Map<string, Map<string, Values>>();
  readonly #queue: { readonly model: Model; readonly rows: readonly Values[]; readonly isOwned: boolean }[] = [];
  #count = 0;

  constructor(reader: ModelReader, models: readonly Model[], withOwned: boolean) {
    this.#reader = reader;
    this.#models = models;
    this.#withOwned = withOwned;
  }

  async start(model: Model, key: Values): Promise<void> {
    const columns = primaryColumns(model);
    if (columns.length !== key.length) {
      throw new HoldfastError('usage.invalid', {
        message: `the primary key of ${model.name} has ${columns.length} columns: ${columns.join(', ')}`,
      });
    }
    const found = await this.#add(model, columns, [key], true);
    if (found > 0) return;
    throw new HoldfastError('source.not_found', { message: `${model.name} has no row ${key.join(',')}` });
  }

  async finish(): Promise<Map<string, string>> {
    for (;;) {
      const step = this.#queue.shift();
      if (step === undefined) break;
      for (const key of step.model.foreignKeys) await this.#followUp(step.model, key, step.rows);
      // What belongs to a row that is only needed is not asked for.
      if (this.#withOwned && step.isOwned) await this.#followDown(step.model, step.rows);
    }
    const wheres = new Map<string, string>();
    for (const model of this.#models) {
      const rows = [...(this.#found.get(tableKey(model.table))?.values() ?? [])];
      if (rows.length === 0) continue;
      const columns = primaryColumns(model);
      const parts: string[] = [];
      for (let at = 0; at < rows.length; at += batchSize) {
        parts.push(this.#reader.isAmong(model, columns, rows.slice(at, at + batchSize)));
      }
      wheres.set(tableKey(model.table), parts.join(' OR '));
    }
    return wheres;
  }

  async #followUp(model: Model, key: ModelForeignKey, rows: readonly Values[]): Promise<void> {
    const target = this.#modelOf(key);
    if (target === undefined) return;
    const values = await this.#select(model, key.columns, primaryColumns(model), rows);
    await this.#add(
      target,
      key.references.columns,
      values.filter((row) => row.every((value) => value !== null)),
      false,
    );
  }

  async #followDown(model: Model, rows: readonly Values[]): Promise<void> {
    for (const child of this.#models) {
      for (const key of child.foreignKeys.filter((candidate) => this.#modelOf(candidate) === model)) {
        const values = await this.#select(model, key.references.columns, primaryColumns(model), rows);
        await this.#add(child, key.columns, values, true);
      }
    }
  }

  /** Takes in the rows whose columns have one of these values; gives how many there are. */
  async #add(model: Model, columns: readonly string[], values: readonly Values[], isOwned: boolean): Promise<number> {
    const primary = primaryColumns(model);
    const rows = await this.#select(model, primary, columns, values);
    const known = this.#found.get(tableKey(model.table)) ?? new Map<string, Values>();
    this.#found.set(tableKey(model.table), known);
    const added = rows.filter((row) => !known.has(JSON.stringify(row)));
    for (const row of added) known.set(JSON.stringify(row), row);
    this.#count += added.length;
    if (this.#count > maximumRows) throw tooManyRows();
    if (added.length > 0) this.#queue.push({ model, rows: added, isOwned });
    return rows.length;
  }

  async #select(model: Model, wanted: readonly string[], columns: readonly string[], values: readonly Values[]) {
    const found: Values[] = [];
    for (let at = 0; at < values.length; at += batchSize) {
      const where = this.#reader.isAmong(model, columns, values.slice(at, at + batchSize));
      found.push(...(await this.#reader.select(model, wanted, where)));
    }
    return found;
  }

  #modelOf({ references }: ModelForeignKey): Model | undefined {
    return this.#models.find(({ table }) => tableKey(table) === tableKey(references.table));
  }
}
