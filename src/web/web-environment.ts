/** What a user of the web admin may do: look; run, verify and download too; change keys, users, delete and restore too. */
export type Role = 'viewer' | 'operator' | 'admin';

/** Who asks, as the access layer found out. */
export interface WebUser {
  readonly name: string;
  readonly role: Role;
}

/** What the access layer lays down for every page and every call of the API, before either runs. */
export interface WebVariables {
  readonly user: WebUser;
  /** Every form that changes something sends it back. */
  readonly csrfToken: string;
  /** Where the admin is mounted: `` or `/backups`, without a slash at its end. */
  readonly basePath: string;
  /** How the user was recognized: only with a session of ours can he log out here, and are there users to administer. */
  readonly way?: 'session' | 'token' | 'host' | 'proxy';
  /** Stands in the log and on pages that tell of an error. */
  readonly requestId: string;
}

/** The environment of the Hono applications below `src/web/`. */
export interface WebEnvironment {
  readonly Variables: WebVariables;
}
