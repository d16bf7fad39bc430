import { lstat, open, readlink, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock } from '../../../clock.ts';
import { PositionalFile } from '../../../disk/positional-file.ts';
import { HoldfastError } from '../../../errors.ts';
import { FileEntry } from '../../files/file-entry.ts';
import { entryPath, fileMetadata, symlinkMetadata } from '../../files/file-metadata.ts';
import { FilesSource } from '../../files/files-source.ts';
import { readFlags } from '../../files/read-flags.ts';
import { ReadPath } from '../../files/read-path.ts';
import type { SourceContext, SourceEntry, SourceProblem } from '../../source.ts';
import { systemCode, systemReason } from '../../system-error.ts';
import { type FileReference, type FileReferences, namedBy } from './file-references.ts';
import type { FileTree } from './file-trees.ts';
import { openAhead } from './open-ahead.ts';

const filesOpenAhead = 8;

/** Something that can be closed, and is when its source is. */
export interface Closable {
  close(): Promise<void>;
}

/** What a tree is read with. */
export interface TreeReading {
  readonly tree: FileTree;
  /** The tree's path in the archive. */
  readonly archivePath: string;
  readonly references: FileReferences;
  readonly context: SourceContext;
  /** What is open. */
  readonly isOpen: Set<Closable>;
  readonly exclude: (absolutePath: string) => boolean;
}

type Problem = Omit<SourceProblem, 'path'>;

/** A file that a row names, looked at. Without an entry it comes with a folder, or cannot be had. */
interface Looked {
  readonly reference: FileReference;
  readonly entry?: SourceEntry | FileEntry;
  readonly problem?: Problem;
}

/**
 * The files of a folder that rows name, each with the folders on its way, and the folders that go along whole. No link is followed below the root. What
 * is missing or cannot be read is reported with the row that names it.
 */
export class FolderFiles {
  readonly #reading: TreeReading;
  readonly #root: string;
  #realRoot = '';
  /** The folder that was looked at last, and whether no link leads there. */
  #folder: { readonly path: string; readonly isPlain: Promise<boolean> } | undefined;

  constructor(reading: TreeReading, root: string) {
    this.#reading = reading;
    this.#root = root;
  }

  async *entries(): AsyncGenerator<SourceEntry> {
    const { tree, references, context, archivePath } = this.#reading;
    const isWhole = tree.whole.includes('');
    const problem = await this.#findRoot();
    if (problem !== undefined) {
      // A folder that is made with its first file is not there while no row names one.
      if (tree.whole.length > 0) context.report({ ...problem, path: archivePath });
      for (const reference of references.of(tree.index)) this.#report(reference, problem);
      return;
    }
    if (!isWhole) yield await this.#folderEntry('', { source: this.#root });
    let given: readonly string[] = [];
    const looked = openAhead(this.#inOrder(), {
      atOnce: filesOpenAhead,
      open: async (item) => (typeof item === 'string' ? item : await this.#look(item)),
      discard: async (item) => {
        if (typeof item !== 'string' && item.entry instanceof FileEntry) await item.entry.close();
      },
    });
    for await (const item of looked) {
      const path = typeof item === 'string' ? item : item.reference.path;
      if (typeof item !== 'string' && item.problem !== undefined) this.#report(item.reference, item.problem);
      const entry = typeof item === 'string' ? undefined : item.entry;
      if (typeof item !== 'string' && entry === undefined) continue;
      const folders = foldersOf(path);
      for (const folder of folders.filter((one) => !given.includes(one))) yield await this.#folderEntry(folder);
      given = folders;
      if (entry === undefined) yield* this.#whole(path);
      else yield* this.#given(entry);
    }
  }

  /** Whole folders, and what rows name outside of them, in the order of the paths. What they name inside is looked at, and comes with the folder. */
  *#inOrder(): Generator<string | FileReference> {
    const { tree, references } = this.#reading;
    const whole = tree.whole.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const reference of references.of(tree.index)) {
      const path = Buffer.from(reference.path);
      while (whole[0] !== undefined && Buffer.compare(Buffer.from(whole[0]), path) <= 0) yield whole.shift() ?? '';
      yield reference;
    }
    yield* whole;
  }

  async #findRoot(): Promise<Problem | undefined> {
    try {
      this.#realRoot = await realpath(this.#root);
      if ((await lstat(this.#realRoot)).isDirectory()) return undefined;
      // A root that is a file goes along as one.
      if (this.#reading.tree.whole.includes('')) return undefined;
      return { code: 'source.unsupported', message: `${this.#root} is no folder` };
    } catch (error) {
      return systemProblem(error, `${this.#root} is not there`);
    }
  }

  async #look(reference: FileReference): Promise<Looked> {
    const { tree, archivePath, context, isOpen } = this.#reading;
    const disk = join(this.#realRoot, reference.path);
    const isInWhole = tree.whole.some(
      (one) => one === '' || reference.path === one || reference.path.startsWith(`${one}/`),
    );
    const path = entryPath(Buffer.from(`${archivePath}/${reference.path}`));
    try {
      if (!(await this.#isPlainFolder(dirname(disk)))) {
        return {
          reference,
          problem: { code: 'source.unsupported', message: 'a link leads there, which is not followed' },
        };
      }
      const stats = await lstat(disk, { bigint: true });
      if (stats.isSymbolicLink()) {
        const problem = {
          code: 'source.unsupported',
          message: 'it is a link, which is kept and not followed',
        } as const;
        if (isInWhole) return { reference, problem };
        const target = await readlink(disk, { encoding: 'buffer' });
        const metadata = { ...fileMetadata(stats), ...symlinkMetadata(target) };
        return { reference, problem, entry: { ...path, kind: 'symlink', expectedSizeBytes: 0, metadata } };
      }
      if (!stats.isFile()) {
        return { reference, problem: { code: 'source.unsupported', message: 'it is no file' } };
      }
      const file = new PositionalFile(await open(disk, readFlags));
      if (isInWhole) {
        await file.close();
        return { reference };
      }
      const entry = new FileEntry({
        ...path,
        file,
        stats: await file.handle.stat({ bigint: true }),
        context: { ...context, report: (problem) => context.report(withRow(problem, reference)) },
        readPath: new ReadPath(),
        clock: systemClock,
        onClose: (closed) => isOpen.delete(closed),
      });
      isOpen.add(entry);
      return { reference, entry };
    } catch (error) {
      return { reference, problem: systemProblem(error, 'it is not there') };
    }
  }

  /** Whether a folder is one all the way down from the root. */
  async #isPlainFolder(path: string): Promise<boolean> {
    if (this.#folder?.path !== path) this.#folder = { path, isPlain: realpath(path).then((real) => real === path) };
    return await this.#folder.isPlain;
  }

  async #folderEntry(folder: string, extraMetadata: { readonly source?: string } = {}): Promise<SourceEntry> {
    const { archivePath } = this.#reading;
    // One that was removed meanwhile keeps its name: what was in it was opened before.
    const stats = await lstat(join(this.#realRoot, folder), { bigint: true }).catch(() => undefined);
    const path = entryPath(Buffer.from(folder === '' ? archivePath : `${archivePath}/${folder}`));
    return {
      ...path,
      kind: 'directory',
      expectedSizeBytes: 0,
      metadata: { ...(stats && fileMetadata(stats)), ...extraMetadata },
    };
  }

  async *#given(entry: SourceEntry | FileEntry): AsyncGenerator<SourceEntry> {
    try {
      yield entry;
    } finally {
      if (entry instanceof FileEntry && !entry.isBegun) await entry.close();
    }
  }

  async *#whole(folder: string): AsyncGenerator<SourceEntry> {
    const { archivePath, context, isOpen, exclude } = this.#reading;
    const path = join(this.#realRoot, folder);
    const archive = folder === '' ? archivePath : `${archivePath}/${folder}`;
    const source = new FilesSource({ path, name: 'files', archivePath: archive, exclude });
    isOpen.add(source);
    try {
      await lstat(path);
      yield* source.entries(context);
    } catch (error) {
      context.report({ ...systemProblem(error, 'it is not there'), path: archive });
    }
  }

  #report(reference: FileReference, problem: Problem): void {
    const { context, archivePath } = this.#reading;
    context.report(withRow({ ...problem, path: `${archivePath}/${reference.path}` }, reference));
  }
}

function withRow(problem: SourceProblem, reference: FileReference): SourceProblem {
  return { ...problem, message: `${problem.message}; ${namedBy(reference)}` };
}

/** The folders on the way to a path. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function systemProblem(error: unknown, missing: string): Problem {
  const code = systemCode(error);
  if (error instanceof HoldfastError || code === '') throw error;
  const isGone = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ESTALE'].includes(code);
  return { code: isGone ? 'source.vanished' : 'source.unreadable', message: isGone ? missing : systemReason(error) };
}
