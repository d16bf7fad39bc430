import { claimTarget, connectControl } from './control-connection.ts';
import { clearDatabase } from './database-contents.ts';
import { PostgresConnection } from './postgres-connection.ts';
import { ReplacedTables } from './replace-tables.ts';
import type { RestorePlace } from './restore-place.ts';
import { newId, restoreName } from './side-names.ts';
import type { PlaceOptions } from './side-place.ts';

/** The target itself, within one transaction: until it ends, and where it does not, everything is as it was. */
export class TransactionPlace implements RestorePlace {
  readonly connections: readonly PostgresConnection[];
  readonly isInTransaction = true;
  readonly database: string;
  readonly #control: PostgresConnection;
  readonly #replaced: ReplacedTables | undefined;

  static async begin(options: PlaceOptions): Promise<TransactionPlace> {
    const { address, plan, timeoutMs } = options;
    const applicationName = restoreName(newId(options.random));
    const control = await connectControl(address, { timeoutMs, applicationName });
    let connection: PostgresConnection | undefined;
    try {
      await claimTarget(control, address);
      connection = await PostgresConnection.open(address, { timeoutMs });
      await connection.run('BEGIN');
      const replaced = plan.isRowsOnly && plan.tables.length > 0;
      if (!plan.isRowsOnly) await clearDatabase(connection, plan.server.major);
      return new TransactionPlace({
        control,
        connection,
        replaced: replaced ? await ReplacedTables.begin(connection, plan.tables) : undefined,
        database: address.database,
      });
    } catch (error) {
      await connection?.stop();
      await control.close();
      throw error;
    }
  }

  private constructor(parts: {
    readonly control: PostgresConnection;
    readonly connection: PostgresConnection;
    readonly replaced: ReplacedTables | undefined;
    readonly database: string;
  }) {
    this.connections = [parts.connection];
    this.#control = parts.control;
    this.#replaced = parts.replaced;
    this.database = parts.database;
  }

  async probe(): Promise<void> {
    await this.#control.rows('SELECT 1');
  }

  async commit(): Promise<undefined> {
    const [connection] = this.connections;
    await this.#replaced?.finish();
    await connection?.work('COMMIT');
    await connection?.close();
    await this.#control.close();
  }

  async abort(): Promise<void> {
    for (const connection of this.connections) await connection.stop();
    await this.#control.close();
  }
}
