import type { Clock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import type { Random } from '../../random.ts';
import type { RestorableEntry, TargetChange } from '../target.ts';
import { refuseOutsideKeys } from './foreign-keys.ts';
import { loadDump } from './load-dump.ts';
import type { MysqlAddress } from './mysql-address.ts';
import type { MysqlConnection } from './mysql-connection.ts';
import { mysqlTargetError } from './mysql-error.ts';
import { readObjects } from './read-objects.ts';
import { decodeObject, dropStatement, objectKinds, type SchemaObject } from './schema-object.ts';
import { sequenceRedirects } from './sequence-redirects.ts';
import { readDefaults } from './server-catalog.ts';
import { sideKind, sideName, undoName } from './side-names.ts';
import { qualifiedName, quoteName, quoteText } from './sql-text.ts';
import { collect, tryObjects } from './staged-objects.ts';
import { findUndo, settleSwaps, swap, tableNames } from './swap.ts';
import { isPlanTable, readPlan, type SwapPlan, swappedTable } from './swap-plan.ts';
import { loadTable, prepareLoading } from './table-loader.ts';
import { lockTarget } from './target-lock.ts';
import type { TargetState } from './target-state.ts';

/** What a restore works with. */
export interface RestoreSessionOptions {
  /** Closed with the session. */
  readonly control: MysqlConnection;
  readonly connect: () => Promise<MysqlConnection>;
  readonly state: TargetState;
  readonly address: MysqlAddress;
  /** Connections that load tables. */
  readonly connections: number;
  readonly timeoutMs: number;
  readonly overwrite: boolean;
  readonly keepUndo: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/** One restore at work: it holds the lock of the target, and a database beside it that it fills. */
export class RestoreSession {
  readonly #options: RestoreSessionOptions;
  readonly #side: string;
  readonly #idle: MysqlConnection[] = [];
  readonly #all: MysqlConnection[] = [];
  readonly #objects: SchemaObject[] = [];
  /** Statements of objects need a session to themselves. */
  #turn: Promise<void> = Promise.resolve();

  /** Waits for its turn, settles what earlier restores left, and makes the database that is filled. */
  static async begin(options: RestoreSessionOptions): Promise<RestoreSession> {
    const { control, address, timeoutMs, state, random } = options;
    await lockTarget(control, address, timeoutMs);
    const isMariadb = state.server.engine === 'mariadb';
    await settleSwaps({ control, isMariadb, timeoutMs }, address.database);
    const side = sideName(address.database, random);
    const { characterSet, collation } = state.defaults;
    const defaults = `CHARACTER SET ${quoteText(characterSet)} COLLATE ${quoteText(collation)}`;
    await control.run(`CREATE DATABASE ${quoteName(side)} ${defaults}`);
    return new RestoreSession(options, side);
  }

  private constructor(options: RestoreSessionOptions, side: string) {
    this.#options = options;
    this.#side = side;
  }

  async stage(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    if (entry.kind === 'table') await this.#stageTable(entry, bytes);
    else if (entry.kind === 'dump') await loadDump(bytes, { ...this.#options, database: this.#side });
    else await this.#stageObject(entry, await collect(entry.path, bytes));
  }

  async commit(): Promise<TargetChange> {
    const { control, address, state } = this.#options;
    const { database, label } = address;
    await this.#closeLoaders();
    if (state.tables === undefined) await this.#harvestObjects();
    const kindRank = ({ kind }: SchemaObject) => objectKinds.indexOf(kind);
    const creates = this.#objects.toSorted((a, b) => kindRank(a) - kindRank(b));
    await tryObjects(control, creates, { ...this.#context, database: this.#side });
    const incoming = await tableNames(control, this.#side);
    const missing = state.tables?.find((name) => !incoming.includes(name));
    if (missing !== undefined || (state.tables === undefined && incoming.length === 0)) {
      const message = missing === undefined ? 'the dump made no table' : `the table ${missing} was not restored`;
      throw new HoldfastError('target.invalid', { message });
    }
    const plan = await this.#makePlan(incoming, creates);
    const replaces = plan.outgoing.length > 0 || plan.drops.length > 0;
    await control.run(`CREATE DATABASE IF NOT EXISTS ${quoteName(database)}`);
    await swap(this.#context, plan).catch((error: unknown) => {
      throw mysqlTargetError(error, { what: `${label}, when its tables were to be put in place` });
    });
    const undo = replaces && plan.keepsUndo ? { undo: plan.keep } : {};
    return { target: label, action: state.change.action, ...undo };
  }

  /** Removes what was filled, unless it holds the plan of a swap that is not settled. */
  async abort(): Promise<void> {
    const { control } = this.#options;
    try {
      await this.#closeLoaders();
      const pending = await readPlan(control, this.#side, swappedTable);
      if (pending === undefined) await control.run(`DROP DATABASE IF EXISTS ${quoteName(this.#side)}`);
    } catch {
      // The server is gone, or the connection: the next restore there removes it.
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    await this.#closeLoaders();
    await this.#options.control.close();
  }

  get #context() {
    const { control, timeoutMs, state } = this.#options;
    return { control, timeoutMs, isMariadb: state.server.engine === 'mariadb' };
  }

  async #stageTable(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const { address, state } = this.#options;
    const connection = this.#idle.pop() ?? (await this.#openLoader());
    const restored = new Set(state.tables);
    const databaseOf = (table: string) => (state.isWhole || restored.has(table) ? undefined : address.database);
    const archivedDatabase = String(entry.metadata['database'] ?? '');
    await loadTable(entry, bytes, { connection, database: this.#side, archivedDatabase, databaseOf });
    this.#idle.push(connection);
  }

  async #openLoader(): Promise<MysqlConnection> {
    const connection = await this.#options.connect();
    this.#all.push(connection);
    await prepareLoading(connection, this.#side);
    return connection;
  }

  async #closeLoaders(): Promise<void> {
    for (const connection of this.#all.splice(0)) await connection.close();
    this.#idle.length = 0;
  }

  async #stageObject(entry: RestorableEntry, bytes: Buffer): Promise<void> {
    if (entry.metadata['object'] === 'database') return;
    const object = decodeObject(entry.path, entry.metadata, bytes);
    if (object.kind !== 'sequence') {
      this.#objects.push(object);
      return;
    }
    const turn = this.#turn.then(() => this.#makeSequence(object));
    this.#turn = turn.catch(() => undefined);
    await turn;
  }

  async #makeSequence({ name, statement, nextValue }: SchemaObject): Promise<void> {
    const { control } = this.#options;
    try {
      await control.run(`USE ${quoteName(this.#side)}`);
      await control.run(statement);
      await control.rows(`SELECT SETVAL(${qualifiedName(this.#side, name)}, ${nextValue ?? '1'}, 0)`);
    } catch (error) {
      throw mysqlTargetError(error, { what: `the sequence ${name}` });
    }
  }

  /** A dump made everything in the database that was filled. */
  async #harvestObjects(): Promise<void> {
    const { control } = this.#options;
    await control.run(`USE ${quoteName(this.#side)}`);
    const { objects } = await readObjects(control, this.#side);
    this.#objects.push(...objects.filter(({ kind }) => kind !== 'sequence'));
    for (const object of objects.filter(({ kind }) => kind === 'event')) await control.run(dropStatement(object));
  }

  async #makePlan(incoming: readonly string[], creates: readonly SchemaObject[]): Promise<SwapPlan> {
    const { control, address, state, keepUndo, overwrite, clock, random } = this.#options;
    const { database } = address;
    const before = await readDefaults(control, database);
    const existing = before === undefined ? [] : await tableNames(control, database);
    const outgoing = state.isWhole ? existing : existing.filter((name) => incoming.includes(name));
    if (outgoing.length > 0 && !overwrite) {
      throw new HoldfastError('target.exists', { message: `the table ${outgoing[0]} exists` });
    }
    // What an earlier restore replaced is dropped when this one has replaced something.
    await refuseOutsideKeys(control, database, outgoing, (owner) => sideKind(database, owner) === 'undo');
    const objects = before === undefined ? [] : await this.#existingObjects();
    const made = new Set(creates.map(({ kind, name }) => `${kind} ${name}`));
    const isReplaced = ({ kind, name }: SchemaObject) => made.has(`${kind} ${name}`);
    const hangsOnOutgoing = ({ table }: SchemaObject) => table !== undefined && outgoing.includes(table);
    const drops = state.isWhole ? objects : objects.filter((object) => isReplaced(object) || hangsOnOutgoing(object));
    // Triggers of a table that is restored alone stay with its name.
    const kept = state.isWhole ? [] : drops.filter((object) => hangsOnOutgoing(object) && !isReplaced(object));
    const after = state.isWhole || before === undefined ? state.defaults : before;
    return {
      version: 1,
      target: database,
      from: this.#side,
      keep: undoName(database, random),
      keepsUndo: keepUndo,
      isWhole: state.isWhole,
      // Also where the clock was set back, it is newer than what is there.
      createdMs: Math.max(clock.nowMs(), ((await findUndo(control, database))?.createdMs ?? 0) + 1),
      incoming: incoming.filter((name) => !isPlanTable(name)),
      outgoing,
      drops,
      creates: [...creates, ...kept],
      redirects: await sequenceRedirects(control, this.#side, database),
      before: before ?? state.defaults,
      after,
    };
  }

  async #existingObjects(): Promise<readonly SchemaObject[]> {
    const { control, address } = this.#options;
    await control.run(`USE ${quoteName(address.database)}`);
    const { objects, hidden } = await readObjects(control, address.database);
    if (hidden[0] === undefined) return objects.filter(({ kind }) => kind !== 'sequence');
    const { kind, name } = hidden[0];
    throw new HoldfastError('storage.unauthorized', {
      message: `the definition of the ${kind} ${name} in ${address.label} may not be read, so that it could not be brought back`,
      hint: 'restore with an account that may see it',
    });
  }
}
