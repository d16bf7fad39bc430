import { z } from 'zod';
import type { DrillFunction, GivenCheck } from '../policy/drill-check.ts';
import { scheduleOverrideSchema } from './schedule-settings.ts';

const valueSchema = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const sqlCheckSchema = z.strictObject({
  /** The alias of the database; it may be left out where an archive has only one. */
  database: z.string().min(1).optional(),
  /** One statement, that only reads. */
  sql: z.string().min(1),
  /** The first value of its first row, bounds of that, or all its rows. */
  expect: z.union([
    valueSchema,
    z.strictObject({ atLeast: z.number().optional(), atMost: z.number().optional() }),
    z.array(z.array(valueSchema)),
  ]),
});

const checkSchema = z.union([
  z.custom<DrillFunction>((value) => typeof value === 'function', 'must be a function, or have sql and expect'),
  sqlCheckSchema,
]);

/** How backups are proven by restoring them. */
export const drillSchema = z.strictObject({
  /** `false`: no drill runs by itself, and `doctor` asks for none. */
  enabled: z.boolean().optional(),
  /** When drills run by themselves; never unless set. */
  schedule: scheduleOverrideSchema.optional(),
  /** Servers for the databases that drills make, one for each kind of database; those of the databases themselves unless set. */
  url: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
  /** What has to hold of what was restored: statements with what they give, or functions. */
  checks: z.array(checkSchema).optional(),
  /** After so many days without a drill `doctor` warns: 30 unless set. */
  maxAgeDays: z.int().min(1).max(3650).optional(),
  /** Folder for SQLite databases and files meanwhile; the system's unless set. */
  temporaryFolder: z.string().min(1).optional(),
  /** How long a drill of one archive may take: a day unless set. */
  timeoutMinutes: z.int().min(1).max(43_200).optional(),
  /** How long one check may take: 60 unless set. */
  checkTimeoutSeconds: z.int().min(1).max(86_400).optional(),
  /** Files with age identities, for archives that are sealed for recipients. */
  identityFiles: z.array(z.string().min(1)).optional(),
  /** Files of OpenPGP secret keys, for plain dumps that are encrypted to such. */
  openpgpKeys: z.array(z.string().min(1)).optional(),
});

/** Every name that a setting of drills can have. */
export const drillSettingNames: readonly string[] = [
  ...Object.keys(drillSchema.shape),
  ...Object.keys(sqlCheckSchema.shape),
  'atLeast',
  'atMost',
];

/** The checks of a configuration, as they are run. */
export function givenChecks(settings: z.output<typeof drillSchema> | undefined): readonly GivenCheck[] {
  return settings?.checks ?? [];
}
