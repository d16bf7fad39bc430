import { type DiscoveredModel, tableLabel } from './discovered-model.ts';

/** Tables of sessions, as their stores name them: connect-pg-simple, connect-session-sequelize, Lucia, Auth.js, Laravel, Django, Rails. */
const sessionTables = /^(user_?)?sessions?$|^(django|http|express|web|auth|app)_?sessions?$/i;

/** Tables of caches, as frameworks and libraries name them. */
const cacheTables = /^(django_|app_|http_)?cache(s|_entries|_items|_locks)?$|^query-result-cache$/i;

/** What only a store of things that pass has. */
const sessionColumns = /^(expires?|expir(y|ation)|expires?_?(at|on|date)|expire_date|last_activity)$/i;
const cacheColumns = /^(expires?|expir(y|ation)|expires?_?(at|on|date)|duration|ttl)$/i;

/** Why a model is left out though nobody asked for it. */
export type DefaultExclusion = 'sessions' | 'cache';

/**
 * Whether a table holds only what passes by itself: sessions or a cache. The name alone does not say so (a school has sessions too): it must have a
 * column for when its rows end, and no other table may refer to it. The bookkeeping of migrations is none of these, and is kept.
 */
export function defaultExclusion(
  model: DiscoveredModel,
  models: readonly DiscoveredModel[],
): DefaultExclusion | undefined {
  const label = tableLabel(model.table);
  const isReferenced = models.some((other) =>
    other.relations.some(({ references }) => tableLabel(references.table) === label),
  );
  if (isReferenced) return undefined;
  const hasColumn = (pattern: RegExp) => model.fields.some(({ column }) => pattern.test(column));
  if (sessionTables.test(model.table.name) && hasColumn(sessionColumns)) return 'sessions';
  if (cacheTables.test(model.table.name) && hasColumn(cacheColumns)) return 'cache';
  return undefined;
}
