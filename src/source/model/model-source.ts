import picomatch from 'picomatch';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { DatabaseSourceOptions } from '../database-options.ts';
import { engineOfUrl } from '../engines.ts';
import { pathPart } from '../postgres/sql-name.ts';
import type { EntryMetadata, Source, SourceContext, SourceDescription, SourceEntry } from '../source.ts';
import { dependencyLevels } from './dependency-order.ts';
import { filesOf } from './files/model-files.ts';
import { ModelFilesReader } from './files/model-files-reader.ts';
import { type JoinedModels, joinModels } from './join-models.ts';
import { type Model, storedColumns, tableKey } from './model.ts';
import type { ModelReader } from './model-reader.ts';
import { type ModelSchema, writeModelSchema } from './model-schema.ts';
import { type ModelSettings, parseRowChoice } from './model-settings.ts';
import { openModelReader } from './open-reader.ts';
import { chooseRows, type RowChoices } from './row-choice.ts';

const defaultTimeoutMs = 60_000;
const chunkBytes = 1024 * 1024;
/** As many as a tree of files is read with. */
const filesAtOnce = 2;

/** What a {@link ModelSource} reads. */
export type ModelSourceOptions = DatabaseSourceOptions & { readonly models: ModelSettings };

/**
 * The models of a database: every table, found by introspection, as of one moment. One entry says what they are; one entry for each has its
 * rows as JSON Lines, which any engine takes back.
 *
 * @example new ModelSource({ url: new Secret('sqlite:shop.db'), models: {} }).name // 'shop'
 */
export class ModelSource implements Source {
  readonly name: string;
  readonly parallelEntries: number;
  readonly #options: ModelSourceOptions;
  #reader: ModelReader | undefined;
  #files: ModelFilesReader | undefined;

  constructor(options: ModelSourceOptions) {
    this.#options = options;
    const refused = (['extraOptions', 'roles', 'method'] as const).find((name) => options[name] !== undefined);
    if (refused !== undefined) {
      throw new HoldfastError('usage.invalid', {
        message: `models are read without the database's own tools: ${refused} is not for them`,
        hint: 'leave the setting out',
      });
    }
    const place = engineOfUrl(options.url.reveal()).placeOf(options.url.reveal());
    this.name = options.name ?? pathPart((place.split('/').at(-1) ?? '').replace(/(?<=.)\.[^.]*$/, ''));
    if (this.name === '' || this.name === '.' || this.name === '..' || /[/\0]/.test(this.name)) {
      throw new HoldfastError('usage.invalid', {
        message: `${JSON.stringify(this.name)} is not a name for a database`,
      });
    }
    const rowsAtOnce = engineOfUrl(options.url.reveal()).name === 'postgres' ? (options.connections ?? 2) : 1;
    // Whether an application's rows name files is known once it was asked.
    const hasFiles = options.models.files?.columns !== undefined || options.models.application !== undefined;
    this.parallelEntries = Math.max(rowsAtOnce, hasFiles ? filesAtOnce : 1);
    parseRowChoice(options.models.row);
    tableFilter(options);
  }

  async describe(context: SourceContext): Promise<SourceDescription> {
    const reader = await this.#open(context, 1);
    try {
      const { models } = await this.#discover(reader);
      const { placeOf } = engineOfUrl(this.#options.url.reveal());
      return {
        type: reader.engine,
        version: reader.engineVersion,
        label: placeOf(this.#options.url.reveal()),
        tables: models.map((model) => {
          const expectedRows = reader.expectedRows(model);
          const expectedSizeBytes = reader.expectedBytes(model);
          return { name: model.name, expectedSizeBytes, ...(expectedRows === undefined ? {} : { expectedRows }) };
        }),
        expectedSizeBytes: models.reduce((sum, model) => sum + reader.expectedBytes(model), 0),
      };
    } catch (error) {
      throw reader.explain(error);
    } finally {
      await reader.close();
    }
  }

  async *entries(context: SourceContext): AsyncGenerator<SourceEntry> {
    const reader = await this.#open(context);
    this.#reader = reader;
    const found = await this.#explained(reader, context, () => this.#discover(reader));
    const choices = await this.#explained(reader, context, () =>
      chooseRows(reader, found.models, this.#options.models, found.wheres),
    );
    const isChosen = ({ table }: Model) => !choices.isNarrow || choices.wheres.has(tableKey(table));
    const models = found.models.filter(isChosen);
    const leftOut = [
      ...found.leftOut,
      ...found.models
        .filter((model) => !isChosen(model))
        .map(({ name }) => ({ name, reason: 'none of its rows is chosen' })),
    ];
    if (models.length === 0) {
      throw new HoldfastError('source.empty', { message: `${this.name} holds no tables that are chosen` });
    }
    for (const { name, reason } of found.leftOut) context.note?.(`${name} is left out: ${reason}`);
    for (const note of found.notes) context.note?.(note);
    const common: EntryMetadata = {
      engine: reader.engine,
      engineVersion: reader.engineVersion,
      database: this.name,
    };
    const schema: ModelSchema = {
      version: 1,
      engine: reader.engine,
      engineVersion: reader.engineVersion,
      database: this.name,
      models,
      leftOut,
    };
    yield schemaEntry(`models/${this.name}/schema.json`, schema, common);
    const levels = dependencyLevels(models);
    const ordered = models.toSorted(
      (a, b) => (levels.get(tableKey(a.table)) ?? 0) - (levels.get(tableKey(b.table)) ?? 0),
    );
    const files = filesOf(this.#options.models, found);
    if (files.columns.length + files.roots.length > 0) {
      this.#files = new ModelFilesReader({ files, models, name: this.name, context, hasRoots: !choices.isNarrow });
    }
    for (const model of ordered) {
      await this.#files?.hasRoomFor(reader.parallelEntries);
      yield this.#rowsEntry({ reader, model, choices, common, level: levels.get(tableKey(model.table)) ?? 0 }, context);
    }
    if (this.#files !== undefined) yield* this.#files.entries();
  }

  async close(): Promise<void> {
    const [reader, files] = [this.#reader, this.#files];
    this.#reader = undefined;
    this.#files = undefined;
    try {
      await files?.close();
    } finally {
      await reader?.close();
    }
  }

  #rowsEntry(
    parts: {
      readonly reader: ModelReader;
      readonly model: Model;
      readonly choices: RowChoices;
      readonly common: EntryMetadata;
      readonly level: number;
    },
    context: SourceContext,
  ): SourceEntry {
    const { reader, model, choices, common, level } = parts;
    const where = choices.wheres.get(tableKey(model.table));
    const rows = reader.rows(model, where === undefined ? {} : { where });
    const isFiltered = where !== undefined;
    const columns = storedColumns(model).map(({ name }) => name);
    return {
      path: `models/${this.name}/rows/${pathPart(model.name)}.jsonl`,
      kind: 'model',
      expectedSizeBytes: reader.expectedBytes(model),
      get metadata() {
        const { schema, name } = model.table;
        return {
          ...common,
          model: model.name,
          ...(schema === undefined ? {} : { schema }),
          table: name,
          columns,
          level,
          ...(isFiltered ? { filtered: true } : {}),
          rows: rows.rowCount,
        };
      },
      open: (signal) => {
        const bytes = this.#explainedBytes(rows.bytes(signal), reader, model, context);
        return this.#files?.tap(model, bytes) ?? bytes;
      },
    };
  }

  async *#explainedBytes(
    bytes: AsyncIterable<Uint8Array>,
    reader: ModelReader,
    model: Model,
    context: SourceContext,
  ): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of bytes) {
        throwIfAborted(context.signal);
        yield chunk;
      }
    } catch (error) {
      throwIfAborted(context.signal);
      throw reader.explain(error, model.name);
    }
  }

  async #explained<Result>(reader: ModelReader, context: SourceContext, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throwIfAborted(context.signal);
      throw reader.explain(error);
    }
  }

  async #open({ signal }: SourceContext, connections = this.#options.connections): Promise<ModelReader> {
    throwIfAborted(signal);
    const { url, timeoutMs = defaultTimeoutMs } = this.#options;
    return await openModelReader({ url, timeoutMs, signal, ...(connections === undefined ? {} : { connections }) });
  }

  /** The models that are chosen, with what is left out and why. */
  async #discover(reader: ModelReader): Promise<JoinedModels> {
    const { application, descriptions, excludeModels } = this.#options.models;
    const reasonFor = tableFilter(this.#options);
    const isAskedFor = (model: Model) => this.#options.includeTables !== undefined && reasonFor(model) === undefined;
    const { engine } = reader;
    const found = await reader.discover();
    const joined = await joinModels(found, { engine, application, descriptions, excludeModels, isAskedFor });
    const leftOut = [...joined.leftOut];
    const models = joined.models.filter((model) => {
      const reason = reasonFor(model);
      if (reason !== undefined) leftOut.push({ name: model.name, reason });
      return reason === undefined;
    });
    return { ...joined, models, leftOut };
  }
}

function schemaEntry(path: string, schema: ModelSchema, common: EntryMetadata): SourceEntry {
  const bytes = writeModelSchema(schema);
  return {
    path,
    kind: 'model-schema',
    expectedSizeBytes: bytes.length,
    metadata: { ...common, modelCount: schema.models.length, leftOut: schema.leftOut.map(({ name }) => name) },
    async *open() {
      for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
  };
}

/** Why a model is left out; undefined for one that is not. Globs are on the model, the table, and the table with its schema. */
function tableFilter(options: ModelSourceOptions): (model: Model) => string | undefined {
  const { includeTables, excludeTables = [] } = options;
  if ([...(includeTables ?? []), ...excludeTables].includes('')) {
    throw new HoldfastError('usage.invalid', { message: 'a glob for tables is empty' });
  }
  const matcher = (globs: readonly string[]) => {
    const matchers = globs.map((glob) => picomatch(glob, { dot: true, bash: true }));
    return ({ name, table }: Model) =>
      matchers.some((fits) => fits(name) || fits(table.name) || fits(`${table.schema ?? ''}.${table.name}`));
  };
  const isIncluded = includeTables === undefined ? undefined : matcher(includeTables);
  const isExcluded = matcher(excludeTables);
  return (model) => {
    if (isExcluded(model)) return 'excluded';
    return isIncluded === undefined || isIncluded(model) ? undefined : 'not included';
  };
}
