import picomatch from 'picomatch';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { DatabaseSourceOptions } from '../database-options.ts';
import { engineOfUrl } from '../engines.ts';
import { pathPart } from '../postgres/sql-name.ts';
import type { EntryMetadata, Source, SourceContext, SourceDescription, SourceEntry } from '../source.ts';
import { isExcludedByDefault } from './default-exclusions.ts';
import { dependencyLevels } from './dependency-order.ts';
import { describeModels } from './describe-models.ts';
import { ModelFilesReader } from './files/model-files-reader.ts';
import { type LeftOut, type Model, storedColumns, tableKey } from './model.ts';
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
    this.parallelEntries = Math.max(rowsAtOnce, options.models.files === undefined ? 1 : filesAtOnce);
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
    const { leftOut } = found;
    const choices = await this.#explained(reader, context, () =>
      chooseRows(reader, found.models, this.#options.models),
    );
    const models = found.models.filter((model) => !choices.isNarrow || choices.wheres.has(tableKey(model.table)));
    if (models.length === 0) {
      throw new HoldfastError('source.empty', { message: `${this.name} holds no tables that are chosen` });
    }
    for (const { name, reason } of leftOut) context.note?.(`${name} is left out: ${reason}`);
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
    const { files } = this.#options.models;
    this.#files =
      files && new ModelFilesReader({ files, models, name: this.name, context, hasRoots: !choices.isNarrow });
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
  async #discover(reader: ModelReader): Promise<{ models: readonly Model[]; leftOut: readonly LeftOut[] }> {
    const { models: settings } = this.#options;
    const found = await reader.discover();
    const leftOut = [...found.leftOut];
    const reasonFor = tableFilter(this.#options);
    const models = describeModels(found.models, settings.descriptions ?? []).filter((model) => {
      const reason = reasonFor(model);
      if (reason !== undefined) leftOut.push({ name: model.name, reason });
      return reason === undefined;
    });
    return { models, leftOut };
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
  const isExcluded = matcher([...excludeTables, ...(options.models.excludeModels ?? [])]);
  return (model) => {
    if (isExcluded(model)) return 'excluded';
    if (isIncluded !== undefined) return isIncluded(model) ? undefined : 'not included';
    const isDefault = options.models.excludeModels === undefined && isExcludedByDefault(model.table.name);
    return isDefault ? 'sessions and caches are, unless they are included by name' : undefined;
  };
}
