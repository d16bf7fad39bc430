import { z } from 'zod';
import { HoldfastError } from '../../errors.ts';
import type { LeftOut, Model, ModelEngine } from './model.ts';

/** What the entry of the kind `model-schema` says: the models of one database, as they were when their rows were read. */
export interface ModelSchema {
  readonly version: 1;
  readonly engine: ModelEngine;
  readonly engineVersion: string;
  readonly database: string;
  readonly models: readonly Model[];
  readonly leftOut: readonly LeftOut[];
}

const tableName = z.object({ schema: z.string().optional(), name: z.string() });
const names = z.array(z.string());
const key = z.object({ name: z.string(), columns: names });
const count = z.number().int().nonnegative();
const type = z.discriminatedUnion('kind', [
  z.object({ kind: z.enum(['boolean', 'date', 'interval', 'uuid', 'json', 'geometry', 'any', 'native']) }),
  z.object({
    kind: z.literal('integer'),
    bits: z.union([z.literal(8), z.literal(16), z.literal(24), z.literal(32), z.literal(64)]),
    isUnsigned: z.boolean(),
  }),
  z.object({ kind: z.literal('decimal'), precision: count.optional(), scale: z.number().int().optional() }),
  z.object({ kind: z.literal('float'), bits: z.union([z.literal(32), z.literal(64)]) }),
  z.object({ kind: z.enum(['text', 'bytes']), maximumLength: count.optional() }),
  z.object({ kind: z.enum(['time', 'timestamp']), precision: count, hasZone: z.boolean() }),
  z.object({ kind: z.literal('bits'), length: count.optional() }),
  z.object({ kind: z.literal('enum'), values: names, typeName: z.string().optional() }),
  z.object({ kind: z.literal('set'), values: names }),
]);
const column = z.object({
  name: z.string(),
  field: z.string().optional(),
  kind: z.enum(['value', 'file', 'filePath', 'exclude']).optional(),
  excluded: z.object({ value: z.string() }).optional(),
  type,
  nativeType: z.string(),
  isNullable: z.boolean(),
  defaultSql: z.string().optional(),
  identity: z
    .object({
      next: z
        .string()
        .regex(/^-?\d+$/)
        .optional(),
    })
    .optional(),
  generatedSql: z.string().optional(),
});
const action = z.enum(['CASCADE', 'SET NULL', 'SET DEFAULT', 'RESTRICT']);
const foreignKey = z.object({
  name: z.string(),
  columns: names,
  references: z.object({ table: tableName, columns: names }),
  onDelete: action.optional(),
  onUpdate: action.optional(),
  isSoft: z.boolean().optional(),
});
const model = z.object({
  name: z.string(),
  table: tableName,
  columns: z.array(column),
  primaryKey: key.optional(),
  uniqueKeys: z.array(key),
  foreignKeys: z.array(foreignKey),
  naturalKey: names.nonempty().optional(),
});
const schema = z.object({
  version: z.literal(1),
  engine: z.enum(['postgres', 'mysql', 'mariadb', 'sqlite']),
  engineVersion: z.string(),
  database: z.string(),
  models: z.array(model),
  leftOut: z.array(z.object({ name: z.string(), reason: z.string() })),
});

/** The bytes of the entry: JSON that people read, too. */
export function writeModelSchema(value: ModelSchema): Buffer {
  return Buffer.from(`${JSON.stringify(value, undefined, 1)}\n`);
}

/** Throws `archive.corrupt` for what no backup wrote, `archive.version_unsupported` for what a newer version did. */
export function readModelSchema(bytes: Uint8Array, path: string): ModelSchema {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new HoldfastError('archive.corrupt', { message: `${path} is not JSON`, cause });
  }
  const version = typeof json === 'object' && json !== null && 'version' in json ? json.version : undefined;
  if (typeof version === 'number' && version > 1) {
    throw new HoldfastError('archive.version_unsupported', { message: `${path} has the version ${version}` });
  }
  const parsed = schema.safeParse(json);
  // What is absent is absent: the parser puts no `undefined` into it.
  if (parsed.success) return parsed.data as ModelSchema;
  const [issue] = parsed.error.issues;
  throw new HoldfastError('archive.corrupt', {
    message: `${path}: ${issue?.path.join('.')}: ${issue?.message}`,
    context: { path },
  });
}
