import type { Clock } from '../clock.ts';
import type { Random } from '../random.ts';
import type { Secret } from '../secret.ts';
import type { ModelSettings } from './model/model-settings.ts';

/** What every source of a database server takes. */
export interface DatabaseSourceOptions {
  /** `postgres://user:password@host:port/database?sslmode=…`, `mysql://…`, `mariadb://…`: it may hold a password. */
  readonly url: Secret;
  /** The name under `databases/` in the archive; that of the database unless set. */
  readonly name?: string;
  /** Globs on table names, with the schema where the engine has such; a name without a schema means any. All tables unless set. */
  readonly includeTables?: readonly string[];
  /** Takes away from what is included. */
  readonly excludeTables?: readonly string[];
  /** Reads the database as models, which any engine takes back; as the engine's own tools do unless set. */
  readonly models?: ModelSettings;
  /** `copy` (rows table by table) unless set; `dump` leaves all to the engine's own tool. */
  readonly method?: 'copy' | 'dump';
  /** More options of the engine's dump tool. */
  readonly extraOptions?: readonly string[];
  /** Connections that read rows; 2 unless set. */
  readonly connections?: number;
  /** Roles too, which belong to the whole server; false unless set. */
  readonly roles?: boolean;
  /** How long a lock, a connection or a silent server is waited for, in milliseconds; 60,000 unless set. */
  readonly timeoutMs?: number;
}

/**
 * How a restore takes the place of what is there. `transaction`: in one transaction of the database itself. `swap`: in a database made beside it,
 * checked, then renamed into its place; what was there is kept as the undo. `fresh`: into a database that must be empty, or is created.
 */
export type RestoreMode = 'transaction' | 'swap' | 'fresh';

/** What every target in a database server takes. */
export interface DatabaseTargetOptions {
  readonly url: Secret;
  /** Decided by what is restored unless set. */
  readonly mode?: RestoreMode;
  /** Lets what is there be replaced; false unless set. */
  readonly overwrite?: boolean;
  /** Keeps what is replaced; true unless set. */
  readonly keepUndo?: boolean;
  readonly connections?: number;
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}
