import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { isSystemError } from '../../disk/system-error.ts';
import type { StorageAdapter, StoragePlace } from '../storage-adapter.ts';
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

/** A folder by its real path, as far as it is there. */
export function localPlace(path: string): StoragePlace {
  let rest = '';
  for (let real = path; ; real = dirname(real)) {
    try {
      return { service: '', folder: join(realpathSync(real), rest) };
    } catch (error) {
      if (!isSystemError(error) || dirname(real) === real) return { service: '', folder: path };
      rest = join(basename(real), rest);
    }
  }
}

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
  placeOf: ({ path }, { folder }) => localPlace(resolve(folder, path)),
};
