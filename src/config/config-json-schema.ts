import { z } from 'zod';
import { configSchema } from './config-schema.ts';
import { mediaJsonSchema } from './media-settings.ts';
import { archiveStorageJsonSchemas } from './storage-settings.ts';

/** JSON Schema (draft 2020-12) of a configuration, for editors of `holdfast.config.json`. What only a program can write is left open. */
export function configJsonSchema(): object {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' });
  const one = { anyOf: archiveStorageJsonSchemas() };
  const several = { type: 'object', minProperties: 1, additionalProperties: one };
  const media = { type: 'object', additionalProperties: mediaJsonSchema() };
  const properties = {
    ...schema.properties,
    media,
    storage: { anyOf: [one, several] },
    $schema: { type: 'string' },
  };
  return { ...schema, title: 'holdfast.config', properties };
}
