import { z } from 'zod';
import type { RetentionPolicy } from '../policy/retention.ts';
import type { HoldfastConfig } from './config-schema.ts';

const count = (minimum: number, maximum: number) => z.int().min(minimum).max(maximum).optional();

/** Which archives `holdfast prune` keeps: what any of the rules names. */
export const retentionSchema = z.strictObject({
  /** `false` removes nothing, by schedule or by command. */
  enabled: z.boolean().optional(),
  /** The newest so many; none unless set. */
  keepLast: count(0, 10_000),
  /** The newest of each of so many hours; none unless set. */
  keepHourly: count(0, 8784),
  /** The newest of each of so many days; 7 unless set. */
  keepDaily: count(1, 365),
  /** The newest of each of so many ISO weeks; 4 unless set. */
  keepWeekly: count(0, 52),
  /** The newest of each of so many months; 3 unless set. */
  keepMonthly: count(0, 24),
  /** The newest of each of so many years; none unless set. */
  keepYearly: count(0, 100),
  /** All that are younger: `36h`, `10d`, `2w`; none unless set. */
  keepWithin: z
    .string()
    .regex(/^\d{1,5}[hdw]$/, 'must be a number and h, d or w: 36h, 10d, 2w')
    .optional(),
  /** Most that the archives of a storage take, in MiB; the oldest go first. No limit unless set. */
  maxTotalSizeMb: z.int().min(1).optional(),
});

const unitsMs: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };
const mebibyte = 1024 * 1024;

/** The policy that a configuration sets; undefined where retention is not enabled. */
export function retentionPolicy({ retention = {} }: Pick<HoldfastConfig, 'retention'>): RetentionPolicy | undefined {
  if (retention.enabled === false) return undefined;
  const { keepWithin = '0h', maxTotalSizeMb } = retention;
  return {
    keepLast: retention.keepLast ?? 0,
    keepHourly: retention.keepHourly ?? 0,
    keepDaily: retention.keepDaily ?? 7,
    keepWeekly: retention.keepWeekly ?? 4,
    keepMonthly: retention.keepMonthly ?? 3,
    keepYearly: retention.keepYearly ?? 0,
    keepWithinMs: Number.parseInt(keepWithin, 10) * (unitsMs[keepWithin.at(-1) ?? ''] ?? 0),
    ...(maxTotalSizeMb === undefined ? {} : { maxTotalSizeBytes: maxTotalSizeMb * mebibyte }),
  };
}
