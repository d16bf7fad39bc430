import type { Stats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { isRunning } from './process-life.ts';
import { isSystemError } from './system-error.ts';

/** The process that made something temporary, as its name tells. */
export interface Owner {
  readonly processId: number;
  /** Whether the number was given on this host and in this container, so that the process can be asked. */
  readonly isHere: boolean;
}

/** What {@link stalePaths} looks for. */
export interface StaleOptions {
  /** Whose a name is; undefined for a name that is none of those looked for. */
  readonly ownerOf: (name: string) => Owner | undefined;
  /** After this long without a change it is stale though its process seems to run: numbers are given again. */
  readonly staleAfterMs: number;
  readonly clock: Clock;
}

/** Something that a dead process left. */
export interface StalePath {
  readonly path: string;
  /** Its own: a link is not followed. */
  readonly stats: Stats;
}

/**
 * What dead processes left in a folder: their number is free, or, where that cannot be told (another host or container, or the number
 * was given again), nothing was changed there for long. The caller removes it. Throws errors of the system as they are.
 */
export async function* stalePaths(folder: string, options: StaleOptions): AsyncGenerator<StalePath> {
  for await (const { name } of await opendir(folder)) {
    const owner = options.ownerOf(name);
    if (owner === undefined) continue;
    const path = join(folder, name);
    const stats = await statsUnlessGone(path);
    if (stats === undefined) continue;
    const isDead = owner.isHere && !isRunning(owner.processId);
    if (isDead || options.clock.nowMs() - stats.mtimeMs > options.staleAfterMs) yield { path, stats };
  }
}

async function statsUnlessGone(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    // Another run removed it first.
    if (isSystemError(error) && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
