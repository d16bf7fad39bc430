import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../errors.ts';
import type { DatabaseSourceOptions } from '../database-options.ts';
import type { EntryMetadata, SourceContext } from '../source.ts';
import { DumpProcess } from './dump-process.ts';
import { canDumpHistory, type DumpTool, findDumpTool, writeToolOptions } from './dump-tool.ts';
import type { MysqlAddress } from './mysql-address.ts';
import { MysqlConnection } from './mysql-connection.ts';
import { serverFailure } from './mysql-error.ts';
import {
  type CatalogTable,
  type DatabaseDefaults,
  readColumns,
  readDefaults,
  readTables,
  readVersion,
  type ServerVersion,
  tableFilter,
} from './server-catalog.ts';
import { qualifiedName } from './sql-text.ts';

/** What a session is opened for. */
export interface SessionOptions {
  readonly address: MysqlAddress;
  readonly source: DatabaseSourceOptions;
  readonly context: SourceContext;
  readonly timeoutMs: number;
}

/** One run's work with a server: the connection that reads the catalogue, what it found there, and the dump tool. */
export class DumpSession {
  readonly control: MysqlConnection;
  readonly server: ServerVersion;
  readonly tool: DumpTool;
  readonly defaults: DatabaseDefaults;
  /** Those that are wanted, sequences too, in the order in which they are read. */
  readonly tables: readonly CatalogTable[];
  readonly columns: ReadonlyMap<string, readonly string[]>;
  readonly isWanted: (table: string) => boolean;
  readonly #options: SessionOptions;
  #optionsPath: string | undefined;
  #process: DumpProcess | undefined;
  #isLocked = false;

  /** Throws errors of the client library as they are, `source.not_found`, `source.empty`, `tool.not_found`, `tool.too_old`. */
  static async open(options: SessionOptions): Promise<DumpSession> {
    const { address, source, context, timeoutMs } = options;
    const { database, label } = address;
    const control = await MysqlConnection.open(address, { timeoutMs, signal: context.signal });
    try {
      const server = await readVersion(control);
      const tool = await findDumpTool(server, context.signal);
      const defaults = await readDefaults(control, database);
      if (defaults === undefined) throw new HoldfastError('source.not_found', { message: `${label} does not exist` });
      const isWanted = tableFilter(database, source);
      const all = await readTables(control, database);
      const tables = all.filter(({ name }) => isWanted(name));
      if (!tables.some(({ isSequence }) => !isSequence)) {
        const message = all.length === 0 ? `${label} has no tables` : `no table of ${label} is chosen`;
        throw new HoldfastError('source.empty', { message, context: { tables: all.length } });
      }
      const columns = await readColumns(control, database);
      return new DumpSession({ options, control, server, tool, defaults, tables, columns, isWanted });
    } catch (error) {
      await control.close();
      throw error;
    }
  }

  private constructor(
    parts: Pick<DumpSession, 'control' | 'server' | 'tool' | 'defaults' | 'tables' | 'columns' | 'isWanted'> & {
      readonly options: SessionOptions;
    },
  ) {
    this.control = parts.control;
    this.server = parts.server;
    this.tool = parts.tool;
    this.defaults = parts.defaults;
    this.tables = parts.tables;
    this.columns = parts.columns;
    this.isWanted = parts.isWanted;
    this.#options = parts.options;
  }

  /** What the metadata of every entry says. */
  get metadata(): EntryMetadata {
    const { address } = this.#options;
    return {
      source: address.label,
      engine: this.server.engine,
      engineVersion: this.server.version,
      database: address.database,
    };
  }

  /** Starts the tool. The file that tells it how to connect is removed when the session is closed. */
  async start(makeArguments: (optionsPath: string) => readonly string[]): Promise<DumpProcess> {
    const { address, context, timeoutMs } = this.#options;
    // The folder serves all sources of a run, and two of them may be of one server.
    const tag = createHash('sha256').update(address.label).digest('hex').slice(0, 16);
    const optionsPath = join(context.temporaryFolder, `mysql-${tag}.cnf`);
    this.#optionsPath = optionsPath;
    await writeToolOptions(optionsPath, { address, tool: this.tool, isEncrypted: this.control.isEncrypted });
    const { control, tool } = this;
    const options = { timeoutMs, signal: context.signal, control, label: address.label };
    this.#process = new DumpProcess({ ...options, program: tool.program, args: makeArguments(optionsPath) });
    return this.#process;
  }

  /**
   * Keeps writers away from the tables that a transaction does not cover, so that their rows are of the snapshot's moment as well. Where that is
   * not allowed, it is reported.
   */
  async lockUncovered(): Promise<void> {
    const { address, context } = this.#options;
    const uncovered = this.tables.filter(({ isTransactional, isSequence }) => !isTransactional && !isSequence);
    if (uncovered.length === 0) return;
    const names = uncovered.map(({ name }) => `${qualifiedName(address.database, name)} READ`);
    try {
      await this.control.run(`LOCK TABLES ${names.join(', ')}`, this.#options.timeoutMs);
      this.#isLocked = true;
    } catch (error) {
      const number = serverFailure(error)?.number;
      if (number !== 1044 && number !== 1142) throw error;
      for (const { name, storageEngine } of uncovered) {
        const message = `no transaction covers ${storageEngine} tables, and LOCK TABLES is not granted: its rows may be of another moment`;
        context.report({ code: 'source.unsupported', path: name, message });
      }
    }
  }

  /** Whether rows of the past are backed up: there are such, and they can be. Where they cannot, it is reported. */
  reportHistory(): boolean {
    const versioned = this.tables.filter(({ isVersioned }) => isVersioned);
    if (versioned.length === 0 || canDumpHistory(this.tool, this.server)) return versioned.length > 0;
    for (const { name } of versioned) {
      const message =
        'its rows of the past are left out: that takes a server and a dump tool of MariaDB 10.11 or newer';
      this.#options.context.report({ code: 'source.unsupported', path: name, message });
    }
    return false;
  }

  async unlock(): Promise<void> {
    if (!this.#isLocked) return;
    this.#isLocked = false;
    await this.control.run('UNLOCK TABLES');
  }

  /** May be repeated. */
  async close(): Promise<void> {
    await this.#process?.kill();
    if (this.#optionsPath !== undefined) await rm(this.#optionsPath, { force: true });
    await this.control.close();
  }
}
