import type { FieldDescription } from '../model-description.ts';
import type { ModelRegistration } from './define-backup.ts';
import type { DiscoveredField, DiscoveredModel } from './discovered-model.ts';
import type { FieldKind } from './field-kind.ts';
import { registryError, suggest } from './registry-error.ts';

/** A field and how its column goes into a backup. */
export interface PlannedField extends FieldDescription {
  readonly kind: FieldKind;
}

/** What a field is unless something is said. */
export const plainValue: FieldKind = { kind: 'value' };

/**
 * A model's field, by its name or else by its column.
 *
 * @throws `config.invalid` where there is none.
 */
export function resolveField(model: DiscoveredModel, name: string, file: string): DiscoveredField {
  const found = model.fields.find((field) => field.name === name) ?? model.fields.find(({ column }) => column === name);
  if (found !== undefined) return found;
  const names = model.fields.map((field) => field.name);
  throw registryError(file, `${model.name} has no field ${name}`, suggest(name, names));
}

function checkKind(field: DiscoveredField, kind: FieldKind, place: string, context: PlanContext): void {
  const { file, storages } = context;
  if (kind.kind === 'file' && storages !== undefined && !storages.includes(kind.storage)) {
    throw registryError(file, `${place}: there is no media storage ${kind.storage}`, suggest(kind.storage, storages));
  }
  if (kind.kind !== 'exclude') return;
  if (field.primaryKey === true) {
    throw registryError(file, `${place} is part of the primary key and cannot be left out`, 'leave it a value');
  }
  const given = kind.value ?? null;
  if (given === null && field.nullable === false && field.hasDefault !== true) {
    throw registryError(
      file,
      `${place} is NOT NULL, and a restore would have nothing to put there`,
      "say what: exclude({ value: '' })",
    );
  }
}

/** Where a registration stands, and what there is. */
export interface PlanContext {
  readonly file: string;
  /** Names of the configuration's media storages; not checked where undefined. */
  readonly storages: readonly string[] | undefined;
}

/** The fields of a model, each with its kind. */
export function planFields(
  model: DiscoveredModel,
  registration: ModelRegistration,
  context: PlanContext,
): PlannedField[] {
  const kinds = new Map<string, FieldKind>();
  for (const [name, kind] of Object.entries(registration.fields)) {
    if (kind === undefined) continue;
    const field = resolveField(model, name, context.file);
    const place = `${model.name}.${field.name}`;
    if (kinds.has(field.column)) {
      throw registryError(context.file, `${place} is named twice`, 'name it once, by its field or by its column');
    }
    checkKind(field, kind, place, context);
    kinds.set(field.column, kind);
  }
  return model.fields.map(({ name, column }) => ({ name, column, kind: kinds.get(column) ?? plainValue }));
}
