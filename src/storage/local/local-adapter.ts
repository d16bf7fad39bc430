import { resolve } from 'node:path';
import { z } from 'zod';
import type { StorageAdapter } from '../storage-adapter.ts';
import { LocalStorage } from './local-storage.ts';

/** Permission bits, as a number or in octal as `chmod` takes them. */
const modeSchema = z.union([
  z.int().min(0).max(0o777),
  z
    .string()
    .regex(/^0?[0-7]{3}$/, 'must be an octal mode such as 0640')
    .transform((text) => Number.parseInt(text, 8)),
]);

const localSettings = z.strictObject({
  backend: z.literal('local'),
  /** The folder that archives are written to. */
  path: z.string().min(1),
  /** Mode of the files: 0600 unless set. */
  filePermissionsMode: modeSchema.optional(),
  /** Mode of folders that are made: 0700 unless set. */
  directoryPermissionsMode: modeSchema.optional(),
});

/** A folder on this machine. */
export const localAdapter: StorageAdapter<typeof localSettings> = {
  backend: 'local',
  schema: localSettings,
  async open({ path, filePermissionsMode, directoryPermissionsMode }, { folder }) {
    return new LocalStorage({
      root: resolve(folder, path),
      ...(filePermissionsMode === undefined ? {} : { filePermissionsMode }),
      ...(directoryPermissionsMode === undefined ? {} : { directoryPermissionsMode }),
    });
  },
};
