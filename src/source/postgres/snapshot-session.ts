import { HoldfastError } from '../../errors.ts';
import { CopyLane } from './copy-lane.ts';
import type { PostgresAddress } from './postgres-address.ts';
import { PostgresConnection } from './postgres-connection.ts';
import { readVersion, type ServerVersion } from './server-version.ts';
import { measureTables, type SourceTable } from './table-list.ts';
import { beginMoment, takeMoment } from './take-moment.ts';

/** What a session is opened with. */
export interface SnapshotOptions {
  readonly address: PostgresAddress;
  readonly timeoutMs: number;
  readonly connections: number;
  readonly signal: AbortSignal | undefined;
  readonly isChosen: (table: SourceTable) => boolean;
  /** Statements that set more of how values are written, for every connection. */
  readonly settings?: string;
}

/**
 * One moment of a database: a transaction that holds a snapshot and locks against changes of definitions, and connections that read
 * rows in the same snapshot.
 */
export class SnapshotSession {
  readonly server: ServerVersion;
  readonly tables: readonly SourceTable[];
  /** What other transactions, and tools, take to see the same moment. */
  readonly snapshot: string;
  readonly encoding: string;
  readonly control: PostgresConnection;
  readonly lanes: readonly CopyLane[];

  static async open(options: SnapshotOptions): Promise<SnapshotSession> {
    const { address, timeoutMs, signal, connections, isChosen } = options;
    const connect = async () => {
      const connection = await PostgresConnection.open(address, { timeoutMs, signal });
      if (options.settings !== undefined) await connection.run(options.settings);
      return connection;
    };
    const control = await connect();
    const lanes: PostgresConnection[] = [];
    try {
      const server = await readVersion(control);
      const locker = await connect();
      lanes.push(locker);
      const listed = await takeMoment(locker, control, { isChosen, timeoutMs });
      lanes.pop();
      await locker.close();
      const [row] = await control.rows(`SELECT pg_export_snapshot() AS snapshot,
        pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = current_database()`);
      const encoding = String(row?.['encoding']);
      const snapshot = String(row?.['snapshot']);
      const tables = await measureTables(control, listed);
      for (let count = 0; count < connections; count += 1) {
        const lane = await connect();
        lanes.push(lane);
        // Bytes that are in no encoding cannot be converted to one.
        const raw = encoding === 'SQL_ASCII' ? `; SET client_encoding = 'SQL_ASCII'` : '';
        await lane.run(`${beginMoment(snapshot)}${raw}`);
      }
      return new SnapshotSession({ server, tables, snapshot, encoding, control, lanes });
    } catch (error) {
      for (const connection of [...lanes, control]) await connection.close();
      throw error;
    }
  }

  private constructor(parts: {
    readonly server: ServerVersion;
    readonly tables: readonly SourceTable[];
    readonly snapshot: string;
    readonly encoding: string;
    readonly control: PostgresConnection;
    readonly lanes: readonly PostgresConnection[];
  }) {
    this.server = parts.server;
    this.tables = parts.tables;
    this.snapshot = parts.snapshot;
    this.encoding = parts.encoding;
    this.control = parts.control;
    this.lanes = parts.lanes.map((connection) => new CopyLane(connection));
  }

  /** Asks a server that sends no rows whether it is still there: it may have much to read before the next one. */
  readonly probe = async (): Promise<void> => {
    try {
      await this.control.rows('SELECT 1');
    } catch (cause) {
      for (const lane of this.lanes) await lane.stop();
      throw new HoldfastError('source.unreadable', {
        message: 'the server fell silent while it was read',
        hint: 'check that the server runs and can be reached, then run it again',
        cause,
      });
    }
  };

  /** Ends the transaction and all connections. May be repeated. */
  async close(): Promise<void> {
    for (const lane of this.lanes) await lane.close();
    await this.control.close();
  }
}
