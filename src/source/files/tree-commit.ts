import { link, lstat, mkdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../../disk/sync-folder.ts';
import { HoldfastError } from '../../errors.ts';
import { joinBytes } from '../safe-path.ts';
import { statsIfThere } from '../staging.ts';
import { systemCode } from '../system-error.ts';
import { applyLinkMetadata, finishFolder, metadataOf } from './apply-metadata.ts';
import { restoredMetadata } from './file-metadata.ts';
import { nameOfKey, type Replaced, type TreeNode } from './staged-tree.ts';

/** Lets its owner move a folder: its `..` is written when it changes parents. */
const movableMode = 0o700;

/**
 * Puts a staged tree in place. First everything that will be replaced gets a second name in the undo folder, durably; then
 * the staged files and new folders are renamed in, one rename for a folder that is not there yet. `rollBack` takes it all back.
 * After a crash in the middle each file is the old one or the new one, whole, and the old ones are in the undo folder.
 */
export class TreeCommit {
  readonly #undoPath: string;
  readonly #setsExistingFolders: boolean;
  /** How to take back what was done, oldest first. */
  readonly #reversals: (() => Promise<void>)[] = [];
  /** Their paths' bytes as Latin-1. */
  readonly #undoFolders = new Set<string>();

  constructor(options: { readonly undoPath: string; readonly setsExistingFolders: boolean }) {
    this.#undoPath = options.undoPath;
    this.#setsExistingFolders = options.setsExistingFolders;
  }

  /** Keeps what is to be replaced. `rootName` names it where the root itself is a file. */
  async keep(replaced: readonly Replaced[], rootName: string): Promise<void> {
    if (replaced.length === 0) return;
    await mkdir(this.#undoPath, { mode: 0o700 });
    this.#undoFolders.add(Buffer.from(this.#undoPath).toString('latin1'));
    this.#reversals.push(() => rm(this.#undoPath, { recursive: true, force: true }));
    for (const { place, segments, kind } of replaced) {
      const names = segments.length === 0 ? [Buffer.from(rootName)] : segments;
      const kept = names.reduce((path, name) => joinBytes(path, name), Buffer.from(this.#undoPath) as Buffer);
      await this.#makeUndoFolders(names.slice(0, -1));
      await (kind === 'symlink' ? copyLink(place, kept) : this.#keepFile(place, kept));
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
      this.#reversals.push(() => rename(place, staged));
      await finishFolder(place, metadata);
      return;
    }
    for (const [key, child] of node.children) {
      const name = nameOfKey(key);
      await this.place(child, joinBytes(staged, name), joinBytes(place, name));
    }
    if (!this.#setsExistingFolders || node.metadata === undefined) return syncFolder(place);
    this.#reversals.push(() => finishFolder(place, metadataOf(stats)));
    await finishFolder(place, metadata);
  }

  /** Puts everything back as it was, newest change first. */
  async rollBack(cause: unknown): Promise<void> {
    for (let reverse = this.#reversals.pop(); reverse !== undefined; reverse = this.#reversals.pop()) {
      try {
        await reverse();
      } catch (error) {
        const message = `a failed restore could not be taken back in full; what it replaced is in ${this.#undoPath}`;
        throw new HoldfastError('storage.failed', { message, cause: new AggregateError([cause, error]) });
      }
    }
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

async function copyLink(place: Buffer, kept: Buffer): Promise<void> {
  const stats = await lstat(place);
  await symlink(await readlink(place, { encoding: 'buffer' }), kept);
  await applyLinkMetadata(kept, metadataOf(stats));
}

/** Gives the folders of a staged tree their modes and times, deepest first: what comes later would change a time again. */
async function finishTree(node: TreeNode, staged: Buffer, extraMode = 0): Promise<void> {
  for (const [key, child] of node.children) {
    if (child.kind === 'directory') await finishTree(child, joinBytes(staged, nameOfKey(key)));
  }
  await finishFolder(staged, restoredMetadata(node.metadata ?? {}), extraMode);
}
