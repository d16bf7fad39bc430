import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { type Clock, systemClock } from '../../clock.ts';
import { PositionalFile } from '../../disk/positional-file.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { joinBytes } from '../safe-path.ts';
import type { EntryMetadata, Source, SourceContext, SourceDescription, SourceEntry, SourceProblem } from '../source.ts';
import { sourceError, systemCode, systemReason } from '../system-error.ts';
import { estimateSize } from './estimate-size.ts';
import { FileEntry } from './file-entry.ts';
import { entryPath, fileMetadata, symlinkMetadata } from './file-metadata.ts';
import { type HeldFile, heldEntry } from './held-entry.ts';
import { readFlags } from './read-flags.ts';
import { ReadPath } from './read-path.ts';
import type { SmallFilesRead } from './read-small-files.ts';
import { pathsAtOnce, SmallFiles } from './small-files.ts';

/**
 * From this size on a file that is not in the page cache is read past it, so that a backup does not push out of it what applications
 * use. It is the size of the pieces in which the archive writer asks for a large file.
 */
const leastDirectSizeBytes = 2 * 1024 * 1024;

/** What a {@link FilesSource} reads. */
export interface FilesSourceOptions {
  /** A folder, or a single file. A link here is followed; the links below are not. */
  readonly path: string;
  /** The name under `files/`; the path's last part unless set. */
  readonly name?: string;
  /** Where the tree stands in the archive: `files/<name>` unless set. */
  readonly archivePath?: string;
  /** Leaves out what it answers true to, with all that is below. */
  readonly exclude?: (absolutePath: string) => boolean;
  /** Tells how fast large files come; the system's unless set. */
  readonly clock?: Clock;
}

/** A place in the tree: where it is on the disk and what it is called in the archive, both as bytes. */
interface Place {
  readonly disk: Buffer;
  readonly archive: Buffer;
}

/** The names left in one folder of the chain that is open. */
interface OpenFolder extends Place {
  readonly names: readonly Buffer[];
  next: number;
  ahead?: ReadAhead | undefined;
}

/** Small files that were read before their turn: what stands at the names from `first` on. */
interface ReadAhead extends SmallFilesRead {
  readonly first: number;
}

/**
 * A tree of files, or one file. Folders come before what they hold, names in the order of their bytes; the root's names are taken from both
 * ends in turn, so that files of different kinds are read side by side: some keep the disk busy, others the processors. What cannot be
 * read is reported and left out; only a root that cannot be read ends the run. Holds the names of two chains of folders, and of many small files
 * two MiB.
 * Hard links become files of their own; holes of sparse files, zeros; access lists and extended attributes are not kept.
 *
 * @example new FilesSource({ path: '/srv/app/uploads' }).name // 'uploads'
 */
export class FilesSource implements Source {
  readonly name: string;
  readonly parallelEntries = 2;
  readonly #path: string;
  readonly #archivePath: string;
  readonly #exclude: (absolutePath: string) => boolean;
  readonly #clock: Clock;
  readonly #readPath = new ReadPath();
  readonly #smallFiles = new SmallFiles();
  /** Files that are open. */
  readonly #open = new Set<FileEntry>();

  constructor(options: FilesSourceOptions) {
    this.#path = resolve(options.path);
    this.name = options.name ?? (basename(this.#path) || 'root');
    this.#archivePath = options.archivePath ?? `files/${this.name}`;
    this.#exclude = options.exclude ?? (() => false);
    this.#clock = options.clock ?? systemClock;
    if (this.name === '' || this.name === '.' || this.name === '..' || /[/\0]/.test(this.name)) {
      throw new HoldfastError('usage.invalid', {
        message: `${JSON.stringify(this.name)} is not a name for a tree of files`,
      });
    }
  }

  async describe(context: SourceContext): Promise<SourceDescription> {
    throwIfAborted(context.signal);
    const stats = await this.#rootStats();
    const root = Buffer.from(this.#path);
    if (stats.isFile()) await (await this.#openRootFile(root)).close();
    else await this.#rootNames(root);
    const expectedSizeBytes = stats.isFile()
      ? Number(stats.size)
      : await estimateSize(root, this.#exclude, context.signal, this.#smallFiles);
    return { type: 'files', label: this.#path, expectedSizeBytes };
  }

  async *entries(context: SourceContext): AsyncGenerator<SourceEntry> {
    throwIfAborted(context.signal);
    const stats = await this.#rootStats();
    const root: Place = { disk: Buffer.from(this.#path), archive: Buffer.from(this.#archivePath) };
    const extraMetadata = { source: this.#path };
    if (stats.isFile()) {
      const handle = await this.#openRootFile(root.disk);
      yield* this.#file(root, handle, context, extraMetadata);
      return;
    }
    const names = await this.#rootNames(root.disk);
    let first = 0;
    let end = names.length;
    const count = () => Math.min(end - first, this.#smallFiles.isWorthIt ? pathsAtOnce : 1);
    const fromStart = () => {
      const part = names.slice(first, first + count());
      first += part.length;
      return part;
    };
    const fromEnd = () => {
      const part = names.slice(end - count(), end).reverse();
      end -= part.length;
      return part;
    };
    yield directoryEntry(root, stats, extraMetadata);
    yield* inTurn([this.#walk(root, fromStart, context), this.#walk(root, fromEnd, context)]);
  }

  /** What is below the names of the root, of which `nextNames` gives some at a time. */
  async *#walk(root: Place, nextNames: () => readonly Buffer[], context: SourceContext): AsyncGenerator<SourceEntry> {
    const chain: OpenFolder[] = [];
    let part: OpenFolder = { ...root, names: [], next: 0 };
    for (;;) {
      throwIfAborted(context.signal);
      if (chain.length === 0 && part.next === part.names.length) {
        part = { ...root, names: nextNames(), next: 0 };
        if (part.names.length === 0) return;
      }
      const folder = chain.at(-1) ?? part;
      const place = placeIn(folder, folder.next);
      if (place === undefined) {
        chain.pop();
        continue;
      }
      folder.next += 1;
      if (this.#isExcluded(place)) continue;
      this.#smallFiles.see(1);
      const held = await this.#heldFile(folder, folder.next - 1, context.signal);
      if (held === undefined) yield* this.#visit(place, chain, context);
      else yield heldEntry(place.archive, held);
    }
  }

  #isExcluded({ disk }: Place): boolean {
    return this.#exclude(disk.toString('utf8'));
  }

  /** The small file at a name, which is read together with those after it; undefined for anything else. */
  async #heldFile(folder: OpenFolder, index: number, signal: AbortSignal | undefined): Promise<HeldFile | undefined> {
    if (folder.ahead === undefined) {
      if (!this.#smallFiles.isWorthIt) return undefined;
      const paths: Buffer[] = [];
      for (let next = index; paths.length < pathsAtOnce; next += 1) {
        const place = placeIn(folder, next);
        if (place === undefined || this.#isExcluded(place)) break;
        paths.push(place.disk);
      }
      folder.ahead = { first: index, ...(await this.#smallFiles.read(paths, signal)) };
    }
    const { first, bytes, files } = folder.ahead;
    // Nothing stays in memory while what follows is walked.
    if (index === first + files.length - 1) folder.ahead = undefined;
    const file = files[index - first];
    return file && { ...file, bytes: bytes.subarray(file.offset, file.offset + file.length) };
  }

  /** Nothing is held between entries but the files that are being read. */
  async close(): Promise<void> {
    this.#smallFiles.close();
    await Promise.all([...this.#open].map((entry) => entry.close()));
  }

  /** The entries at one place; a folder joins the chain. */
  async *#visit(place: Place, chain: OpenFolder[], context: SourceContext): AsyncGenerator<SourceEntry> {
    try {
      const stats = await lstat(place.disk, { bigint: true });
      if (stats.isDirectory()) {
        chain.push({ ...place, names: await sortedNames(place.disk), next: 0 });
        yield directoryEntry(place, stats);
      } else if (stats.isSymbolicLink()) {
        const target = await readlink(place.disk, { encoding: 'buffer' });
        const metadata = { ...fileMetadata(stats), ...symlinkMetadata(target) };
        yield { ...entryPath(place.archive), kind: 'symlink', expectedSizeBytes: 0, metadata };
      } else if (stats.isFile()) {
        yield* this.#file(place, await open(place.disk, readFlags), context);
      } else {
        context.report({
          ...problemAt(place),
          code: 'source.unsupported',
          message: `${kindOf(stats)} holds nothing to keep`,
        });
      }
    } catch (error) {
      if (error instanceof HoldfastError || systemCode(error) === '') throw error;
      context.report(readProblem(place, error));
    }
  }

  async *#file(place: Place, handle: FileHandle, context: SourceContext, extraMetadata: EntryMetadata = {}) {
    const file = new PositionalFile(handle);
    let given: FileEntry | undefined;
    try {
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) {
        context.report({
          ...problemAt(place),
          code: 'source.vanished',
          message: 'another kind of file took its place',
        });
        return;
      }
      if (stats.size >= leastDirectSizeBytes) {
        await file.openDirect(constants.O_RDONLY);
        this.#readPath.beginFile();
      }
      const entry = new FileEntry({
        ...entryPath(place.archive),
        file,
        stats,
        context,
        readPath: this.#readPath,
        clock: this.#clock,
        onClose: (closed) => this.#open.delete(closed),
        extraMetadata,
      });
      this.#open.add(entry);
      given = entry;
      yield entry;
    } finally {
      // Whoever goes on without having begun to read it does not want its bytes.
      if (given === undefined) await file.close();
      else if (!given.isBegun) await given.close();
    }
  }

  async #rootStats(): Promise<BigIntStats> {
    let stats: BigIntStats;
    try {
      stats = await stat(this.#path, { bigint: true });
    } catch (error) {
      throw sourceError(error, this.#path);
    }
    if (stats.isFile() || stats.isDirectory()) return stats;
    const message = `${this.#path} is ${kindOf(stats)}, neither a folder nor a file`;
    throw new HoldfastError('source.unreadable', { message, context: { path: this.#path } });
  }

  async #rootNames(root: Buffer): Promise<readonly Buffer[]> {
    try {
      return await sortedNames(root);
    } catch (error) {
      throw sourceError(error, this.#path);
    }
  }

  async #openRootFile(root: Buffer): Promise<FileHandle> {
    try {
      return await open(root, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    } catch (error) {
      throw sourceError(error, this.#path);
    }
  }
}

/** One of each in turn, until all have ended. */
async function* inTurn<Item>(sequences: readonly AsyncGenerator<Item>[]): AsyncGenerator<Item> {
  const left = new Set(sequences);
  try {
    while (left.size > 0) {
      for (const sequence of left) {
        const { done, value } = await sequence.next();
        if (done) left.delete(sequence);
        else yield value;
      }
    }
  } finally {
    for (const sequence of left) await sequence.return(undefined);
  }
}

async function sortedNames(folder: Buffer): Promise<readonly Buffer[]> {
  return (await readdir(folder, { encoding: 'buffer' })).sort(Buffer.compare);
}

/** What stands at a name of a folder; undefined behind the last one. */
function placeIn(folder: OpenFolder, index: number): Place | undefined {
  const name = folder.names[index];
  return name && { disk: joinBytes(folder.disk, name), archive: joinBytes(folder.archive, name) };
}

function directoryEntry(place: Place, stats: BigIntStats, extraMetadata: EntryMetadata = {}): SourceEntry {
  const metadata = { ...fileMetadata(stats), ...extraMetadata };
  return { ...entryPath(place.archive), kind: 'directory', expectedSizeBytes: 0, metadata };
}

function kindOf(stats: BigIntStats): string {
  if (stats.isSocket()) return 'a socket';
  if (stats.isFIFO()) return 'a FIFO';
  return stats.isBlockDevice() || stats.isCharacterDevice() ? 'a device' : 'of an unknown kind';
}

function problemAt(place: Place): { readonly path: string } {
  return { path: place.archive.toString('utf8') };
}

/** ENOTDIR and ELOOP: something else took the place of a folder or the file between the look and the opening. */
function readProblem(place: Place, error: unknown): SourceProblem {
  const isGone = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ESTALE'].includes(systemCode(error));
  const message = isGone ? 'it was removed or replaced before it was read' : systemReason(error);
  return { ...problemAt(place), code: isGone ? 'source.vanished' : 'source.unreadable', message };
}
