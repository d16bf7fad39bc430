import { joinPaths, type SmallFilesRead } from './read-small-files.ts';
import { RequestThread } from './request-thread.ts';
import type { SmallFilesToWrite } from './write-small-files.ts';

/** What the thread is asked. */
export type SmallFilesQuestion =
  /** A zero byte, which no path has, ends each path. */
  | { readonly ask: 'read' | 'measure'; readonly joinedPaths: Uint8Array }
  | { readonly ask: 'write'; readonly files: SmallFilesToWrite };

/** So many paths are asked for at once. */
export const pathsAtOnce = 64;
/** Below this number a thread would cost more than it saves. */
const leastFiles = 200;

/** Reads or writes the small files of a tree in a thread of its own, many at a time. A tree of few files never starts it. */
export class SmallFiles {
  readonly #thread = new RequestThread<SmallFilesQuestion>('small-files-worker');
  #seenFiles = 0;

  /** Counts names of the tree. */
  see(count: number): void {
    this.#seenFiles += count;
  }

  /** Whether so many were seen that they are handled here. */
  get isWorthIt(): boolean {
    return this.#seenFiles > leastFiles;
  }

  /** What stands at the first of some paths; see `readSmallFiles`. */
  async read(paths: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<SmallFilesRead> {
    const question = { ask: 'read', joinedPaths: joinPaths(paths) } as const;
    return (await this.#thread.ask(question, { signal })) as SmallFilesRead;
  }

  /** The size of what stands at each path; see `measureFiles`. */
  async measure(paths: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<Float64Array> {
    const question = { ask: 'measure', joinedPaths: joinPaths(paths) } as const;
    return (await this.#thread.ask(question, { signal })) as Float64Array;
  }

  /** New files; gives their descriptors, which are the caller's to close; see `writeSmallFiles`. */
  async write(files: SmallFilesToWrite): Promise<readonly number[]> {
    return (await this.#thread.ask({ ask: 'write', files })) as readonly number[];
  }

  /** May be repeated; what is still asked fails. */
  close(): void {
    this.#thread.close();
  }
}
