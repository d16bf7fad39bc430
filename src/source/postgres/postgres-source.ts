import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { DatabaseSourceOptions } from '../database-options.ts';
import type { EntryBytes, Source, SourceContext, SourceDescription, SourceEntry } from '../source.ts';
import { checkExtraOptions } from './dump-options.ts';
import { type PostgresAddress, parsePostgresUrl } from './postgres-address.ts';
import { PostgresConnection } from './postgres-connection.ts';
import {
  type EntryOptions,
  largeObjectsEntry,
  rolesEntry,
  schemaEntry,
  sequencesEntry,
  tableEntry,
  wholeDumpEntry,
} from './postgres-entries.ts';
import { postgresSourceError, serverFailure } from './postgres-error.ts';
import { findTool, type PostgresTool } from './postgres-tool.ts';
import { readVersion } from './server-version.ts';
import { SnapshotSession } from './snapshot-session.ts';
import { pathPart, plainName, type TableName } from './sql-name.ts';
import { tableFilter } from './table-filter.ts';
import { listTables, measureTables } from './table-list.ts';

const defaultTimeoutMs = 60_000;
const defaultConnections = 2;
const maximumConnections = 64;
const describeLockMs = 200;

/**
 * A database of PostgreSQL, as of one snapshot: definitions as `pg_dump` writes them, an entry for the rows of each table, read by several
 * connections at once, values of sequences, and large objects. With the method `dump`, one entry that `pg_dump` writes.
 *
 * @example new PostgresSource({ url: new Secret('postgres://backup@localhost/shop') }).name // 'shop'
 */
export class PostgresSource implements Source {
  readonly name: string;
  readonly #options: DatabaseSourceOptions;
  readonly #address: PostgresAddress;
  readonly #timeoutMs: number;
  readonly #connections: number;
  readonly #isChosen: (table: TableName) => boolean;
  #session: SnapshotSession | undefined;
  #tool: PostgresTool | undefined;

  constructor(options: DatabaseSourceOptions) {
    this.#options = options;
    this.#address = parsePostgresUrl(options.url);
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    this.#connections = options.connections ?? defaultConnections;
    this.name = options.name ?? pathPart(this.#address.database);
    if (this.name === '' || this.name === '.' || this.name === '..' || /[/\0]/.test(this.name)) {
      throw new HoldfastError('usage.invalid', {
        message: `${JSON.stringify(this.name)} is not a name for a database`,
      });
    }
    if (!Number.isInteger(this.#connections) || this.#connections < 1 || this.#connections > maximumConnections) {
      throw new HoldfastError('usage.invalid', { message: `connections: 1 to ${maximumConnections}` });
    }
    checkExtraOptions(options.extraOptions ?? [], options.method ?? 'copy');
    this.#isChosen = tableFilter(options);
  }

  async describe(context: SourceContext): Promise<SourceDescription> {
    return await this.#inTermsOfSource(context, async () => {
      const options = { timeoutMs: this.#timeoutMs, signal: context.signal };
      const connection = await PostgresConnection.open(this.#address, options);
      try {
        const { version } = await readVersion(connection);
        await this.#dumpTool(version, context.signal);
        const listed = (await listTables(connection)).filter(this.#isChosen);
        // What another program holds is described by the server's estimates: a description does not wait.
        await connection.run(`SET lock_timeout = ${describeLockMs}`);
        const tables = await measureTables(connection, listed).catch((error: unknown) => {
          if (serverFailure(error)?.code === '55P03') return listed;
          throw error;
        });
        return {
          type: 'postgres',
          version,
          tables: tables.map((table) => ({
            name: plainName(table),
            expectedRows: table.expectedRows,
            expectedSizeBytes: table.sizeBytes,
          })),
          label: this.#address.label,
          expectedSizeBytes: tables.reduce((sum, table) => sum + table.sizeBytes, 0),
        };
      } finally {
        await connection.close();
      }
    });
  }

  /** Tables are read side by side, as many as there are connections. */
  get parallelEntries(): number {
    return this.#options.method === 'dump' ? 1 : this.#connections;
  }

  async *entries(context: SourceContext): AsyncGenerator<SourceEntry> {
    const entries = this.#entriesOf(context);
    for (;;) {
      const { done, value } = await this.#inTermsOfSource(context, () => entries.next());
      // The last ones may still be open: the snapshot ends with `close`.
      if (done === true) return;
      yield this.#withMeaning(value, context);
    }
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  async *#entriesOf(context: SourceContext): AsyncGenerator<SourceEntry> {
    const { extraOptions = [], method, roles = false } = this.#options;
    const { signal } = context;
    const session = await SnapshotSession.open({
      address: this.#address,
      timeoutMs: this.#timeoutMs,
      connections: method === 'dump' ? 0 : this.#connections,
      signal,
      isChosen: this.#isChosen,
    });
    this.#session = session;
    const options: EntryOptions = {
      session,
      tool: await this.#dumpTool(session.server.version, signal),
      address: this.#address,
      prefix: `databases/${this.name}`,
      timeoutMs: this.#timeoutMs,
      extraOptions,
      isWhole: this.#options.includeTables === undefined,
    };
    if (roles) yield await rolesEntry(options, signal);
    if (method === 'dump') yield await wholeDumpEntry(options);
    else yield* copyEntries(options);
  }

  /** Looked for once in a run. */
  async #dumpTool(serverVersion: string, signal: AbortSignal | undefined): Promise<PostgresTool> {
    this.#tool ??= await findTool('pg_dump', serverVersion, signal);
    return this.#tool;
  }

  /** The same entry, whose bytes fail in the terms of a source. */
  #withMeaning(entry: SourceEntry, context: SourceContext): SourceEntry {
    const open = (signal: AbortSignal | undefined): EntryBytes => {
      const bytes = entry.open?.(signal) as EntryBytes;
      const { readInto } = bytes;
      const iterator = bytes[Symbol.asyncIterator]();
      const next = () => this.#inTermsOfSource(context, () => iterator.next(), entry.path);
      return {
        [Symbol.asyncIterator]: () => ({ next, return: async () => (await iterator.return?.()) ?? ended }),
        ...(readInto === undefined
          ? {}
          : {
              readInto: (into: Uint8Array) =>
                this.#inTermsOfSource(context, () => readInto.call(bytes, into), entry.path),
            }),
      };
    };
    const { path, kind, expectedSizeBytes } = entry;
    return {
      path,
      kind,
      expectedSizeBytes,
      get metadata() {
        return entry.metadata;
      },
      open,
    };
  }

  async #inTermsOfSource<Result>(context: SourceContext, work: () => Promise<Result>, path?: string): Promise<Result> {
    throwIfAborted(context.signal);
    try {
      return await work();
    } catch (error) {
      throwIfAborted(context.signal);
      const { label } = this.#address;
      throw postgresSourceError(error, path === undefined ? label : `${label}: ${path}`);
    }
  }
}

const ended = { done: true, value: undefined } as const;

/** In the order in which a restore needs them. */
async function* copyEntries(options: EntryOptions): AsyncGenerator<SourceEntry> {
  const { session } = options;
  yield await schemaEntry(options, 'pre-data');
  // The rows of tables to come are on their way while those of one are taken.
  const aheadCount = session.lanes.length;
  const begun: SourceEntry[] = [];
  for (let index = 0; index < session.tables.length; index += 1) {
    while (begun.length <= index + aheadCount && begun.length < session.tables.length) {
      const table = session.tables[begun.length];
      if (table !== undefined) begun.push(tableEntry(options, table, begun.length));
    }
    const entry = begun[index];
    if (entry !== undefined) yield entry;
  }
  const largeObjects = await largeObjectsEntry(options);
  if (largeObjects !== undefined) yield largeObjects;
  const sequences = await sequencesEntry(options);
  if (sequences !== undefined) yield sequences;
  yield await schemaEntry(options, 'post-data');
}
