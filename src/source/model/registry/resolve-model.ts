import type { OrmModel } from '../orm/orm-model.ts';
import type { ModelRegistration } from './define-backup.ts';
import { type DiscoveredModel, tableLabel } from './discovered-model.ts';
import { registryError, suggest } from './registry-error.ts';

/** A delegate of Prisma tells the name of its model. */
function delegateName(model: object): string | undefined {
  const { $name: name } = model as { $name?: unknown };
  return typeof name === 'string' ? name : undefined;
}

/** How a model is called in messages. */
function nameOf(model: unknown): string {
  if (typeof model === 'string') return model;
  if (typeof model === 'function') return model.name === '' ? 'a class without a name' : model.name;
  if (typeof model !== 'object' || model === null) return `a ${model === null ? 'null' : typeof model}`;
  const { options, name } = model as { options?: { name?: unknown }; name?: unknown };
  return [options?.name, name, delegateName(model)].find((one) => typeof one === 'string') ?? 'a model without a name';
}

/**
 * The discovered model that a registration is for: by its class, schema or table object; by name, by table, or by schema and table.
 *
 * @throws `config.invalid` where there is none, or more than one.
 */
export function resolveModel(
  discovered: readonly DiscoveredModel[],
  described: readonly OrmModel[],
  { model }: ModelRegistration,
  file: string,
): DiscoveredModel {
  const name = typeof model === 'object' && model !== null ? delegateName(model) : model;
  const tables = new Set(
    described.filter(({ sources }) => sources.includes(model)).map(({ table }) => tableLabel(table)),
  );
  const rules: readonly ((candidate: DiscoveredModel) => boolean)[] =
    typeof name === 'string'
      ? [
          (candidate) => candidate.name === name,
          (candidate) => tableLabel(candidate.table) === name,
          (candidate) => candidate.table.name === name,
        ]
      : [(candidate) => tables.has(tableLabel(candidate.table))];
  for (const rule of rules) {
    const [first, second] = discovered.filter(rule);
    if (first === undefined) continue;
    if (second === undefined) return first;
    const labels = [first, second].map(({ table }) => tableLabel(table)).join(' and ');
    throw registryError(file, `the name ${String(name)} fits ${labels}`, 'give the table with its schema');
  }
  const hint =
    typeof name === 'string'
      ? suggest(
          name,
          discovered.map((candidate) => candidate.name),
        )
      : 'set `models: { orm, schema }` in the configuration to the schema that has it, or register it by name';
  throw registryError(file, `the model ${nameOf(model)} is not in the database or its schema`, hint);
}
