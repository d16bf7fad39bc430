import { glob } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HoldfastError } from '../../../errors.ts';
import { importModule } from '../import-module.ts';
import { isRegistration } from './define-backup.ts';
import type { FoundRegistration } from './merge-registry.ts';
import { registryError } from './registry-error.ts';

/** Where registrations are looked for unless set: beside any code of the application. */
export const defaultRegistryGlobs: readonly string[] = ['**/*.backup.ts', '**/*.backup.js', '**/*.backup.mjs'];

/** Folders of others' code, and of what a build made of the same registrations. */
const skippedFolders = new Set(['node_modules', '.git', 'dist', 'build', 'out', 'coverage']);

/** Settings of {@link loadRegistrations}. */
export interface LoadRegistrationsOptions {
  /** Globs from the folder on; {@link defaultRegistryGlobs} unless set, without `node_modules`, `dist`, `build`, `out` and `coverage`. */
  readonly registry?: readonly string[];
  /** How long each file may take to load: 30,000 unless set. */
  readonly timeoutMs?: number;
}

/** The files that globs find below a folder, in the order of their names. A glob of the user's that finds nothing is a mistake. */
export async function findRegistrationFiles(folder: string, globs?: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const pattern of globs ?? defaultRegistryGlobs) {
    let count = 0;
    // Depending on the version of Node it is asked with names or with paths.
    const exclude = (entry: string) => globs === undefined && skippedFolders.has(basename(entry));
    for await (const path of glob(pattern, { cwd: folder, exclude })) {
      count++;
      found.add(path.replaceAll('\\', '/'));
    }
    if (globs !== undefined && count === 0) {
      throw new HoldfastError('config.invalid', {
        message: `models.registry: no file fits ${pattern}`,
        hint: 'globs start from the folder of the configuration, such as src/**/*.backup.ts',
      });
    }
  }
  return [...found].sort();
}

/**
 * The registrations that the `*.backup.ts` of a folder export, under whichever names.
 *
 * @throws `config.invalid` for a file that cannot be loaded, and for one that exports no registration.
 */
export async function loadRegistrations(
  folder: string,
  options: LoadRegistrationsOptions = {},
): Promise<FoundRegistration[]> {
  const registrations: FoundRegistration[] = [];
  for (const file of await findRegistrationFiles(folder, options.registry)) {
    const found = new Set(
      Object.values(await importModule(join(folder, file), options.timeoutMs)).filter(isRegistration),
    );
    if (found.size === 0) {
      throw registryError(
        file,
        'it exports no registration',
        'export what defineBackup gives: `export default defineBackup(invoices, { … })`',
      );
    }
    for (const registration of found) registrations.push({ file, registration });
  }
  return registrations;
}
