import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { DatabaseSourceOptions } from '../database-options.ts';
import type { Source, SourceContext, SourceDescription, SourceEntry } from '../source.ts';
import { reportChangedValues } from './changed-values.ts';
import { DumpSession } from './dump-session.ts';
import { checkExtraOptions } from './dump-tool.ts';
import { type MysqlAddress, parseMysqlUrl } from './mysql-address.ts';
import { mysqlSourceError } from './mysql-error.ts';
import { objectEntries } from './object-entries.ts';
import { tableFilter } from './server-catalog.ts';
import { pathPart } from './sql-text.ts';
import { tableEntries } from './table-entries.ts';
import { wholeDumpEntry } from './whole-dump-entry.ts';

const defaultTimeoutMs = 60_000;

/**
 * A database of MySQL or MariaDB: one entry for each table, definition and rows, from one transaction of the server's own dump tool; one
 * for each view, routine, trigger, event and sequence; and one for the database itself. Tables that transactions do not cover (MyISAM, Aria)
 * are read first, and locked against writing until then.
 *
 * @example new MysqlSource({ url: new Secret('mariadb://backup@localhost/shop') }).name // 'shop'
 */
export class MysqlSource implements Source {
  readonly name: string;
  readonly #options: DatabaseSourceOptions;
  readonly #address: MysqlAddress;
  readonly #timeoutMs: number;
  #session: DumpSession | undefined;

  constructor(options: DatabaseSourceOptions) {
    this.#options = options;
    this.#address = parseMysqlUrl(options.url);
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    this.name = options.name ?? pathPart(this.#address.database);
    if (this.name === '' || this.name === '.' || this.name === '..' || /[/\0]/.test(this.name)) {
      throw new HoldfastError('usage.invalid', {
        message: `${JSON.stringify(this.name)} is not a name for a database`,
      });
    }
    if (options.roles === true) {
      throw new HoldfastError('usage.invalid', { message: 'accounts of a MySQL or MariaDB server are not backed up' });
    }
    checkExtraOptions(options.extraOptions ?? []);
    tableFilter(this.#address.database, options);
  }

  async describe(context: SourceContext): Promise<SourceDescription> {
    const { label } = this.#address;
    return await this.#inTermsOfSource(context, async () => {
      const { server, tables, control } = await this.#open(context);
      await control.close();
      const listed = tables.filter(({ isSequence }) => !isSequence);
      return {
        type: server.engine,
        version: server.version,
        tables: listed.map(({ name, expectedRows, expectedSizeBytes }) => ({ name, expectedRows, expectedSizeBytes })),
        label,
        expectedSizeBytes: listed.reduce((sum, table) => sum + table.expectedSizeBytes, 0),
      };
    });
  }

  async *entries(context: SourceContext): AsyncGenerator<SourceEntry> {
    try {
      const session = await this.#inTermsOfSource(context, () => this.#open(context));
      this.#session = session;
      const entries = this.#entriesOf(session, context);
      for (;;) {
        const { done, value } = await this.#inTermsOfSource(context, () => entries.next());
        if (done === true) return;
        yield value;
      }
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    await this.#session?.close();
    this.#session = undefined;
  }

  async #open(context: SourceContext): Promise<DumpSession> {
    const options = { address: this.#address, source: this.#options, context, timeoutMs: this.#timeoutMs };
    return await DumpSession.open(options);
  }

  async *#entriesOf(session: DumpSession, context: SourceContext): AsyncGenerator<SourceEntry> {
    const { extraOptions = [], includeTables, method } = this.#options;
    const { database } = this.#address;
    const options = { prefix: `databases/${this.name}`, extraOptions, database };
    await reportChangedValues(session, database, context);
    if (method === 'dump') {
      yield* wholeDumpEntry(session, { ...options, isFiltered: this.#isFiltered });
      return;
    }
    yield* tableEntries(session, options);
    yield* objectEntries(session, { ...options, context, isChosen: includeTables !== undefined });
  }

  get #isFiltered(): boolean {
    return this.#options.includeTables !== undefined || this.#options.excludeTables !== undefined;
  }

  async #inTermsOfSource<Result>(context: SourceContext, work: () => Promise<Result>): Promise<Result> {
    throwIfAborted(context.signal);
    try {
      return await work();
    } catch (error) {
      throwIfAborted(context.signal);
      throw mysqlSourceError(error, this.#address.label);
    }
  }
}
