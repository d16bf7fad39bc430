import type { TableName } from '../model-description.ts';
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
export function nameOf(model: unknown): string {
  if (typeof model === 'string') return model;
  if (typeof model === 'function') return model.name === '' ? 'a class without a name' : model.name;
  if (typeof model !== 'object' || model === null) return `a ${model === null ? 'null' : typeof model}`;
  const { options, name } = model as { options?: { name?: unknown }; name?: unknown };
  return [options?.name, name, delegateName(model)].find((one) => typeof one === 'string') ?? 'a model without a name';
}

/** One text for a table: PostgreSQL's default schema is none. */
function placeOf({ schema = 'public', name }: TableName): string {
  return JSON.stringify([schema, name]);
}

/**
 * The discovered model that a registration is for: by its class, schema or table object; by name, by table, or by schema and table. Undefined where there is
 * none.
 *
 * @throws `config.invalid` where there is more than one.
 */
export function findModel(
  discovered: readonly DiscoveredModel[],
  described: readonly OrmModel[],
  { model }: ModelRegistration,
  file: string,
): DiscoveredModel | undefined {
  const name = givenName(model);
  const tables = new Set(described.filter(({ sources }) => sources.includes(model)).map(({ table }) => placeOf(table)));
  const rules: readonly ((candidate: DiscoveredModel) => boolean)[] =
    typeof name === 'string'
      ? [
          (candidate) => candidate.name === name,
          (candidate) => tableLabel(candidate.table) === name,
          (candidate) => candidate.table.name === name,
        ]
      : [(candidate) => tables.has(placeOf(candidate.table))];
  for (const rule of rules) {
    const [first, second] = discovered.filter(rule);
    if (first === undefined) continue;
    if (second === undefined) return first;
    const labels = [first, second].map(({ table }) => tableLabel(table)).join(' and ');
    throw registryError(file, `the name ${String(name)} fits ${labels}`, 'give the table with its schema');
  }
  return undefined;
}

/** The same; throws `config.invalid` where there is none as well. */
export function resolveModel(
  discovered: readonly DiscoveredModel[],
  described: readonly OrmModel[],
  registration: ModelRegistration,
  file: string,
): DiscoveredModel {
  const found = findModel(discovered, described, registration, file);
  if (found !== undefined) return found;
  const name = givenName(registration.model);
  const hint =
    typeof name === 'string'
      ? suggest(
          name,
          discovered.map((candidate) => candidate.name),
        )
      : 'set `models: { orm, schema }` in the configuration to the schema that has it, or register it by name';
  throw registryError(file, `the model ${nameOf(registration.model)} is not in the database or its schema`, hint);
}

/** The name that a registration gives, itself or by a delegate; else what it gives. */
function givenName(model: unknown): unknown {
  return typeof model === 'object' && model !== null ? delegateName(model) : model;
}
