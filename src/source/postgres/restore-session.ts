import { HoldfastError } from '../../errors.ts';
import { RunningProgram } from '../command/running-program.ts';
import type { RestorableEntry, TargetChange } from '../target.ts';
import { dumpItems } from './dump-items.ts';
import { LentConnections } from './lent-connections.ts';
import { loadLargeObjects } from './load-large-objects.ts';
import { loadRows } from './load-rows.ts';
import { toolVariables } from './postgres-address.ts';
import { postgresTargetError } from './postgres-error.ts';
import { findTool } from './postgres-tool.ts';
import { readText } from './read-text.ts';
import type { RestorePlace } from './restore-place.ts';
import { restoreRoles } from './restore-roles.ts';
import { runItems } from './run-items.ts';
import { type PlaceOptions, SidePlace } from './side-place.ts';
import { plainName, quoteName, quoteTable } from './sql-name.ts';
import { tableOf } from './target-plan.ts';
import { TransactionPlace } from './transaction-place.ts';
import { readPartitionLeaves, withoutCheck } from './unchecked-keys.ts';

/** A restore at work: entries go to a place, and are checked there. */
export class RestoreSession {
  readonly #options: PlaceOptions;
  readonly #place: RestorePlace;
  readonly #lent: LentConnections;
  /** Tables, as the dump writes their names, whose rows are there; what refers to others is not checked. */
  readonly #filled: ReadonlySet<string>;

  static async begin(options: PlaceOptions): Promise<RestoreSession> {
    const isInTransaction = options.plan.mode === 'transaction';
    return new RestoreSession(options, await (isInTransaction ? TransactionPlace : SidePlace).begin(options));
  }

  private constructor(options: PlaceOptions, place: RestorePlace) {
    this.#options = options;
    this.#place = place;
    this.#lent = new LentConnections(place.connections);
    this.#filled = new Set(options.plan.tables.map(quoteTable));
  }

  async stage(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const { kind, metadata } = entry;
    if (kind === 'table') await this.#loadTable(entry, bytes);
    else if (kind === 'large-objects') await this.#loadLargeObjects(entry, bytes);
    else if (kind === 'dump') await this.#feedTool(entry, bytes);
    else if (kind === 'roles') await this.#roles(await readText(entry, bytes));
    else if (metadata['object'] === 'sequences') await this.#sequences(await readText(entry, bytes));
    else await this.#definitions(await readText(entry, bytes));
  }

  async commit(): Promise<TargetChange> {
    const undo = await this.#place.commit();
    const { target, action } = this.#options.plan.change;
    return { target, action, ...(undo === undefined ? {} : { undo }) };
  }

  async abort(): Promise<void> {
    await this.#place.abort();
  }

  async #loadTable(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const table = tableOf(entry);
    const { columns, rows, encoding } = entry.metadata;
    const names = Array.isArray(columns) ? columns.map((name) => quoteName(String(name))).join(', ') : '';
    const encoded = encoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8';
    const sql = `COPY ${quoteTable(table)}${names === '' ? '' : ` (${names})`} FROM STDIN WITH (ENCODING '${encoded}')`;
    const what = `the table ${plainName(table)}`;
    let taken: number;
    try {
      taken = await loadRows(bytes, { ...this.#runOptions, connections: this.#lent, sql });
    } catch (error) {
      throw postgresTargetError(error, what);
    }
    if (taken !== rows) {
      const message = `${what} got ${taken} rows where ${String(rows)} were backed up`;
      throw new HoldfastError('target.invalid', { message, context: { path: entry.path } });
    }
  }

  async #loadLargeObjects(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const { isInTransaction } = this.#place;
    const connection = await this.#lent.take();
    let count: number;
    try {
      count = await loadLargeObjects(bytes, connection, { isInTransaction });
      this.#lent.giveBack(connection);
    } catch (error) {
      this.#lent.fail(error);
      throw error;
    }
    if (count === entry.metadata['rows']) return;
    const message = `${count} large objects were restored where ${String(entry.metadata['rows'])} were backed up`;
    throw new HoldfastError('target.invalid', { message, context: { path: entry.path } });
  }

  async #definitions(text: string): Promise<void> {
    const leaves = await readPartitionLeaves(this.#place.connections[0]);
    const items = dumpItems(text).flatMap((item) => withoutCheck(item, this.#filled, leaves));
    await runItems(items, this.#runOptions);
  }

  async #sequences(text: string): Promise<void> {
    const known = /^SELECT pg_catalog\.setval\((?:E?'(?:[^'\\]|''|\\.)*'), -?\d+, (?:true|false)\);$/;
    const lines = text.split('\n').filter((line) => line !== '');
    if (!lines.every((line) => known.test(line))) {
      throw new HoldfastError('target.invalid', { message: 'the values of sequences hold another statement' });
    }
    await this.#place.connections[0]?.work(lines.join('\n'));
  }

  async #roles(text: string): Promise<void> {
    const [connection] = this.#place.connections;
    if (connection !== undefined) await restoreRoles(connection, text, this.#place);
  }

  /** A dump of the server's own tool goes to the server's own tool. */
  async #feedTool(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const { address, plan } = this.#options;
    const isPlain = entry.metadata['format'] === 'plain';
    const tool = await findTool(isPlain ? 'psql' : 'pg_restore', plan.server.version);
    const args = isPlain
      ? ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--output=/dev/null']
      : ['--exit-on-error', `--dbname=${connectionText(this.#place.database)}`];
    const variables = { ...toolVariables(address, this.#place.database), LC_ALL: 'C.UTF-8' };
    const program = new RunningProgram(
      { command: [tool.path, '--no-password', ...args], variables },
      'input',
      undefined,
    );
    try {
      for await (const chunk of bytes) await program.write(chunk);
      program.finishInput();
      await program.end();
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'tool.failed') throw error;
      const code = /No space left on device/.test(error.message) ? 'storage.full' : 'target.invalid';
      throw new HoldfastError(code, {
        message: `${entry.path}: ${error.message}`,
        context: error.context,
        cause: error,
      });
    } finally {
      await program.kill();
    }
  }

  get #runOptions() {
    const { connections } = this.#place;
    return { connections, timeoutMs: this.#options.timeoutMs, probe: () => this.#place.probe() };
  }
}

/** A name alone would be taken for a connection string where it has an equals sign. */
function connectionText(database: string): string {
  return `dbname='${database.replace(/['\\]/g, '\\$&')}'`;
}
