import { mkdir, realpath, rmdir, stat, symlink, utimes } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Clock, systemClock } from '../../clock.ts';
import { syncFolder } from '../../disk/sync-folder.ts';
import { HoldfastError } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import { joinBytes, safeSegments } from '../safe-path.ts';
import { heartbeatMs, partialPath, removeStalePartials, removeTree, statsIfThere, undoPath } from '../staging.ts';
import { SyncPool } from '../sync-pool.ts';
import { systemCode, targetError } from '../system-error.ts';
import type { RestorableEntry, RestoreTarget, TargetChange } from '../target.ts';
import { appliedMetadata, applyLinkMetadata, applyMetadata, defaultFileMode } from './apply-metadata.ts';
import { restoredMetadata, symlinkTarget } from './file-metadata.ts';
import { haveSameBytes, haveSameTarget } from './same-files.ts';
import { SmallFiles } from './small-files.ts';
import { StagedFile, StagingMemory } from './staged-file.ts';
import {
  existsError,
  findReplaced,
  leaveOut,
  type NodeKind,
  type Replaced,
  StagedTree,
  type TreeNode,
} from './staged-tree.ts';
import { TreeCommit } from './tree-commit.ts';
import { joinFiles, type SmallFileToWrite } from './write-small-files.ts';

/** Where a tree of files goes. */
export interface FileTreeTargetOptions {
  /** The folder, or the file, that the root becomes. */
  readonly rootPath: string;
  /** The root's path in the archive: `files/<name>`. */
  readonly prefix: string;
  /** Lets files that are there be replaced; false unless set. Files that the archive lacks stay either way. */
  readonly overwrite?: boolean;
  /** Leaves files alone that are there with the very same bytes, whether others may be replaced or not; false unless set. */
  readonly keepSame?: boolean;
  /** Keeps what is replaced beside it; true unless set. */
  readonly keepUndo?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** What is staged, and where. */
interface Staging {
  /** What the root path means once links to it are followed. */
  readonly place: string;
  readonly undo: string;
  /** A folder of this user only, on the same file system as `place`. */
  readonly partial: string;
  /** The uppermost folder that had to be made for it. */
  readonly firstMade: string | undefined;
}

function nodeKind(kind: string): NodeKind | undefined {
  return kind === 'directory' || kind === 'file' || kind === 'symlink' ? kind : undefined;
}

/**
 * A tree of files to be restored, or one file. A root that is not there appears with one rename. Into one that is there
 * files are merged: each is replaced whole, a failure on the way takes everything back, and what was replaced is kept.
 * Entries may come in any order. Folders inside the root that are other file systems make the commit fail, and be taken back.
 */
export class FileTreeTarget implements RestoreTarget {
  /** What waits for the disk in one file and what waits for a processor in another seldom come together. */
  readonly parallelEntries = 2;
  readonly #rootPath: string;
  readonly #prefix: Buffer;
  readonly #overwrite: boolean;
  readonly #keepSame: boolean;
  readonly #keepUndo: boolean;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tree = new StagedTree();
  readonly #syncs = new SyncPool();
  readonly #smallFiles = new SmallFiles();
  /** Of files that are done. */
  readonly #freeMemory: StagingMemory[] = [];
  #preparing: Promise<Staging> | undefined;
  #staging: Staging | undefined;
  #undo: string | undefined;
  #beatMs = 0;
  /** What stands in place and can be taken back. */
  #placed: { readonly commit: TreeCommit; readonly change: TargetChange } | undefined;

  constructor(options: FileTreeTargetOptions) {
    this.#rootPath = resolve(options.rootPath);
    this.#prefix = Buffer.from(options.prefix);
    this.#overwrite = options.overwrite ?? false;
    this.#keepSame = options.keepSame ?? false;
    this.#keepUndo = options.keepUndo ?? true;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
  }

  async plan(entries: readonly RestorableEntry[]): Promise<TargetChange> {
    const tree = new StagedTree();
    const sizes = new Map<string, number>();
    for (const entry of entries) {
      const kind = nodeKind(entry.kind);
      sizes.set(entry.path, entry.sizeBytes);
      if (kind !== undefined) tree.add(this.#segments(entry), kind, entry.path, entry.metadata);
    }
    this.#smallFiles.see(entries.length);
    if (tree.root === undefined) throw this.#nothing();
    try {
      const place = await this.#place();
      return await this.#change(tree.root, place, sizes);
    } catch (error) {
      throw targetError(error, this.#rootPath);
    }
  }

  async stage(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const kind = nodeKind(entry.kind);
    if (kind === undefined) return;
    const segments = this.#segments(entry);
    const nodes = this.#tree.add(segments, kind, entry.path, entry.metadata);
    try {
      this.#preparing ??= this.#prepare();
      const path = await this.#makeParents(nodes, segments, await this.#preparing);
      if (kind === 'file') await this.#stageFile(entry, path, bytes);
      if (kind === 'symlink') await stageLink(entry, path);
      await this.#beat();
    } catch (error) {
      throw targetError(error, this.#rootPath);
    }
  }

  isStagedTogether(entry: RestorableEntry): boolean {
    return entry.kind === 'file' && this.#smallFiles.isWorthIt;
  }

  async stageTogether(entries: readonly RestorableEntry[], bytes: Uint8Array): Promise<void> {
    try {
      this.#preparing ??= this.#prepare();
      const staging = await this.#preparing;
      const files: SmallFileToWrite[] = [];
      for (const entry of entries) {
        const segments = this.#segments(entry);
        const nodes = this.#tree.add(segments, 'file', entry.path, entry.metadata);
        const path = await this.#makeParents(nodes, segments, staging);
        const metadata = appliedMetadata(restoredMetadata(entry.metadata), defaultFileMode);
        files.push({ path, sizeBytes: entry.sizeBytes, metadata });
      }
      const descriptors = await this.#smallFiles.write(joinFiles(files, bytes));
      await this.#syncs.addDescriptors(descriptors);
      await this.#beat();
    } catch (error) {
      throw targetError(error, this.#rootPath);
    }
  }

  async place(): Promise<TargetChange> {
    const staging = this.#staging;
    const root = this.#tree.root;
    if (staging === undefined || root === undefined) throw this.#nothing();
    try {
      this.#smallFiles.close();
      await this.#syncs.drain();
      const place = Buffer.from(staging.place);
      const change = await this.#change(root, staging.place);
      const undo = this.#keepUndo ? staging.undo : join(staging.partial, 'replaced');
      const commit = new TreeCommit({
        undoPath: undo,
        lastingUndoPath: staging.undo,
        changesFolders: this.#overwrite,
      });
      try {
        await commit.keep(await findReplaced(root, place), basename(staging.place));
        await commit.place(root, stagedRoot(staging), place);
        await syncFolder(dirname(staging.place));
        await this.#syncMadeParents(staging);
      } catch (error) {
        await commit.rollBack(error);
        throw error;
      }
      this.#placed = { commit, change };
      return change;
    } catch (error) {
      throw targetError(error, this.#rootPath);
    }
  }

  async commit(): Promise<TargetChange> {
    const change = this.#placed?.change ?? (await this.place());
    const staging = this.#staging;
    // From here on it stays.
    this.#placed = undefined;
    this.#staging = undefined;
    if (staging === undefined) return change;
    try {
      await removeTree(staging.partial);
      await syncFolder(dirname(staging.partial));
      return change;
    } catch (error) {
      throw targetError(error, this.#rootPath);
    }
  }

  async abort(): Promise<void> {
    this.#smallFiles.close();
    await this.#syncs.settle();
    const staging = this.#staging;
    if (staging === undefined) return;
    const placed = this.#placed;
    this.#placed = undefined;
    await placed?.commit.rollBack(new HoldfastError('operation.interrupted'));
    await removeTree(staging.partial);
    this.#staging = undefined;
    if (staging.firstMade === undefined) return;
    const end = dirname(staging.firstMade);
    for (let folder = dirname(staging.partial); folder !== end; folder = dirname(folder)) {
      try {
        await rmdir(folder);
      } catch (error) {
        // Somebody uses it by now.
        if (systemCode(error) === 'ENOTEMPTY' || systemCode(error) === 'EEXIST') return;
        throw error;
      }
    }
  }

  #nothing(): HoldfastError {
    return new HoldfastError('target.invalid', { message: `there are no files to put in ${this.#rootPath}` });
  }

  /** The entry's path below the root; none for the root itself. */
  #segments(entry: RestorableEntry): readonly Buffer[] {
    const bytes = entry.pathBytes === undefined ? Buffer.from(entry.path) : Buffer.from(entry.pathBytes);
    safeSegments(entry.path, entry.pathBytes);
    if (bytes.equals(this.#prefix)) return [];
    if (bytes.subarray(0, this.#prefix.length).equals(this.#prefix) && bytes[this.#prefix.length] === 0x2f) {
      const rest = bytes.subarray(this.#prefix.length + 1);
      return safeSegments(rest.toString('utf8'), rest);
    }
    const message = `the entry ${JSON.stringify(entry.path)} does not lie below ${this.#prefix.toString('utf8')}`;
    throw new HoldfastError('target.unsafe', { message, context: { path: entry.path } });
  }

  /** The folder or file that the root path means: a link to a folder is the folder. */
  async #place(): Promise<string> {
    if ((await statsIfThere(this.#rootPath))?.isSymbolicLink() !== true) return this.#rootPath;
    try {
      return await realpath(this.#rootPath);
    } catch (cause) {
      if (systemCode(cause) !== 'ENOENT') throw cause;
      throw new HoldfastError('target.exists', { message: `${this.#rootPath} is a link to what is not there`, cause });
    }
  }

  /** What putting the tree in place does; `sizes` of the entries while none is staged. Throws when it may not. */
  async #change(root: TreeNode, place: string, sizes?: ReadonlyMap<string, number>): Promise<TargetChange> {
    if ((await statsIfThere(place)) === undefined) return { target: this.#rootPath, action: 'create' };
    let replaced = await findReplaced(root, Buffer.from(place));
    if (this.#keepSame) {
      replaced = sizes === undefined ? await this.#others(root, replaced) : await this.#planned(replaced, sizes);
    }
    if (replaced.length > 0 && !this.#overwrite) throw existsError(replaced);
    const action = root.kind === 'directory' ? 'merge' : 'replace';
    if (replaced.length === 0 || !this.#keepUndo) return { target: this.#rootPath, action };
    this.#undo ??= await undoPath(await anchorOf(place), this.#clock);
    return { target: this.#rootPath, action, undo: this.#undo };
  }

  /** What may differ from what is there. One of the same size may be the same: that is found out when its bytes are at hand. */
  async #planned(replaced: readonly Replaced[], sizes: ReadonlyMap<string, number>): Promise<readonly Replaced[]> {
    if (this.#overwrite) return replaced;
    const others: Replaced[] = [];
    for (const one of replaced) {
      if (one.kind === 'file' && (await statsIfThere(one.place))?.size !== sizes.get(one.path)) others.push(one);
    }
    return others;
  }

  /** What differs from what is there. What is the same is left out of the tree. */
  async #others(root: TreeNode, replaced: readonly Replaced[]): Promise<readonly Replaced[]> {
    const staging = this.#staging;
    if (staging === undefined) return replaced;
    const others: Replaced[] = [];
    for (const one of replaced) {
      const staged = one.segments.reduce(joinBytes, stagedRoot(staging));
      const isSame = await (one.kind === 'file' ? haveSameBytes(staged, one.place) : haveSameTarget(staged, one.place));
      // A root that is a file is put in its place once more.
      if (isSame && one.segments.length > 0) leaveOut(root, one.segments);
      if (!isSame) others.push(one);
    }
    return others;
  }

  async #prepare(): Promise<Staging> {
    const place = await this.#place();
    const firstMade = await mkdir(dirname(place), { recursive: true });
    const anchor = await anchorOf(place);
    await removeStalePartials(anchor, this.#clock);
    const partial = partialPath(anchor, this.#random);
    this.#undo ??= await undoPath(anchor, this.#clock);
    const staging = { place, undo: this.#undo, partial, firstMade };
    await mkdir(partial, { mode: 0o700 });
    this.#staging = staging;
    this.#beatMs = this.#clock.monotonicMs();
    return staging;
  }

  /** Makes the folders on the way to the last node, and that one too when it is a folder. Returns its path. */
  async #makeParents(nodes: readonly TreeNode[], segments: readonly Buffer[], staging: Staging): Promise<Buffer> {
    let path = stagedRoot(staging);
    for (const [index, node] of nodes.entries()) {
      const segment = index === 0 ? undefined : segments[index - 1];
      if (segment !== undefined) path = joinBytes(path, segment);
      if (node.kind !== 'directory') continue;
      node.staged ??= mkdir(path, { mode: 0o700 });
      await node.staged;
    }
    return path;
  }

  async #stageFile(entry: RestorableEntry, path: Buffer, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const memory = this.#freeMemory.pop() ?? new StagingMemory();
    const file = await StagedFile.create(path, { sizeBytes: entry.sizeBytes, memory });
    try {
      let sizeBytes = 0;
      for await (const chunk of bytes) {
        await file.append(chunk);
        sizeBytes += chunk.length;
        await this.#beat();
      }
      if (sizeBytes !== entry.sizeBytes) {
        const message = `${entry.path} has ${sizeBytes} bytes where the index tells of ${entry.sizeBytes}`;
        throw new HoldfastError('target.invalid', { message, context: { path: entry.path } });
      }
      await file.finish();
      await applyMetadata(file.handle, restoredMetadata(entry.metadata), defaultFileMode);
    } catch (error) {
      await file.abandon();
      throw error;
    }
    this.#freeMemory.push(memory);
    await this.#syncs.add(file.handle);
  }

  /** Tells other restores that this one is at work. */
  async #beat(): Promise<void> {
    if (this.#staging === undefined || this.#clock.monotonicMs() - this.#beatMs < heartbeatMs) return;
    const seconds = this.#clock.nowMs() / 1000;
    await utimes(this.#staging.partial, seconds, seconds);
    this.#beatMs = this.#clock.monotonicMs();
  }

  /** Makes the names of the folders durable that were made for the root. */
  async #syncMadeParents(staging: Staging): Promise<void> {
    await syncFolder(dirname(staging.partial));
    if (staging.firstMade === undefined) return;
    const end = dirname(dirname(staging.firstMade));
    for (let folder = dirname(staging.partial); folder !== end; folder = dirname(folder)) await syncFolder(folder);
  }
}

function stagedRoot(staging: Staging): Buffer {
  return Buffer.from(join(staging.partial, 'tree'));
}

/** The name beside which a target is staged: inside it when it is a file system of its own, since nothing is renamed across. */
export async function anchorOf(place: string): Promise<string> {
  const stats = await statsIfThere(place);
  if (stats?.isDirectory() !== true) return place;
  const parent = await stat(dirname(place));
  return stats.dev === parent.dev && dirname(place) !== place ? place : join(place, basename(place) || 'root');
}

async function stageLink(entry: RestorableEntry, path: Buffer): Promise<void> {
  const target = symlinkTarget(entry.metadata);
  if (target === undefined) {
    throw new HoldfastError('target.invalid', {
      message: `${entry.path} is a link without a target`,
      context: { path: entry.path },
    });
  }
  await symlink(target, path);
  await applyLinkMetadata(path, restoredMetadata(entry.metadata));
}
