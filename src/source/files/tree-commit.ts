import { constants, type Stats } from 'node:fs';
import { access, chmod, link, lstat, mkdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../../disk/sync-folder.ts';
import { HoldfastError } from '../../errors.ts';
import { joinBytes } from '../safe-path.ts';
import { statsIfThere } from '../staging.ts';
import { systemCode, systemReason } from '../system-error.ts';
import { applyLinkMetadata, finishFolder, metadataOf } from './apply-metadata.ts';
import { restoredMetadata } from './file-metadata.ts';
import { nameOfKey, type Replaced, type TreeNode } from './staged-tree.ts';

/** Lets its owner move a folder: its `..` is written when it changes parents. */
const movableMode = 0o700;

export interface TreeCommitOptions {
  /** Where what is replaced is kept. */
  readonly undoPath: string;
  /** Where it goes when it cannot be put back; there already unless set. */
  readonly lastingUndoPath?: string;
  /** Lets folders that are there be given the archive's metadata, and be written in where they are protected from their owner. */
  readonly changesFolders: boolean;
}

/**
 * Puts a staged tree in place. First everything that will be replaced gets a second name in the undo folder, durably; then
 * the staged files and new folders are renamed in, one rename for a folder that is not there yet. `rollBack` takes it all back.
 * After a crash in the middle each file is the old one or the new one, whole, and the old ones are in the undo folder.
 */
export class TreeCommit {
  readonly #undoPath: string;
  readonly #lastingUndoPath: string;
  readonly #changesFolders: boolean;
  /** How to take back what was done, oldest first. */
  readonly #reversals: (() => Promise<void>)[] = [];
  /** How folders that are there get back what they had, outermost first: once all in them is as it was. */
  readonly #closings: (() => Promise<void>)[] = [];
  /** Their paths' bytes as Latin-1. */
  readonly #undoFolders = new Set<string>();

  constructor({ undoPath, lastingUndoPath = undoPath, changesFolders }: TreeCommitOptions) {
    this.#undoPath = undoPath;
    this.#lastingUndoPath = lastingUndoPath;
    this.#changesFolders = changesFolders;
  }

  /** Keeps what is to be replaced. `rootName` names it where the root itself is a file. */
  async keep(replaced: readonly Replaced[], rootName: string): Promise<void> {
    if (replaced.length === 0) return;
    await mkdir(this.#undoPath, { mode: 0o700 });
    this.#undoFolders.add(Buffer.from(this.#undoPath).toString('latin1'));
    for (const { place, segments, kind } of replaced) {
      const names = segments.length === 0 ? [Buffer.from(rootName)] : segments;
      const kept = names.reduce((path, name) => joinBytes(path, name), Buffer.from(this.#undoPath) as Buffer);
      await this.#makeUndoFolders(names.slice(0, -1));
      if (kind === 'symlink') {
        const { ino } = await copyLink(place, kept);
        this.#reversals.push(async () => {
          // Where nothing took its place yet, it may lie in a folder that may not be written.
          if ((await statsIfThere(place))?.ino !== ino) await rename(kept, place);
        });
        continue;
      }
      await this.#keepFile(place, kept);
      // Where nothing took its place yet, the kept one is the same file, and the rename changes nothing.
      this.#reversals.push(() => rename(kept, place));
    }
    for (const folder of this.#undoFolders) await syncFolder(Buffer.from(folder, 'latin1'));
    await syncFolder(dirname(this.#undoPath));
  }

  /** Renames a node and what is below it into place. */
  async place(node: TreeNode, staged: Buffer, place: Buffer): Promise<void> {
    const stats = await statsIfThere(place);
    if (node.kind !== 'directory') {
      await rename(staged, place);
      if (stats === undefined) this.#reversals.push(() => rename(place, staged));
      return;
    }
    const metadata = restoredMetadata(node.metadata ?? {});
    if (stats === undefined) {
      await finishTree(node, staged, movableMode);
      await rename(staged, place);
      this.#reversals.push(async () => {
        await makeMovable(place);
        await rename(place, staged);
      });
      await finishFolder(place, metadata);
      return;
    }
    if (this.#changesFolders) this.#closings.push(() => giveBack(place, stats));
    const isOpened = this.#changesFolders && (await openOwn(place));
    for (const [key, child] of node.children) {
      const name = nameOfKey(key);
      await this.place(child, joinBytes(staged, name), joinBytes(place, name));
    }
    if (!this.#changesFolders) return syncFolder(place);
    this.#reversals.push(async () => void (await openOwn(place)));
    if (node.metadata !== undefined) return finishFolder(place, metadata);
    if (isOpened) await chmod(place, stats.mode & 0o7777);
    return syncFolder(place);
  }

  /** Puts everything back as it was, newest change first. What fails keeps no other from being put back. */
  async rollBack(cause: unknown): Promise<void> {
    const failures: unknown[] = [];
    for (const steps of [this.#reversals, this.#closings]) {
      for (let reverse = steps.pop(); reverse !== undefined; reverse = steps.pop()) {
        await reverse().catch((error: unknown) => failures.push(error));
      }
    }
    const keepsSome = this.#undoFolders.size > 0;
    this.#undoFolders.clear();
    try {
      if (keepsSome && failures.length === 0) await rm(this.#undoPath, { recursive: true, force: true });
      // What is staged is removed, and what lies in it.
      else if (keepsSome && this.#lastingUndoPath !== this.#undoPath) {
        await rename(this.#undoPath, this.#lastingUndoPath);
      }
    } catch (error) {
      failures.push(error);
    }
    if (failures.length === 0) return;
    const kept = keepsSome ? `; what it replaced is in ${this.#lastingUndoPath}` : '';
    const message = `a failed restore could not be taken back in full (${systemReason(failures[0])})${kept}; it failed: ${systemReason(cause)}`;
    throw new HoldfastError('storage.failed', { message, cause: new AggregateError([cause, ...failures]) });
  }

  async #makeUndoFolders(names: readonly Buffer[]): Promise<void> {
    let folder: Buffer = Buffer.from(this.#undoPath);
    for (const name of names) {
      folder = joinBytes(folder, name);
      const key = folder.toString('latin1');
      if (this.#undoFolders.has(key)) continue;
      await mkdir(folder, { mode: 0o700 });
      this.#undoFolders.add(key);
    }
  }

  /** A second name, so that the first is never empty; where the file system has no links, a move. */
  async #keepFile(place: Buffer, kept: Buffer): Promise<void> {
    try {
      await link(place, kept);
    } catch (error) {
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(systemCode(error))) throw error;
      await rename(place, kept);
    }
  }
}

/** Lets its owner move a folder, and change what is in it. */
async function makeMovable(folder: Buffer): Promise<void> {
  const { mode } = await lstat(folder);
  if ((mode & movableMode) !== movableMode) await chmod(folder, (mode & 0o7777) | movableMode);
}

/** Lets this user write in a folder of its own that is protected. Returns whether that was needed. */
async function openOwn(folder: Buffer): Promise<boolean> {
  if ((await lstat(folder)).uid !== process.getuid?.()) return false;
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return false;
  } catch (error) {
    if (systemCode(error) !== 'EACCES') throw error;
  }
  await makeMovable(folder);
  return true;
}

/** Gives a folder the metadata that it had. */
async function giveBack(folder: Buffer, stats: Stats): Promise<void> {
  try {
    await finishFolder(folder, metadataOf(stats));
    // Special bits, which no archive sets for this user.
    if ((await lstat(folder)).mode !== stats.mode) await chmod(folder, stats.mode & 0o7777);
  } catch (error) {
    // Of a folder of somebody else nothing could be set before either.
    const { mode, uid, gid } = await lstat(folder);
    if (mode !== stats.mode || uid !== stats.uid || gid !== stats.gid) throw error;
  }
}

async function copyLink(place: Buffer, kept: Buffer): Promise<Stats> {
  const stats = await lstat(place);
  await symlink(await readlink(place, { encoding: 'buffer' }), kept);
  await applyLinkMetadata(kept, metadataOf(stats));
  return stats;
}

/** Gives the folders of a staged tree their modes and times, deepest first: what comes later would change a time again. */
async function finishTree(node: TreeNode, staged: Buffer, extraMode = 0): Promise<void> {
  for (const [key, child] of node.children) {
    if (child.kind === 'directory') await finishTree(child, joinBytes(staged, nameOfKey(key)));
  }
  await finishFolder(staged, restoredMetadata(node.metadata ?? {}), extraMode);
}
