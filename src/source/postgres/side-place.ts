import type { Clock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import type { Random } from '../../random.ts';
import { claimTarget, connectControl } from './control-connection.ts';
import { isEmptyDatabase } from './database-contents.ts';
import { dressDatabase, makeDatabase } from './make-database.ts';
import type { PostgresAddress } from './postgres-address.ts';
import { PostgresConnection } from './postgres-connection.ts';
import { serverFailure } from './postgres-error.ts';
import type { RestorePlace } from './restore-place.ts';
import { findSides, isAtWork, newId, restoreName, type SideMark, sideName } from './side-names.ts';
import { quoteName, quoteText } from './sql-name.ts';
import { dropDatabase, swapDatabases } from './swap-databases.ts';
import type { TargetPlan } from './target-plan.ts';

/** What a place of either kind is made with. */
export interface PlaceOptions {
  readonly address: PostgresAddress;
  readonly plan: TargetPlan;
  readonly connections: number;
  readonly overwrite: boolean;
  readonly keepUndo: boolean;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * A database beside the target, which takes its place by one transaction of the server. Its commits do not wait for the disk: the one that puts
 * it in place does, and with it all before it.
 */
export class SidePlace implements RestorePlace {
  readonly connections: readonly PostgresConnection[];
  readonly isInTransaction = false;
  readonly database: string;
  readonly #options: PlaceOptions;
  readonly #control: PostgresConnection;
  readonly #id: string;
  #isDone = false;

  static async begin(options: PlaceOptions): Promise<SidePlace> {
    const { address, plan, timeoutMs, clock } = options;
    const id = newId(options.random);
    const database = sideName(address.database, 'new', id);
    const control = await connectControl(address, { timeoutMs, applicationName: restoreName(id) });
    const connections: PostgresConnection[] = [];
    try {
      await claimTarget(control, address);
      await removeStale(control, address.database, plan.server.major);
      const make = { name: database, likeDatabase: address.database, archived: plan.archived };
      await makeDatabase(control, make);
      const mark: SideMark = { holdfast: 'new', of: address.database, atMs: clock.nowMs(), comment: null };
      await control.run(`COMMENT ON DATABASE ${quoteName(database)} IS ${quoteText(JSON.stringify(mark))}`);
      await dressDatabase(control, make);
      for (let count = 0; count < options.connections; count += 1) {
        const connection = await PostgresConnection.open(address, { timeoutMs, database });
        connections.push(connection);
        await connection.run('SET synchronous_commit = off');
      }
      return new SidePlace({ options, control, connections, id, database });
    } catch (error) {
      for (const connection of connections) await connection.close();
      await dropDatabase(control, database, plan.server.major).catch(() => undefined);
      await control.close();
      throw error;
    }
  }

  private constructor(parts: {
    readonly options: PlaceOptions;
    readonly control: PostgresConnection;
    readonly connections: readonly PostgresConnection[];
    readonly id: string;
    readonly database: string;
  }) {
    this.#options = parts.options;
    this.#control = parts.control;
    this.connections = parts.connections;
    this.#id = parts.id;
    this.database = parts.database;
  }

  async probe(): Promise<void> {
    await this.#control.rows('SELECT 1');
  }

  async commit(): Promise<string | undefined> {
    const { address, plan, overwrite, keepUndo, clock, timeoutMs } = this.#options;
    await this.#check();
    for (const connection of this.connections) await connection.close();
    const state = await this.#stateOfTarget();
    if (state === 'filled' && (plan.mode === 'fresh' || !overwrite)) {
      throw new HoldfastError('target.exists', { message: `${address.label} was filled while it was restored` });
    }
    const isKept = state === 'filled' && keepUndo;
    const away = sideName(address.database, isKept ? 'undo' : 'old', this.#id);
    await swapDatabases({
      control: this.#control,
      address,
      from: this.database,
      ...(state === 'missing' ? {} : { away: { name: away, kind: isKept ? 'undo' : 'old' } }),
      atMs: clock.nowMs(),
      isForced: overwrite,
      timeoutMs,
    });
    this.#isDone = true;
    await this.#tidyUp(away).finally(() => this.#control.close());
    return isKept ? away : undefined;
  }

  async abort(): Promise<void> {
    for (const connection of this.connections) await connection.stop();
    if (this.#isDone) return;
    this.#isDone = true;
    try {
      // After a swap whose answer was lost there is none of this name.
      await dropDatabase(this.#control, this.database, this.#options.plan.server.major);
    } finally {
      await this.#control.close();
    }
  }

  /** The server itself says whether what it made can be used. */
  async #check(): Promise<void> {
    const rows = await this.connections[0]?.rows(
      `SELECT i.indexrelid::regclass::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
       WHERE NOT i.indisvalid AND c.oid >= 16384 LIMIT 1`,
    );
    const [invalid] = rows ?? [];
    if (invalid === undefined) return;
    throw new HoldfastError('target.invalid', { message: `the index ${String(invalid['name'])} was not completed` });
  }

  async #stateOfTarget(): Promise<'missing' | 'empty' | 'filled'> {
    const { address, timeoutMs } = this.#options;
    try {
      const connection = await PostgresConnection.open(address, { timeoutMs });
      try {
        return (await isEmptyDatabase(connection)) ? 'empty' : 'filled';
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (serverFailure(error)?.code === '3D000') return 'missing';
      throw error;
    }
  }

  /** Removes what is not kept. One undo is kept: the newest. What a failure leaves here, the next restore removes. */
  async #tidyUp(away: string): Promise<void> {
    const { address, plan } = this.#options;
    for (const side of await findSides(this.#control, address.database)) {
      const isNewest = side.name === away;
      const isOurs = side.kind === 'old' && isNewest;
      // Without an undo of its own, a restore leaves the one that is there.
      const isOlderUndo = side.kind === 'undo' && !isNewest && away.includes('__holdfast_undo_');
      if (isOurs || isOlderUndo) await dropDatabase(this.#control, side.name, plan.server.major).catch(() => undefined);
    }
  }
}

/** Removes what restores have left that were ended from outside. */
async function removeStale(control: PostgresConnection, database: string, major: number): Promise<void> {
  for (const side of await findSides(control, database)) {
    if (side.kind === 'undo' || (await isAtWork(control, side.id))) continue;
    await dropDatabase(control, side.name, major);
  }
}
