/** Tables of sessions and caches of well-known frameworks, which a backup of an application does without. Migrations' bookkeeping is kept. */
export const defaultExclusions: readonly string[] = [
  'session',
  'sessions',
  'user_session',
  'user_sessions',
  'django_session',
  'cache',
  'caches',
  'cache_locks',
  'django_cache',
  'rails_cache',
  'solid_cache_entries',
  'knex_session',
  'express_sessions',
];

/** Whether the rows of a table are left out unless they are asked for by name. */
export function isExcludedByDefault(table: string): boolean {
  return defaultExclusions.includes(table.toLowerCase());
}
