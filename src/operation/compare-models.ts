/** Whether models that were restored are what the archive says: their tables are read again as a backup would read them. */
import { hash } from 'node:crypto';
import type { ArchiveReader } from '../archive/archive-reader.ts';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { type Model, storedColumns, tableKey } from '../source/model/model.ts';
import type { ModelReader } from '../source/model/model-reader.ts';
import type { ModelSchema } from '../source/model/model-schema.ts';
import { openModelReader } from '../source/model/open-reader.ts';
import { mapModel, mapTable } from '../source/model/restore/map-model.ts';
import { familyOf } from '../source/model/restore/map-type.ts';
import type { FoundDatabase } from './compare-database.ts';

/** What is compared. */
export interface CompareModelsOptions {
  readonly reader: ArchiveReader;
  /** Those of the kind `model` that were restored. */
  readonly entries: readonly IndexEntry[];
  readonly schema: ModelSchema;
  /** Of the database that they were restored into. */
  readonly url: Secret;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** How many lines there are, and a sum over them that does not ask for their order. */
interface Lines {
  readonly count: number;
  readonly sum: string;
}

const newline = 0x0a;

/**
 * Compares tables, columns, keys and the count of rows of each model; within one kind of engine every value as well. Throws `source.*`,
 * `archive.damaged`.
 */
export async function compareModels(options: CompareModelsOptions): Promise<FoundDatabase> {
  const { entries, schema, url, timeoutMs, signal } = options;
  const there = await openModelReader({ url, timeoutMs, signal });
  try {
    const { models } = await there.discover();
    const left = new Map(models.map((model) => [tableKey(model.table), model]));
    const differences: string[] = [];
    let rowCount = 0;
    for (const entry of entries) {
      throwIfAborted(signal);
      const model = schema.models.find(({ name }) => name === entry.metadata['model']);
      if (model === undefined) throw new HoldfastError('archive.corrupt', { context: { path: entry.path } });
      const key = tableKey(mapTable(model.table, schema.engine, there.engine));
      const found = left.get(key);
      left.delete(key);
      if (found === undefined) {
        differences.push(`${entry.path}: its table is not there`);
        continue;
      }
      differences.push(...compareTables({ entry, model, found }, schema, there));
      const compared = await compareRows({ entry, model, found }, options, there);
      rowCount += compared.count;
      differences.push(...compared.differences);
    }
    for (const { name } of left.values()) differences.push(`the table ${name} is there, and not in the archive`);
    return { tableCount: models.length, rowCount, differences };
  } catch (error) {
    throwIfAborted(signal);
    throw there.explain(error);
  } finally {
    await there.close();
  }
}

/** A model of the archive, and its table now. */
interface Pair {
  readonly entry: IndexEntry;
  readonly model: Model;
  readonly found: Model;
}

/** What a table is made of, as texts that are compared. */
function partsOf({ columns, primaryKey, uniqueKeys, foreignKeys }: Model, withTypes: boolean): string[] {
  const list = (names: readonly string[]) => names.join(', ');
  return [
    ...columns.map(({ name, nativeType, isNullable }) =>
      withTypes ? `column ${name} ${nativeType}${isNullable ? '' : ' NOT NULL'}` : `column ${name}`,
    ),
    ...(primaryKey === undefined ? [] : [`primary key (${list(primaryKey.columns)})`]),
    ...uniqueKeys.map((key) => `unique key (${list(key.columns)})`),
    ...foreignKeys.map(
      ({ columns: own, references }) =>
        `foreign key (${list(own)}) to ${references.table.name} (${list(references.columns)})`,
    ),
  ];
}

/** The table as a restore makes it of the archive's, beside the one that is there. */
function compareTables({ entry, model, found }: Pair, schema: ModelSchema, { engine }: ModelReader): string[] {
  const made = mapModel(model, { source: schema.engine, target: engine }, []);
  const tables = new Set(schema.models.map(({ table }) => tableKey(mapTable(table, schema.engine, engine))));
  const foreignKeys = made.foreignKeys.filter(({ references }) => tables.has(tableKey(references.table)));
  const withTypes = schema.engine === engine;
  const expected = new Set(partsOf({ ...made, foreignKeys }, withTypes));
  const now = new Set(partsOf(found, withTypes));
  return [
    ...[...expected].filter((part) => !now.has(part)).map((part) => `${entry.path}: its table has no ${part}`),
    ...[...now]
      .filter((part) => !expected.has(part))
      .map((part) => `${entry.path}: its table has a ${part} of its own`),
  ];
}

async function compareRows(
  { entry, model, found }: Pair,
  { reader, schema, signal }: CompareModelsOptions,
  there: ModelReader,
): Promise<{ readonly count: number; readonly differences: readonly string[] }> {
  const kept = storedColumns(model);
  const columns = kept.map(({ name }) => found.columns.find((column) => column.name === name));
  const isAlike =
    familyOf(schema.engine) === familyOf(there.engine) &&
    columns.every((column, index) => column?.nativeType === kept[index]?.nativeType);
  const same = columns.filter((column) => column !== undefined);
  const now = await readLines(
    there.rows(isAlike ? { ...found, columns: same } : found, {}).bytes(signal),
    isAlike,
    signal,
  );
  const { rows } = entry.metadata;
  if (now.count !== rows) {
    return { count: now.count, differences: [`${entry.path}: rows ${now.count} where the archive has ${rows}`] };
  }
  if (!isAlike) return { count: now.count, differences: [] };
  const segments = reader.segmentsFor([entry]);
  try {
    const before = await readLines(reader.read(entry, segments), true, signal);
    return { count: now.count, differences: before.sum === now.sum ? [] : [`${entry.path}: values are others`] };
  } finally {
    segments.close();
  }
}

/** Memory: that of a chunk, or of the longest line. */
async function readLines(
  bytes: AsyncIterable<Uint8Array>,
  withSum: boolean,
  signal: AbortSignal | undefined,
): Promise<Lines> {
  // Eight numbers of 32 bits, each of which wraps around.
  const sum = new Uint32Array(8);
  let count = 0;
  let left: Buffer[] = [];
  for await (const chunk of bytes) {
    throwIfAborted(signal);
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (let end = buffer.indexOf(newline); end >= 0; end = buffer.indexOf(newline, start)) {
      count += 1;
      if (withSum)
        add(sum, left.length === 0 ? buffer.subarray(start, end) : joined(left, buffer.subarray(start, end)));
      left = [];
      start = end + 1;
    }
    // The memory of the chunk is used again.
    if (withSum && start < buffer.length) left.push(Buffer.from(buffer.subarray(start)));
  }
  return { count, sum: sum.join(' ') };
}

function joined(left: readonly Buffer[], last: Buffer): Buffer {
  return Buffer.concat([...left, last]);
}

function add(sum: Uint32Array, line: Buffer): void {
  const digest = hash('sha256', line, 'buffer');
  for (let index = 0; index < sum.length; index++) sum[index] = (sum[index] ?? 0) + digest.readUInt32LE(index * 4);
}
