import { type Model, tableKey } from './model.ts';

/**
 * The place of each model among the others, by table: a model comes after those that its foreign keys name. Those of a circle share a
 * level as if the circle were not closed; what comes first of them is checked when all are there.
 */
export function dependencyLevels(models: readonly Model[]): ReadonlyMap<string, number> {
  const byTable = new Map(models.map((model) => [tableKey(model.table), model]));
  const levels = new Map<string, number>();
  const open = new Set<string>();
  // Depth is that of the relations, which may be long: no recursion.
  for (const first of byTable.keys()) {
    const stack = [first];
    while (stack.length > 0) {
      const key = stack.at(-1) ?? '';
      const parents = (byTable.get(key)?.foreignKeys ?? [])
        .map(({ references }) => tableKey(references.table))
        .filter((parent) => parent !== key && byTable.has(parent));
      if (!open.has(key) && !levels.has(key)) {
        open.add(key);
        stack.push(...parents.filter((parent) => !levels.has(parent) && !open.has(parent)));
        continue;
      }
      stack.pop();
      if (levels.has(key)) continue;
      open.delete(key);
      levels.set(key, Math.max(0, ...parents.map((parent) => (levels.get(parent) ?? -1) + 1)));
    }
  }
  return levels;
}
