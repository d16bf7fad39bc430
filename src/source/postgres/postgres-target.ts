import { systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { systemRandom } from '../../random.ts';
import type { DatabaseTargetOptions } from '../database-options.ts';
import type { RestorableEntry, RestoreTarget, TargetChange } from '../target.ts';
import { connectControl } from './control-connection.ts';
import { type PostgresAddress, parsePostgresUrl } from './postgres-address.ts';
import { postgresTargetError } from './postgres-error.ts';
import { RestoreSession } from './restore-session.ts';
import { planTarget, type TargetPlan } from './target-plan.ts';

const defaultTimeoutMs = 60_000;
const defaultConnections = 2;
const phases: Readonly<Record<string, number>> = { 'pre-data': 1, sequences: 3, 'post-data': 4 };

/**
 * A database of PostgreSQL to be restored. Whole, it is filled beside the target and takes its place by one transaction of the server; what was
 * there is kept, and `holdfast undo` brings it back. Rows of tables alone, and with the mode `transaction` all, are replaced within one transaction.
 */
export class PostgresTarget implements RestoreTarget {
  readonly #options: DatabaseTargetOptions;
  readonly #address: PostgresAddress;
  readonly #timeoutMs: number;
  #plan: TargetPlan | undefined;
  /** Entries that have been planned and not staged. */
  #awaited = new Set<string>();
  #session: Promise<RestoreSession> | undefined;

  constructor(options: DatabaseTargetOptions) {
    this.#options = options;
    this.#address = parsePostgresUrl(options.url);
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  }

  /** As many tables as there are connections; in one transaction there is one. */
  get parallelEntries(): number {
    return this.#plan?.mode === 'transaction' ? 1 : (this.#options.connections ?? defaultConnections);
  }

  /** Roles, definitions, rows, sequences, then what relies on rows. */
  phaseOf({ kind, metadata }: RestorableEntry): number {
    if (kind === 'roles') return 0;
    return kind === 'schema' ? (phases[String(metadata['object'])] ?? 1) : 2;
  }

  async plan(entries: readonly RestorableEntry[]): Promise<TargetChange> {
    const { mode, overwrite = false, keepUndo = true } = this.#options;
    const address = this.#address;
    const timeoutMs = this.#timeoutMs;
    return await this.#inTermsOfTarget(async () => {
      const control = await connectControl(address, { timeoutMs, applicationName: 'holdfast' });
      try {
        this.#plan = await planTarget(entries, { control, address, mode, overwrite, keepUndo, timeoutMs });
        this.#awaited = new Set(entries.map(({ path }) => path));
        return this.#plan.change;
      } finally {
        await control.close();
      }
    });
  }

  async stage(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#inTermsOfTarget(async () => {
      this.#session ??= this.#begin();
      const session = await this.#session;
      // A table without rows may come before the definitions that make it.
      if (entry.kind === 'table' && entry.sizeBytes === 0 && entry.metadata['rows'] === 0) for await (const _ of bytes);
      else await session.stage(entry, bytes);
      this.#awaited.delete(entry.path);
    });
  }

  async commit(): Promise<TargetChange> {
    return await this.#inTermsOfTarget(async () => {
      const session = await this.#session;
      const [missing] = this.#awaited;
      if (session === undefined || missing !== undefined) {
        const message =
          missing === undefined ? `nothing was staged for ${this.#address.label}` : `${missing} was not staged`;
        throw new HoldfastError('target.invalid', { message });
      }
      const change = await session.commit();
      this.#session = undefined;
      return change;
    });
  }

  async abort(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    this.#session = undefined;
    await this.#inTermsOfTarget(async () => await session?.abort());
  }

  async #begin(): Promise<RestoreSession> {
    const plan = this.#plan;
    if (plan === undefined) throw new HoldfastError('target.invalid', { message: 'a restore is planned first' });
    const { overwrite = false, keepUndo = true, connections = defaultConnections } = this.#options;
    const { clock = systemClock, random = systemRandom } = this.#options;
    const address = this.#address;
    return await RestoreSession.begin({
      address,
      plan,
      connections,
      overwrite,
      keepUndo,
      timeoutMs: this.#timeoutMs,
      clock,
      random,
    });
  }

  async #inTermsOfTarget<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw postgresTargetError(error, this.#address.label);
    }
  }
}
