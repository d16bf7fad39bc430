import { HoldfastError } from '../../../errors.ts';
import { chunkLines } from '../chunk-lines.ts';
import { dependencyLevels } from '../dependency-order.ts';
import { findModel, maximumRows, primaryColumns, tooManyRows } from '../found-row.ts';
import { type Model, type ModelColumn, type ModelForeignKey, storedColumns, tableKey } from '../model.ts';
import type { RowReference } from '../model-settings.ts';
import { type LineRow, readLines } from '../read-lines.ts';
import { textOf } from '../tagged-value.ts';

/** Of a path: PATH_MAX of Linux. */
const maximumNameLength = 4_096;

/** Where rows are looked for. */
export interface ArchivedRowsOptions {
  /** The models whose rows stand in the archive. */
  readonly models: readonly Model[];
  readonly row: RowReference;
  /** Takes the rows that belong to it, too, and what these need. */
  readonly withOwned: boolean;
  /** The lines of a model; they are read again for each step from one row to another that leads there. */
  read(model: Model): AsyncIterable<Uint8Array>;
}

/** Rows of an archive that belong together. */
export interface ArchivedRows {
  /** By model, the keys of its rows: {@link keepRows} takes them. Models without any are not there. */
  readonly keys: ReadonlyMap<string, ReadonlySet<string>>;
  /** What their columns say of files. */
  readonly fileNames: ReadonlySet<string>;
}

/** Values that rows are wanted for, in some columns of a model. */
interface Search {
  readonly at: readonly number[];
  readonly isOwned: boolean;
  readonly wanted: Set<string>;
}

/**
 * Finds a row in an archive, and with it all that it needs: by foreign keys from model to model, without a database. A row that is needed and not
 * there is left out: it may be in the target. Memory: the keys of the rows, 100,000 at most.
 *
 * Throws `usage.invalid` for a model that there is not and for too many rows, `archive.entry_not_found` where the row is not there.
 */
export async function findArchivedRows(options: ArchivedRowsOptions): Promise<ArchivedRows> {
  const { row } = options;
  const model = findModel(options.models, row.model);
  const columns = primaryColumns(model);
  if (columns.length !== row.key.length) {
    throw new HoldfastError('usage.invalid', {
      message: `the primary key of ${model.name} has ${columns.length} columns: ${columns.join(', ')}`,
    });
  }
  const walk = new ArchivedRowWalk(options);
  walk.ask(model, columns, row.key, true);
  const found = await walk.finish();
  if (found.keys.has(model.name)) return found;
  throw new HoldfastError('archive.entry_not_found', {
    message: `${model.name} has no row ${row.key.join(',')} in this archive`,
    hint: 'look in an older archive, or at how the key is written: as it stands in the database',
    context: { model: model.name, key: row.key },
  });
}

/** Those lines of a model whose rows are among these. Memory: that of a chunk, or of the longest line. */
export function keepRows(
  model: Model,
  keys: ReadonlySet<string>,
  bytes: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const key = projection(model, primaryColumns(model));
  async function* lines(): AsyncGenerator<string> {
    for await (const rows of readLines(bytes, linesOf(model))) {
      for (const row of rows) if (keys.has(valuesAt(row, key) ?? '')) yield JSON.stringify(row);
    }
  }
  return chunkLines(lines());
}

class ArchivedRowWalk {
  readonly #options: ArchivedRowsOptions;
  readonly #levels: ReadonlyMap<string, number>;
  readonly #byTable: ReadonlyMap<string, Model>;
  /** By model: the keys of its rows, and whether each belongs to the row that was asked for. */
  readonly #found = new Map<string, Map<string, boolean>>();
  readonly #fileNames = new Set<string>();
  /** Where nothing says which columns name files, any text may. */
  readonly #areFilesMarked: boolean;
  readonly #pending = new Map<Model, Map<string, Search>>();
  /** So that each question is asked once. */
  readonly #asked = new Set<string>();
  #count = 0;

  constructor(options: ArchivedRowsOptions) {
    this.#options = options;
    this.#levels = dependencyLevels(options.models);
    this.#areFilesMarked = options.models.some(({ columns }) => columns.some(namesFiles));
    this.#byTable = new Map(options.models.map((model) => [tableKey(model.table), model]));
  }

  /** Wants the rows that have these values. */
  ask(model: Model, columns: readonly string[], values: readonly string[], isOwned: boolean): void {
    const value = JSON.stringify(values);
    const place = JSON.stringify([columns, isOwned]);
    const question = `${model.name} ${place} ${value}`;
    if (this.#asked.has(question)) return;
    this.#asked.add(question);
    const searches = this.#pending.get(model) ?? new Map<string, Search>();
    this.#pending.set(model, searches);
    const search = searches.get(place) ?? { at: projection(model, columns), isOwned, wanted: new Set() };
    searches.set(place, search);
    search.wanted.add(value);
  }

  async finish(): Promise<ArchivedRows> {
    for (let model = this.#next(); model !== undefined; model = this.#next()) await this.#scan(model);
    const keys = new Map([...this.#found].map(([name, rows]) => [name, new Set(rows.keys())]));
    return { keys, fileNames: this.#fileNames };
  }

  /** What needs others comes before these, so that they are read once for all that need them. */
  #next(): Model | undefined {
    const level = (model: Model) => this.#levels.get(tableKey(model.table)) ?? 0;
    return [...this.#pending.keys()].sort((one, other) => level(other) - level(one))[0];
  }

  async #scan(model: Model): Promise<void> {
    const searches = [...(this.#pending.get(model)?.values() ?? [])];
    this.#pending.delete(model);
    for await (const rows of readLines(this.#options.read(model), linesOf(model))) {
      for (const row of rows) {
        for (const { at, wanted, isOwned } of searches) {
          const value = valuesAt(row, at);
          if (value !== undefined && wanted.has(value)) this.#take(model, row, isOwned);
        }
      }
    }
  }

  #take(model: Model, row: LineRow, isOwned: boolean): void {
    const key = valuesAt(row, projection(model, primaryColumns(model))) ?? '';
    const known = this.#found.get(model.name) ?? new Map<string, boolean>();
    this.#found.set(model.name, known);
    const before = known.get(key);
    if (before === true || before === isOwned) return;
    known.set(key, isOwned);
    if (before === undefined) {
      this.#count += 1;
      if (this.#count > maximumRows) throw tooManyRows();
      this.#noteFiles(model, row);
      for (const foreignKey of model.foreignKeys) this.#askUp(model, row, foreignKey);
    }
    // What belongs to a row that is only needed is not asked for.
    if (isOwned && this.#options.withOwned) this.#askDown(model, row);
  }

  #noteFiles(model: Model, row: LineRow): void {
    for (const [index, column] of storedColumns(model).entries()) {
      const value = row[index] ?? null;
      const isName = this.#areFilesMarked ? namesFiles(column) : column.type.kind === 'text';
      if (!isName || value === null) continue;
      const text = textOf(value);
      if (text !== '' && text.length <= maximumNameLength) this.#fileNames.add(text);
    }
  }

  #askUp(model: Model, row: LineRow, { columns, references }: ModelForeignKey): void {
    const target = this.#byTable.get(tableKey(references.table));
    const values = textsAt(row, projection(model, columns));
    if (target !== undefined && values !== undefined) this.ask(target, references.columns, values, false);
  }

  #askDown(model: Model, row: LineRow): void {
    for (const child of this.#options.models) {
      for (const { columns, references } of child.foreignKeys) {
        if (this.#byTable.get(tableKey(references.table)) !== model) continue;
        const values = textsAt(row, projection(model, references.columns));
        if (values !== undefined) this.ask(child, columns, values, true);
      }
    }
  }
}

const namesFiles = ({ kind }: ModelColumn) => kind === 'file' || kind === 'filePath';

const linesOf = (model: Model) => ({ model: model.name, columnCount: storedColumns(model).length });

/** Where columns stand in a line; -1 for what is not kept. */
function projection(model: Model, columns: readonly string[]): readonly number[] {
  const names = storedColumns(model).map(({ name }) => name);
  return columns.map((column) => names.indexOf(column));
}

/** Undefined where one is null or not kept: it names no row. */
function textsAt(row: LineRow, at: readonly number[]): string[] | undefined {
  const texts: string[] = [];
  for (const index of at) {
    const value = row[index] ?? null;
    if (value === null) return undefined;
    texts.push(textOf(value));
  }
  return texts;
}

function valuesAt(row: LineRow, at: readonly number[]): string | undefined {
  const texts = textsAt(row, at);
  return texts && JSON.stringify(texts);
}
