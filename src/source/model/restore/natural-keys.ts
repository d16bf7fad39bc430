import { HoldfastError } from '../../../errors.ts';
import type { Model } from '../model.ts';
import type { FieldPlan } from './restore-plan.ts';

/**
 * The columns by which rows of a model are known, whatever their numbers: what is said for this restore, else what the archive says. Reads
 * `user:email` and `permission:content_type_id,codename`, columns by their own or the application's names. Throws `usage.invalid`.
 */
export function naturalKeysOf(
  models: readonly Model[],
  texts: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const keys = new Map<string, readonly string[]>();
  for (const { name, naturalKey } of models) if (naturalKey !== undefined) keys.set(name, naturalKey);
  for (const text of texts) {
    // The name of a model may hold a colon, that of a column in a key hardly.
    const at = text.lastIndexOf(':');
    const model = models.find(({ name }) => name === text.slice(0, Math.max(0, at)));
    if (model === undefined) {
      throw invalid(text, 'write model:column, or model:column,column for a key of several columns');
    }
    const columns = text.slice(at + 1).split(',');
    keys.set(
      model.name,
      columns.map((wanted) => {
        const found =
          model.columns.find(({ name }) => name === wanted) ?? model.columns.find(({ field }) => field === wanted);
        if (found !== undefined) return found.name;
        throw invalid(text, `${model.name} has the columns ${model.columns.map(({ name }) => name).join(', ')}`);
      }),
    );
  }
  return keys;
}

function invalid(text: string, hint: string): HoldfastError {
  return new HoldfastError('usage.invalid', {
    message: `${JSON.stringify(text)} names no natural key of a model of the archive`,
    hint,
  });
}

/** The columns of the target that are the natural key there; undefined, with a problem, where they are no unique key. */
export function naturalKeyThere(
  { name, columns }: { readonly name: string; readonly columns: readonly string[] },
  { target, fields }: { readonly target: Model; readonly fields: readonly FieldPlan[] },
  problems: string[],
): readonly string[] | undefined {
  const found = columns.flatMap((column) => fields.find(({ source }) => source.name === column)?.target?.name ?? []);
  const wanted = [...new Set(found)].sort().join('\n');
  const keys = [...(target.primaryKey === undefined ? [] : [target.primaryKey]), ...target.uniqueKeys];
  const isUnique = keys.some((key) => key.columns.toSorted().join('\n') === wanted);
  if (found.length === columns.length && isUnique) return found;
  const known = target.uniqueKeys.map((key) => key.columns.join(',')).join(' and ');
  problems.push(
    `${name} has the natural key ${columns.join(', ')}, which is no unique key of the target${known === '' ? '' : ` (those are ${known})`}`,
  );
  return undefined;
}
