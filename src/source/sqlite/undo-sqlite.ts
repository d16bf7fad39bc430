import { rename } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemClock } from '../../clock.ts';
import { syncFolder } from '../../disk/sync-folder.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { UndoChange, UndoOptions } from '../engine.ts';
import { newestUndo, statsIfThere, undoPath } from '../staging.ts';
import { targetError } from '../system-error.ts';
import { foldJournals, probeUse } from './fold-journals.ts';
import { realPlace } from './real-place.ts';
import { sidecars, swapDatabase } from './swap-database.ts';

/**
 * Brings back the database that the newest restore of `path` kept, by one rename; what stands there is kept in its turn. The application
 * should be stopped, as for a restore. Throws `target.no_undo`, `target.busy`.
 */
export async function undoSqlite(path: string, options: Omit<UndoOptions, 'url'>): Promise<UndoChange> {
  const target = resolve(path);
  throwIfAborted(options.signal);
  try {
    const place = await realPlace(target);
    const kept = await newestUndo(place);
    if (kept === undefined) {
      throw new HoldfastError('target.no_undo', {
        message: `beside ${target} nothing is kept that a restore replaced`,
        context: { target },
      });
    }
    const undo = await undoPath(place, options.clock ?? systemClock);
    const replaces = (await statsIfThere(place)) !== undefined;
    if (replaces) (options.dryRun === true ? probeUse : foldJournals)(place);
    const change = { target, restored: kept, ...(replaces ? { undo } : {}) };
    if (options.dryRun === true) return change;
    await swapDatabase({ path: kept, place, undo, replaces, keepUndo: true });
    // A database too damaged to be opened kept its journals. They come after it: the one that stood there must not see them.
    for (const suffix of sidecars) {
      if ((await statsIfThere(`${kept}${suffix}`)) !== undefined) await rename(`${kept}${suffix}`, `${place}${suffix}`);
    }
    await syncFolder(dirname(place));
    return change;
  } catch (error) {
    throw targetError(error, target);
  }
}
