import { z } from 'zod';
import type { HookFunction } from '../hook/hooks.ts';

const commandHook = z.strictObject({
  /** The program and its arguments; no shell is used. */
  command: z.array(z.string()).min(1),
  /** Names of environment variables that it gets. */
  environment: z.array(z.string().min(1)).optional(),
  /** How long it may run: an hour unless set. */
  timeoutMs: z.int().min(1).optional(),
});

/** A function, the words of a command, or a command with its settings. */
const hookSchema = z
  .union([
    z.custom<HookFunction>((value) => typeof value === 'function', 'must be a function, or the words of a command'),
    z.array(z.string()).min(1),
    commandHook,
  ])
  .optional();

/** A hook as a configuration has it. */
export type HookSetting = z.output<typeof hookSchema>;

/** What runs before and after backups and restores of this configuration. */
export const hooksSchema = z.strictObject({
  /** Before anything is read: when it fails, nothing is backed up. */
  beforeBackup: hookSchema,
  /** After every backup, whatever became of it. */
  afterBackup: hookSchema,
  /** Before anything is written: when it fails, nothing is restored. */
  beforeRestore: hookSchema,
  /** After every restore, whatever became of it. */
  afterRestore: hookSchema,
});

/** Every name that a setting of a hook can have. */
export const hookSettingNames: readonly string[] = [
  ...Object.keys(hooksSchema.shape),
  ...Object.keys(commandHook.shape),
];
