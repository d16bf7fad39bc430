import { z } from 'zod';
import { placeholders, unknownPlaceholders } from './archive-name.ts';
import { drillSchema, drillSettingNames } from './drill-settings.ts';
import { hookSettingNames, hooksSchema } from './hook-settings.ts';
import { logSchema } from './log-settings.ts';
import { mediaSchema, mediaSettingNames } from './media-settings.ts';
import { applicationModelShape, checkApplicationModels } from './model-settings.ts';
import { nearestName } from './nearest-name.ts';
import { notificationSchema, notificationSettingNames } from './notification-settings.ts';
import { protectionSchema, protectionSettingNames } from './protection-settings.ts';
import { queueSchema, queueSettingNames } from './queue-settings.ts';
import { retentionSchema } from './retention-settings.ts';
import { scheduleOverrideSchema, scheduleSchema } from './schedule-settings.ts';
import { scrubSchema, scrubSettingNames } from './scrub-settings.ts';
import { storageSchema, storageSettingNames } from './storage-settings.ts';
import { webSchema, webSettingNames } from './web-settings.ts';

/** A name becomes a folder in the archive and a part of file names. */
const nameSchema = z
  .string()
  .regex(/^[^/\0]+$/, 'must not be empty or hold a /')
  .refine((name) => name !== '.' && name !== '..');

const formatSchema = z.enum(['holdfast', 'plain']);

const databaseSchema = z.strictObject({
  /** The database's name in archives. */
  alias: nameSchema,
  /** Such as `sqlite:shop.db`. */
  url: z.string().min(1),
  /** When it is backed up by itself, into archives of its own, and not with the others. */
  scheduleOverride: scheduleOverrideSchema.optional(),
  /** `false` leaves it out of backups. */
  enabled: z.boolean().optional(),
  /** `plain`: a file of its own, that the engine's tools restore without Holdfast; that of the configuration unless set. */
  format: formatSchema.optional(),
  /** Globs on tables, with their schema where the engine has such (`public.*`): all unless set. */
  includeTables: z.array(z.string().min(1)).optional(),
  /** Globs on tables to leave out of those. */
  excludeTables: z.array(z.string().min(1)).optional(),
  /** Reads it as models, which any engine takes back: `{}` for all of them. */
  models: z
    .strictObject({
      /** Globs on models that are left out, besides sessions and caches. */
      excludeModels: z.array(z.string().min(1)).optional(),
      /** For a model, a condition in the SQL of its database: only rows that fit are read. */
      where: z.record(z.string(), z.string().min(1)).optional(),
    })
    .optional(),
  /** `copy`, table by table, unless set; `dump` leaves it to the engine's own tool. */
  method: z.enum(['copy', 'dump']).optional(),
  /** More options for the engine's own dump tool. */
  extraOptions: z.array(z.string().min(1)).optional(),
  /** Connections that read: 2 unless set. */
  connections: z.int().min(1).max(64).optional(),
  /** Whether the roles of the server are kept too. */
  roles: z.boolean().optional(),
  /** How long a lock or a silent server is waited for: 60,000 unless set. */
  timeoutMs: z.int().min(1).optional(),
});

const commandSchema = z.strictObject({
  /** The name of its output in archives. */
  alias: nameSchema,
  /** The program and its arguments; no shell is used. */
  command: z.array(z.string()).min(1),
  /** `false` leaves it out of backups. */
  enabled: z.boolean().optional(),
  /** Names of environment variables that it gets, for passwords. */
  environment: z.array(z.string().min(1)).optional(),
  /** A text near the end of every output that is complete. */
  endMark: z.string().min(1).optional(),
  /** The least that a complete output has: 1 unless set. */
  minimumSizeBytes: z.int().min(0).optional(),
  /** How long it may run: a day unless set. */
  timeoutMs: z.int().min(1).optional(),
});

const filesSchema = z.strictObject({
  path: z.string().min(1),
  /** The tree's name in archives: its folder's unless set. */
  name: nameSchema.optional(),
});

const modelsSchema = z.strictObject(applicationModelShape).superRefine(checkApplicationModels);

const historySchema = z
  .strictObject({
    /** A file of SQLite; `.holdfast/history.db` beside the configuration unless set. */
    path: z.string().min(1).optional(),
    /** A database of PostgreSQL that all machines share: `postgres://user:${PASSWORD}@host/database`. */
    url: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'must be a URL that begins with postgres://')
      .optional(),
    /** The schema of its tables there, one for each configuration; `holdfast` unless set. It is made where it is missing. */
    schema: z.string().min(1).max(63).optional(),
  })
  .superRefine(({ path, url, schema }, context) => {
    if (path !== undefined && url !== undefined)
      context.addIssue({ code: 'custom', message: 'path and url are both set: the history is in one place' });
    if (schema !== undefined && url === undefined)
      context.addIssue({ code: 'custom', path: ['schema'], message: 'a schema is of a history with a url' });
  });

/** Without these two, one archive would take the place of another. */
const requiredPlaceholders = ['database', 'timestamp'] as const;

const templateSchema = z
  .string()
  .min(1)
  .superRefine((template, context) => {
    for (const name of requiredPlaceholders) {
      if (!template.includes(`{${name}}`))
        context.addIssue({ code: 'custom', message: `it must have {${name}} in it` });
    }
    for (const name of unknownPlaceholders(template)) {
      const nearest = nearestName(name, placeholders);
      const advice = nearest === undefined ? `there are ${placeholders.join(', ')}` : `did you mean {${nearest}}?`;
      context.addIssue({ code: 'custom', message: `there is no placeholder {${name}} (${advice})` });
    }
  });

/** What a configuration file may say. Unknown settings are errors. */
export const configSchema = z.strictObject({
  /** For editors: the schema that `holdfast config schema` prints. */
  $schema: z.string().optional(),
  /** `false`: commands that act by the configuration refuse to. */
  enabled: z.boolean().optional(),
  /** Databases to back up. */
  databases: z.array(databaseSchema).optional(),
  /** What the application says of the models in these databases. */
  models: modelsSchema.optional(),
  /** Programs whose output is backed up. */
  commands: z.array(commandSchema).optional(),
  /** Folders to back up: paths, or paths with names. */
  files: z.array(z.union([z.string().min(1), filesSchema])).optional(),
  /** Where the application keeps the files of its users, by names: each is backed up as a tree of files. */
  media: mediaSchema.optional(),
  /** Where archives go: one storage, or several by name; the folder `backups` unless set. */
  storage: storageSchema.optional(),
  /** Lays archives over several storages: `{ spread: { data: 3, parity: 2 } }`. */
  protection: protectionSchema.optional(),
  /** When `holdfast serve` makes backups. */
  schedule: scheduleSchema.optional(),
  /** Where jobs wait for their turn: `memory` unless set. */
  queue: queueSchema.optional(),
  /** Whether each storage keeps a signed catalogue of what was put there and removed: `true` unless set. */
  catalogue: z.boolean().optional(),
  /** How backups are proven by restoring them. */
  drill: drillSchema.optional(),
  /** How archives are kept whole on their storages. */
  scrub: scrubSchema.optional(),
  /** How `holdfast serve` logs. */
  log: logSchema.optional(),
  /** Where runs are recorded. */
  history: historySchema.optional(),
  /** The web admin of `holdfast serve`, and of `createHandler` where it sets nothing else. */
  web: webSchema.optional(),
  /** Which archives are kept. */
  retention: retentionSchema.optional(),
  /** Names of archives, with `{database}`, `{timestamp}` and `{env}`; what follows, such as `.holdfast`, is added. */
  filenameTemplate: templateSchema.optional(),
  /** What `{env}` stands for: $NODE_ENV or `default` unless set. */
  environment: z.string().min(1).optional(),
  /** How databases are kept: in one archive (`holdfast`), unless set, or each in a file of its own (`plain`). */
  format: formatSchema.optional(),
  /** `zstd` unless set; of plain dumps `gzip`. */
  compression: z.enum(['zstd', 'gzip', 'bz2', 'xz', 'none']).optional(),
  /** `aes-256-gcm` unless set. */
  encryption: z.enum(['aes-256-gcm', 'none']).optional(),
  /** The passphrase of the archives, such as `${BACKUP_ENCRYPTION_KEY}`; $HOLDFAST_PASSPHRASE and the command line go before it. */
  encryptionKey: z.string().min(1).optional(),
  /** Files of OpenPGP public keys that plain dumps are encrypted to. */
  openpgpKeys: z.array(z.string().min(1)).optional(),
  /** age recipients who can open the archives. */
  recipients: z.array(z.string().startsWith('age1', 'must be an age recipient (age1…)')).optional(),
  /** How much of a table may be gone since the archive before until the new one is suspect: 50 unless set. */
  allowedFallPercent: z.int().min(0).max(100).optional(),
  /** Functions or commands around backups and restores. */
  hooks: hooksSchema.optional(),
  /** Who is told, and how. */
  notifications: z.array(notificationSchema).optional(),
  /** Whether a backup that went well is told: `false` unless set. */
  notifyOnSuccess: z.boolean().optional(),
  /** Whether all else is told: `true` unless set. */
  notifyOnFailure: z.boolean().optional(),
  /** A URL that goes into each notification: where to look. */
  notificationLink: z
    .string()
    .regex(/^https?:\/\//, 'must be a URL that begins with https://')
    .optional(),
  /** How often an archive holds everything: 2 unless set. */
  copies: z.int().min(1).max(8).optional(),
});

/** A configuration, as `holdfast.config.ts` exports it. */
export type HoldfastConfig = z.input<typeof configSchema>;

/** Names of the settings that stand at the top of a configuration. */
export const topSettingNames: readonly string[] = Object.keys(configSchema.shape);

/** Every name that a setting can have, for suggestions. */
export const settingNames: readonly string[] = [
  ...topSettingNames,
  ...[databaseSchema, commandSchema, filesSchema].flatMap((schema) => Object.keys(schema.shape)),
  ...drillSettingNames,
  ...scrubSettingNames,
  ...hookSettingNames,
  ...notificationSettingNames,
  ...webSettingNames,
  ...[retentionSchema, scheduleSchema, historySchema, logSchema, modelsSchema].flatMap((schema) =>
    Object.keys(schema.shape),
  ),
  ...protectionSettingNames,
  ...queueSettingNames,
  ...storageSettingNames,
  ...mediaSettingNames,
];
