import { systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { systemRandom } from '../../random.ts';
import type { DatabaseTargetOptions } from '../database-options.ts';
import type { RestorableEntry, RestoreTarget, TargetChange } from '../target.ts';
import { type MysqlAddress, parseMysqlUrl } from './mysql-address.ts';
import { MysqlConnection } from './mysql-connection.ts';
import { mysqlTargetError } from './mysql-error.ts';
import { RestoreSession } from './restore-session.ts';
import { checkTarget, type TargetState } from './target-state.ts';

const defaultTimeoutMs = 60_000;
const defaultConnections = 2;
const phases: Readonly<Record<string, number>> = {
  database: 0,
  sequence: 0,
  package: 2,
  'package body': 3,
  function: 4,
  procedure: 4,
  view: 5,
  trigger: 6,
  event: 6,
};
const tablePhase = 1;

/**
 * A database of MySQL or MariaDB to be restored: filled in a database beside it and checked, then put in place by one statement that moves all
 * tables. What was there is kept in a database beside it, from which `holdfast undo` brings it back. Where only some tables are restored, only
 * these change places.
 */
export class MysqlTarget implements RestoreTarget {
  readonly parallelEntries: number;
  readonly #options: DatabaseTargetOptions;
  readonly #address: MysqlAddress;
  readonly #timeoutMs: number;
  #state: TargetState | undefined;
  #session: Promise<RestoreSession> | undefined;

  constructor(options: DatabaseTargetOptions) {
    if (options.mode === 'transaction') {
      throw new HoldfastError('usage.invalid', {
        message: 'MySQL and MariaDB do not make tables within a transaction: there is no mode transaction',
        hint: 'leave the mode out: all tables change places by one statement',
      });
    }
    this.#options = options;
    this.#address = parseMysqlUrl(options.url);
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    this.parallelEntries = options.connections ?? defaultConnections;
  }

  /** What hangs on tables comes after all of them. */
  phaseOf(entry: RestorableEntry): number {
    if (entry.kind !== 'schema') return tablePhase;
    return phases[String(entry.metadata['object'])] ?? tablePhase;
  }

  async plan(entries: readonly RestorableEntry[]): Promise<TargetChange> {
    const { overwrite = false, keepUndo = true, mode = 'swap' } = this.#options;
    return await this.#inTermsOfTarget(async () => {
      const control = await this.#connect();
      try {
        const options = { address: this.#address, overwrite, keepUndo, mode };
        this.#state = await checkTarget(control, entries, options);
        return this.#state.change;
      } finally {
        await control.close();
      }
    });
  }

  async stage(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#inTermsOfTarget(async () => {
      this.#session ??= this.#begin();
      const session = await this.#session;
      await session.stage(entry, bytes);
    });
  }

  async commit(): Promise<TargetChange> {
    return await this.#inTermsOfTarget(async () => {
      if (this.#session === undefined) {
        throw new HoldfastError('target.invalid', { message: `nothing was staged for ${this.#address.label}` });
      }
      const session = await this.#session;
      const change = await session.commit();
      await session.close();
      this.#session = undefined;
      return change;
    });
  }

  async abort(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    this.#session = undefined;
    await session?.abort();
  }

  async #begin(): Promise<RestoreSession> {
    const state = this.#state;
    if (state === undefined) throw new HoldfastError('target.invalid', { message: 'a restore is planned first' });
    const control = await this.#connect();
    try {
      return await RestoreSession.begin({
        control,
        connect: () => this.#connect(),
        state,
        address: this.#address,
        connections: this.parallelEntries,
        timeoutMs: this.#timeoutMs,
        overwrite: this.#options.overwrite ?? false,
        keepUndo: this.#options.keepUndo ?? true,
        clock: this.#options.clock ?? systemClock,
        random: this.#options.random ?? systemRandom,
      });
    } catch (error) {
      await control.close();
      throw error;
    }
  }

  async #connect(): Promise<MysqlConnection> {
    return await MysqlConnection.open(this.#address, { timeoutMs: this.#timeoutMs, database: null });
  }

  async #inTermsOfTarget<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw mysqlTargetError(error, { what: this.#address.label });
    }
  }
}
