import { HoldfastError, throwIfAborted } from '../../../errors.ts';
import { parsePostgresUrl } from '../../postgres/postgres-address.ts';
import { postgresSourceError } from '../../postgres/postgres-error.ts';
import { SnapshotSession } from '../../postgres/snapshot-session.ts';
import { quoteName, quoteText } from '../../postgres/sql-name.ts';
import type { SourceTable } from '../../postgres/table-list.ts';
import { copyStatements, TableRows } from '../../postgres/table-rows.ts';
import type { EntryBytes } from '../../source.ts';
import { type Discovery, type Model, storedColumns } from '../model.ts';
import type { ModelReader, ModelRows } from '../model-reader.ts';
import type { OpenReaderOptions } from '../open-reader.ts';
import { CopyToLines } from './copy-to-lines.ts';
import { discoverPostgres, quoteModel } from './discover-postgres.ts';
import { valueSettings } from './value-settings.ts';

/** What becomes six times as much is still a chunk of 1 MiB. */
const inputBytes = 160 * 1024;
/** Ranges of pages are found without reading all others since this version. */
const rangeMajor = 14;
const defaultConnections = 2;

type Values = readonly (string | null)[];

/** A snapshot of a PostgreSQL database, read by several connections at once. Memory: about 2.5 MiB for each model that is being read. */
export class PostgresModelReader implements ModelReader {
  readonly engine = 'postgres';
  readonly engineVersion: string;
  readonly parallelEntries: number;
  readonly #session: SnapshotSession;
  readonly #label: string;
  readonly #timeoutMs: number;
  #begun = 0;

  static async open(options: OpenReaderOptions): Promise<PostgresModelReader> {
    const address = parsePostgresUrl(options.url);
    const { timeoutMs, signal, connections = defaultConnections } = options;
    try {
      const session = await SnapshotSession.open({
        address,
        timeoutMs,
        connections,
        signal,
        isChosen: () => true,
        settings: valueSettings,
      });
      return new PostgresModelReader(session, address.label, timeoutMs);
    } catch (error) {
      throwIfAborted(signal);
      throw postgresSourceError(error, address.label);
    }
  }

  private constructor(session: SnapshotSession, label: string, timeoutMs: number) {
    this.#session = session;
    this.#label = label;
    this.#timeoutMs = timeoutMs;
    this.engineVersion = session.server.version;
    this.parallelEntries = session.lanes.length;
  }

  async discover(): Promise<Discovery> {
    return await discoverPostgres(this.#session.control);
  }

  expectedBytes(model: Model): number {
    return this.#tableOf(model)?.sizeBytes ?? 0;
  }

  expectedRows(model: Model): number {
    return this.#tableOf(model)?.expectedRows ?? 0;
  }

  rows(model: Model, options: { readonly where?: string }): ModelRows {
    const { lanes } = this.#session;
    const firstLane = this.#begun % lanes.length;
    this.#begun += 1;
    const rows = new TableRows({
      statements: this.#statements(model, options.where),
      lanes,
      firstLane,
      silence: { timeoutMs: this.#timeoutMs, onSilence: this.#session.probe },
    });
    const isChecked = this.#session.encoding === 'SQL_ASCII';
    return {
      bytes: () => linesOf(rows, model, isChecked),
      get rowCount() {
        return rows.rowCount;
      },
    };
  }

  async select(model: Model, columns: readonly string[], where: string): Promise<readonly Values[]> {
    const list = columns.map((column, index) => `${quoteName(column)}::text AS c${index}`).join(', ');
    const rows = await this.#session.control.rows(`SELECT ${list} FROM ${quoteModel(model)} WHERE ${where}`);
    return rows.map((row) => columns.map((_, index) => (row[`c${index}`] ?? null) as string | null));
  }

  isAmong(_model: Model, columns: readonly string[], values: readonly Values[]): string {
    const rows = values.map((row) => `(${row.map((value) => quoteText(value ?? '')).join(', ')})`);
    return `(${columns.map(quoteName).join(', ')}) IN (${rows.join(', ')})`;
  }

  explain(error: unknown, what?: string): unknown {
    return postgresSourceError(error, what === undefined ? this.#label : `${this.#label}: ${what}`);
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  #statements(model: Model, where: string | undefined): readonly string[] {
    const table = this.#tableOf(model);
    const columns = storedColumns(model).map(({ name }) => name);
    const list = columns.map(quoteName).join(', ');
    // A table that is split has no rows of its own: those of all its partitions are the model's.
    const from = `${table === undefined ? '' : 'ONLY '}${quoteModel(model)}`;
    if (where !== undefined) return [`COPY (SELECT ${list} FROM ${from} WHERE (${where})) TO STDOUT`];
    if (table === undefined) return [`COPY (SELECT ${list} FROM ${from}) TO STDOUT`];
    const canSplit = this.#session.server.major >= rangeMajor && this.#session.lanes.length > 1;
    return copyStatements({ ...table, columns }, { canSplit });
  }

  #tableOf({ table }: Model): SourceTable | undefined {
    return this.#session.tables.find(({ schema, name }) => schema === table.schema && name === table.name);
  }
}

async function* linesOf(rows: TableRows, model: Model, isChecked: boolean): EntryBytes & AsyncGenerator<Buffer> {
  const lines = new CopyToLines(storedColumns(model).length);
  const input = Buffer.allocUnsafeSlow(inputBytes);
  const out = Buffer.allocUnsafeSlow(CopyToLines.room(inputBytes));
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (;;) {
    const length = await rows.readInto(input);
    if (length === 0) return;
    const read = input.subarray(0, length);
    if (isChecked) checkText(decoder, read, model);
    const made = lines.convert(read, out);
    if (made > 0) yield out.subarray(0, made);
  }
}

/** A database without an encoding may hold any bytes as text. */
function checkText(decoder: TextDecoder, bytes: Uint8Array, model: Model): void {
  try {
    decoder.decode(bytes, { stream: true });
  } catch (cause) {
    throw new HoldfastError('source.unreadable', {
      message: `${model.name}: the database has no encoding (SQL_ASCII), and a value of this table is not UTF-8`,
      hint: 'back it up without --models, which keeps bytes as they are',
      context: { model: model.name },
      cause,
    });
  }
}
