import { z } from 'zod';
import { scheduleOverrideSchema } from './schedule-settings.ts';

/** How archives are kept whole on their storages. */
export const scrubSchema = z.strictObject({
  /** `false`: no scrub runs by itself. */
  enabled: z.boolean().optional(),
  /** When scrubs run by themselves; never unless set. */
  schedule: scheduleOverrideSchema.optional(),
  /** Whether an archive that one storage lacks is brought back from another: `true` unless set. */
  restoreMissing: z.boolean().optional(),
});

/** Every name that a setting of scrubs can have. */
export const scrubSettingNames: readonly string[] = Object.keys(scrubSchema.shape);
