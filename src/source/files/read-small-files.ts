import { type BigIntStats, closeSync, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { readFlags } from './read-flags.ts';

/** Larger files are worth an opening of their own. */
const mostFileBytes = 64 * 1024;
/** What one call may hold. */
export const heldBytes = 1024 * 1024;
/** Each call uses it anew, and gives a copy of what it holds. */
let memory: Buffer | undefined;

/** What of the state of a file goes into the archive. */
export type FileState = Pick<BigIntStats, 'mode' | 'mtimeNs' | 'uid' | 'gid'>;

/** Where the bytes of a file stand in what was read, and its state. */
export interface SmallFile extends FileState {
  readonly offset: number;
  readonly length: number;
}

/** What was found at the first paths: undefined where it is anything but a small file that can be read and stays as it is. */
export interface SmallFilesRead {
  readonly bytes: Uint8Array;
  readonly files: readonly (SmallFile | undefined)[];
}

/** Paths as one piece of memory, for another thread. */
export function joinPaths(paths: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(paths.reduce((sum, path) => sum + path.length + 1, 0));
  let end = 0;
  for (const path of paths) {
    joined.set(path, end);
    end += path.length + 1;
  }
  return joined;
}

/** What {@link joinPaths} joined. */
export function splitPaths(joined: Uint8Array): Uint8Array[] {
  const paths: Uint8Array[] = [];
  for (let start = 0; start < joined.length; ) {
    const end = joined.indexOf(0, start);
    paths.push(joined.subarray(start, end));
    start = end + 1;
  }
  return paths;
}

/** Kinds of sizes of {@link measureFiles} that are none. */
export const directorySize = -1;
export const noSize = 0;

/**
 * Reads small files one after the other: of thousands the many turns of the event loop would take longer than the reading. Synchronous: it is called in a thread of its
 * own. Whatever is out of the ordinary is left to the one who asks. Ends early behind a folder, so that nothing is held while that is walked, and before what there is
 * no room for; at least one path is looked at.
 */
export function readSmallFiles(paths: readonly Uint8Array[]): SmallFilesRead {
  memory ??= Buffer.allocUnsafeSlow(heldBytes);
  const held = memory;
  const files: (SmallFile | undefined)[] = [];
  let end = 0;
  for (const path of paths) {
    if (end + mostFileBytes > held.length) break;
    const stats = stateOf(path);
    const file = stats?.isFile() && stats.size <= mostFileBytes ? readFile(path, held, end) : undefined;
    files.push(file);
    end += file?.length ?? 0;
    if (stats?.isDirectory()) break;
  }
  return { bytes: new Uint8Array(held.subarray(0, end)), files };
}

/** The size of each file; {@link directorySize} for a folder and {@link noSize} for all else. Synchronous, as {@link readSmallFiles}. */
export function measureFiles(paths: readonly Uint8Array[]): Float64Array {
  return Float64Array.from(paths, (path) => {
    const stats = stateOf(path);
    if (stats?.isDirectory()) return directorySize;
    return stats?.isFile() ? Number(stats.size) : noSize;
  });
}

/** Undefined for what cannot be looked at: who asks finds out why. */
function stateOf(path: Uint8Array): BigIntStats | undefined {
  try {
    return lstatSync(Buffer.from(path), { bigint: true });
  } catch {
    return undefined;
  }
}

function readFile(path: Uint8Array, held: Buffer, offset: number): SmallFile | undefined {
  let file: number | undefined;
  try {
    file = openSync(Buffer.from(path), readFlags);
    const before = fstatSync(file, { bigint: true });
    if (!before.isFile() || before.size > mostFileBytes) return undefined;
    const length = Number(before.size);
    let end = 0;
    while (end < length) {
      const count = readSync(file, held, offset + end, length - end, end);
      if (count === 0) return undefined;
      end += count;
    }
    const after = fstatSync(file, { bigint: true });
    const isSame = after.size === before.size && after.mtimeNs === before.mtimeNs && after.ctimeNs === before.ctimeNs;
    const { mode, mtimeNs, uid, gid } = before;
    return isSame ? { offset, length, mode, mtimeNs, uid, gid } : undefined;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
