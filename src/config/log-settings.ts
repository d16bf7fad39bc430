import { z } from 'zod';
import { logFormats, logLevels } from '../log/log.ts';

/** How a process that runs for long logs, on its stderr. */
export const logSchema = z.strictObject({
  /** Lines that matter less are not written: `info` unless set. */
  level: z.enum(logLevels).optional(),
  /** `text` unless set; `json`: an object on each line. */
  format: z.enum(logFormats).optional(),
});

/** The same as a type. */
export type LogSettings = z.input<typeof logSchema>;
