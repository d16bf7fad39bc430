import type { EntryBytes } from '../source.ts';
import type { Discovery, Model, ModelEngine } from './model.ts';

/** The rows of one model on their way. */
export interface ModelRows {
  /** JSON Lines: one array for each row, whose values stand in the order of the stored columns. Chunks of at most 1 MiB. */
  bytes(signal: AbortSignal | undefined): EntryBytes;
  /** Rows given so far; exact at the end. */
  readonly rowCount: number;
}

/** One moment of a database, read as models. */
export interface ModelReader {
  readonly engine: ModelEngine;
  readonly engineVersion: string;
  /** Rows of so many models may be read at once. */
  readonly parallelEntries: number;
  discover(): Promise<Discovery>;
  /** `where` is a condition in the engine's SQL. */
  rows(model: Model, options: { readonly where?: string }): ModelRows;
  /** Values of the columns of the rows that fit, as the archive has them. Of few rows: they are held in memory. */
  select(model: Model, columns: readonly string[], where: string): Promise<readonly (readonly (string | null)[])[]>;
  /** A condition: the columns have one of these values. */
  isAmong(model: Model, columns: readonly string[], values: readonly (readonly (string | null)[])[]): string;
  expectedBytes(model: Model): number;
  /** The engine's estimate; undefined where it has none. */
  expectedRows(model: Model): number | undefined;
  /** What an error of the engine means for a source. */
  explain(error: unknown, what?: string): unknown;
  close(): Promise<void>;
}
