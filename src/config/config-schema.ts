import { z } from 'zod';

/** A name becomes a folder in the archive and a part of file names. */
const nameSchema = z
  .string()
  .regex(/^[^/\0]+$/, 'must not be empty or hold a /')
  .refine((name) => name !== '.' && name !== '..');

const databaseSchema = z.strictObject({
  /** The database's name in archives. */
  alias: nameSchema,
  /** Such as `sqlite:shop.db`. */
  url: z.string().min(1),
});

const filesSchema = z.strictObject({
  path: z.string().min(1),
  /** The tree's name in archives: its folder's unless set. */
  name: nameSchema.optional(),
});

const storageSchema = z.strictObject({
  backend: z.literal('local'),
  /** The folder that archives are written to. */
  path: z.string().min(1),
});

/** What a configuration file may say. Unknown settings are errors. */
export const configSchema = z.strictObject({
  /** Databases to back up. */
  databases: z.array(databaseSchema).optional(),
  /** Folders to back up: paths, or paths with names. */
  files: z.array(z.union([z.string().min(1), filesSchema])).optional(),
  /** Where archives go: the folder `backups` unless set. */
  storage: storageSchema.optional(),
  /** Names of archives, with `{database}`, `{timestamp}` and `{env}`; `.holdfast` is added. */
  filenameTemplate: z.string().min(1).optional(),
  /** What `{env}` stands for: $NODE_ENV or `default` unless set. */
  environment: z.string().min(1).optional(),
  /** `zstd` unless set. */
  compression: z.enum(['zstd', 'gzip', 'bz2', 'xz', 'none']).optional(),
  /** `aes-256-gcm` unless set. */
  encryption: z.enum(['aes-256-gcm', 'none']).optional(),
  /** age recipients who can open the archives. */
  recipients: z.array(z.string().startsWith('age1', 'must be an age recipient (age1…)')).optional(),
  /** How often an archive holds everything: 2 unless set. */
  copies: z.int().min(1).max(8).optional(),
});

/** A configuration, as `holdfast.config.ts` exports it. */
export type HoldfastConfig = z.input<typeof configSchema>;

/** Every name that a setting can have, for suggestions. */
export const settingNames: readonly string[] = [
  ...Object.keys(configSchema.shape),
  ...[databaseSchema, filesSchema, storageSchema].flatMap((schema) => Object.keys(schema.shape)),
];
