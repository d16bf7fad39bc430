import type { Kysely } from 'kysely';

/** A user of the web admin. */
export interface UserTable {
  /** In small letters: two names that differ in their case are one. */
  readonly name: string;
  readonly role: string;
  /** Argon2id, as a PHC string; null until the user has set one by a link. */
  readonly password: string | null;
  readonly created_ms: number;
  /** The key of the second factor, sealed; `totp_pending` until it was tried once. */
  readonly totp_secret: string | null;
  readonly totp_pending: string | null;
  /** The last step of time whose code was taken: none is taken twice. */
  readonly totp_step: number | null;
  /** JSON: SHA-256 of each code that is left, hex. */
  readonly recovery_codes: string | null;
}

/** Somebody who logged in. */
export interface SessionTable {
  /** SHA-256 of the cookie, hex: who reads the table cannot use it. */
  readonly token_hash: string;
  readonly user_name: string;
  /** `open`, or `code` while the second factor is awaited. */
  readonly state: string;
  readonly created_ms: number;
  readonly seen_ms: number;
}

/** A token of the API. */
export interface TokenTable {
  readonly id: string;
  /** SHA-256, hex. */
  readonly token_hash: string;
  readonly label: string;
  readonly user_name: string;
  /** The role of its maker then; what it may do is also bounded by his role now. */
  readonly role: string;
  /** With spaces between. */
  readonly scopes: string;
  readonly created_ms: number;
  readonly expires_ms: number;
  readonly used_ms: number | null;
}

/** Who did what. */
export interface AuditTable {
  readonly id: string;
  readonly time_ms: number;
  readonly user_name: string;
  readonly address: string;
  readonly action: string;
  readonly subject: string;
  /** `done`, `refused`, or an error's code. */
  readonly outcome: string;
}

/** Tries that failed, for a while. */
export interface AttemptTable {
  readonly key: string;
  readonly count: number;
  readonly until_ms: number;
}

/** A link that lets somebody set a password, once. */
export interface SetupLinkTable {
  /** SHA-256, hex. */
  readonly token_hash: string;
  /** Null: whoever has it becomes the first admin. */
  readonly user_name: string | null;
  readonly expires_ms: number;
}

/** The tables of the web admin. */
export interface AccessTables {
  readonly web_user: UserTable;
  readonly web_session: SessionTable;
  readonly web_token: TokenTable;
  readonly web_audit: AuditTable;
  readonly web_attempt: AttemptTable;
  readonly web_setup_link: SetupLinkTable;
}

/** Makes the tables; may be begun again. */
export async function createAccessTables({ schema }: Pick<Kysely<AccessTables>, 'schema'>): Promise<void> {
  await schema
    .createTable('web_user')
    .ifNotExists()
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('role', 'text', (column) => column.notNull())
    .addColumn('password', 'text')
    .addColumn('created_ms', 'bigint', (column) => column.notNull())
    .addColumn('totp_secret', 'text')
    .addColumn('totp_pending', 'text')
    .addColumn('totp_step', 'bigint')
    .addColumn('recovery_codes', 'text')
    .execute();
  await schema
    .createTable('web_session')
    .ifNotExists()
    .addColumn('token_hash', 'text', (column) => column.primaryKey())
    .addColumn('user_name', 'text', (column) => column.notNull().references('web_user.name').onDelete('cascade'))
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('created_ms', 'bigint', (column) => column.notNull())
    .addColumn('seen_ms', 'bigint', (column) => column.notNull())
    .execute();
  await schema
    .createTable('web_token')
    .ifNotExists()
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('token_hash', 'text', (column) => column.notNull().unique())
    .addColumn('label', 'text', (column) => column.notNull())
    .addColumn('user_name', 'text', (column) => column.notNull())
    .addColumn('role', 'text', (column) => column.notNull())
    .addColumn('scopes', 'text', (column) => column.notNull())
    .addColumn('created_ms', 'bigint', (column) => column.notNull())
    .addColumn('expires_ms', 'bigint', (column) => column.notNull())
    .addColumn('used_ms', 'bigint')
    .execute();
  await schema
    .createTable('web_audit')
    .ifNotExists()
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('time_ms', 'bigint', (column) => column.notNull())
    .addColumn('user_name', 'text', (column) => column.notNull())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('action', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('outcome', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('web_audit_time').ifNotExists().on('web_audit').column('time_ms').execute();
  await schema
    .createTable('web_attempt')
    .ifNotExists()
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('count', 'integer', (column) => column.notNull())
    .addColumn('until_ms', 'bigint', (column) => column.notNull())
    .execute();
  await schema
    .createTable('web_setup_link')
    .ifNotExists()
    .addColumn('token_hash', 'text', (column) => column.primaryKey())
    .addColumn('user_name', 'text', (column) => column.references('web_user.name').onDelete('cascade'))
    .addColumn('expires_ms', 'bigint', (column) => column.notNull())
    .execute();
}
