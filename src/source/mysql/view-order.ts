import type { SchemaObject } from './schema-object.ts';
import { quoteName } from './sql-text.ts';

/**
 * The same objects with each view behind those that its statement names. A placeholder serves a view that only reads another one; one
 * WITH CHECK OPTION wants the other as it is. A name that is also that of a column only makes the order stricter.
 */
export function viewsInOrder(objects: readonly SchemaObject[]): SchemaObject[] {
  const views = new Map(objects.filter(({ kind }) => kind === 'view').map((view) => [view.name, view]));
  const ordered = new Set<SchemaObject>();
  const begun = new Set<SchemaObject>();
  const names = [...views.keys()].map((name) => ({ name, quoted: quoteName(name) }));
  const visit = (view: SchemaObject) => {
    if (begun.has(view)) return;
    begun.add(view);
    for (const { name, quoted } of names) {
      const used = view.statement.includes(quoted) ? views.get(name) : undefined;
      if (used !== undefined) visit(used);
    }
    ordered.add(view);
  };
  for (const view of views.values()) visit(view);
  const next = ordered.values();
  return objects.map((object) => (object.kind === 'view' ? (next.next().value ?? object) : object));
}
