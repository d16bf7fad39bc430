import { link, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../../disk/sync-folder.ts';
import { statsIfThere } from '../staging.ts';
import { systemCode } from '../system-error.ts';

/** Files that SQLite keeps beside a database, and would apply to whatever stands under its name. */
export const sidecars = ['-wal', '-shm', '-journal'] as const;

/** What takes the place of what. */
export interface DatabaseSwap {
  /** The file that goes in place. */
  readonly path: string;
  readonly place: string;
  /** The name that what stands there gets. */
  readonly undo: string;
  /** Whether a database stands there. */
  readonly replaces: boolean;
  readonly keepUndo: boolean;
}

/**
 * Puts a database file in place by one rename. Files beside the old one go first, since SQLite would apply them to the new one; the old
 * one gets a second name, so that at no moment the name is empty. Returns whether something was kept.
 */
export async function swapDatabase(swap: DatabaseSwap): Promise<boolean> {
  const { path, place, undo, replaces, keepUndo } = swap;
  const moved: string[] = [];
  try {
    for (const suffix of sidecars) {
      if ((await statsIfThere(`${place}${suffix}`)) === undefined) continue;
      await rename(`${place}${suffix}`, `${undo}${suffix}`);
      moved.push(suffix);
    }
    if (replaces && keepUndo) await keepAs(place, undo);
    await syncFolder(dirname(place));
    await rename(path, place);
  } catch (error) {
    for (const suffix of moved) await rename(`${undo}${suffix}`, `${place}${suffix}`);
    throw error;
  }
  await syncFolder(dirname(place));
  if (keepUndo) return replaces || moved.length > 0;
  for (const suffix of moved) await rm(`${undo}${suffix}`, { force: true });
  return false;
}

/** Gives a file a second name; where the file system has no links, moves it. */
async function keepAs(path: string, undo: string): Promise<void> {
  try {
    await link(path, undo);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(systemCode(error))) throw error;
    await rename(path, undo);
  }
}
