import { copyFile, link, lstat, mkdir, readdir, readlink, rename, symlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { systemClock } from '../../clock.ts';
import { syncFolder } from '../../disk/sync-folder.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { systemRandom } from '../../random.ts';
import type { UndoChange, UndoOptions } from '../engine.ts';
import { joinBytes } from '../safe-path.ts';
import { newestUndo, partialPath, removeStalePartials, removeTree, statsIfThere, undoPath } from '../staging.ts';
import { targetError } from '../system-error.ts';
import { applyLinkMetadata, metadataOf } from './apply-metadata.ts';
import { anchorOf } from './file-tree-target.ts';
import { findReplaced, type NodeKind, StagedTree } from './staged-tree.ts';
import { TreeCommit } from './tree-commit.ts';

/**
 * Puts the files back that the newest restore of a tree replaced; those that stand there are kept in their turn. What that restore
 * added stays. A failure takes everything back. After a crash each file is the old one or the new one, whole, and both are still
 * kept. Throws `target.no_undo`.
 */
export async function undoFiles(path: string, options: Omit<UndoOptions, 'url'>): Promise<UndoChange> {
  const target = resolve(path);
  const clock = options.clock ?? systemClock;
  throwIfAborted(options.signal);
  try {
    const anchor = await anchorOf(target);
    const kept = await newestUndo(anchor);
    if (kept === undefined) {
      throw new HoldfastError('target.no_undo', {
        message: `beside ${target} nothing is kept that a restore replaced`,
        context: { target },
      });
    }
    const undo = await undoPath(anchor, clock);
    if (options.dryRun === true) return { target, restored: kept, undo };
    await removeStalePartials(anchor, clock);
    const partial = partialPath(anchor, options.random ?? systemRandom);
    try {
      await mkdir(partial, { mode: 0o700 });
      const keepsSome = await putBack(Buffer.from(kept), target, { partial, undo });
      // Both are whole until here: what was brought back is a second name of what is kept.
      await rename(kept, join(partial, 'done'));
      await syncFolder(dirname(anchor));
      return { target, restored: kept, ...(keepsSome ? { undo } : {}) };
    } finally {
      await removeTree(partial);
    }
  } catch (error) {
    throw targetError(error, target);
  }
}

/** Returns whether something was there that is kept now. */
async function putBack(
  kept: Buffer,
  target: string,
  paths: { readonly partial: string; readonly undo: string },
): Promise<boolean> {
  const tree = new StagedTree();
  const staged = Buffer.from(join(paths.partial, 'tree'));
  // A target that is a file is kept as the one file of the folder.
  const single = joinBytes(kept, Buffer.from(basename(target)));
  const isFolder = (await statsIfThere(target))?.isDirectory() ?? (await statsIfThere(single))?.isDirectory() !== false;
  await stageCopy(isFolder ? kept : single, staged, [], tree);
  const { root } = tree;
  if (root === undefined) throw new HoldfastError('target.no_undo', { message: `${kept} is empty` });
  const place = Buffer.from(target);
  const replaced = await findReplaced(root, place);
  const commit = new TreeCommit({ undoPath: paths.undo, changesFolders: true });
  try {
    await commit.keep(replaced, basename(target));
    await commit.place(root, staged, place);
    await syncFolder(dirname(target));
  } catch (error) {
    await commit.rollBack(error);
    throw error;
  }
  return replaced.length > 0;
}

/** Gives everything below `from` a second name below `to`, and lists it in `tree`. */
async function stageCopy(from: Buffer, to: Buffer, segments: readonly Buffer[], tree: StagedTree): Promise<void> {
  const stats = await lstat(from);
  const kind: NodeKind = stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'symlink' : 'file';
  if (kind !== 'directory') tree.add(segments, kind, from.toString('utf8'), {});
  if (kind === 'file') return await secondName(from, to);
  if (kind === 'symlink') {
    await symlink(await readlink(from, { encoding: 'buffer' }), to);
    return await applyLinkMetadata(to, metadataOf(stats));
  }
  await mkdir(to, { mode: 0o700 });
  for (const name of await readdir(from, { encoding: 'buffer' })) {
    await stageCopy(joinBytes(from, name), joinBytes(to, name), [...segments, name], tree);
  }
}

/** Where the file system has no links, a copy. */
async function secondName(from: Buffer, to: Buffer): Promise<void> {
  try {
    await link(from, to);
  } catch {
    await copyFile(from, to);
  }
}
