/** Whether a tree of files that was restored is what the archive says. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { throwIfAborted } from '../errors.ts';
import { symlinkTarget } from '../source/files/file-metadata.ts';
import { joinBytes } from '../source/safe-path.ts';

const readBytes = 1024 * 1024;

/** SHA-256 of a file, hex. */
export async function fileSha256(path: string | Buffer, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: readBytes })) {
    throwIfAborted(signal);
    hash.update(chunk);
  }
  return hash.digest('hex');
}

/** What lies below a folder, or the file itself, by paths relative to it as Latin-1; the root is the empty one. */
async function pathsBelow(root: Buffer, signal: AbortSignal | undefined): Promise<string[]> {
  const found: string[] = [];
  const waiting: { readonly path: Buffer; readonly relative: Buffer }[] = [{ path: root, relative: Buffer.alloc(0) }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    throwIfAborted(signal);
    found.push(next.relative.toString('latin1'));
    if (!(await lstat(next.path)).isDirectory()) continue;
    for (const name of await readdir(next.path, { encoding: 'buffer' })) {
      const relative = next.relative.length === 0 ? name : joinBytes(next.relative, name);
      waiting.push({ path: joinBytes(next.path, name), relative });
    }
  }
  return found;
}

/** A tree of an archive: `prefix` is what its paths begin with. */
export interface ArchivedTree {
  readonly prefix: string;
  readonly entries: readonly IndexEntry[];
}

/**
 * Compares names, kinds, sizes, and every byte by its SHA-256. The trees were all restored to `rootPath`; of two that hold the same path the one that comes
 * first was.
 */
export async function compareFiles(options: {
  readonly trees: readonly ArchivedTree[];
  readonly rootPath: string;
  readonly signal: AbortSignal | undefined;
}): Promise<{ readonly fileCount: number; readonly differences: readonly string[] }> {
  const { trees, rootPath, signal } = options;
  const root = Buffer.from(rootPath);
  const found = new Set(await pathsBelow(root, signal));
  // With the folders above what is archived, whether or not the archive has entries of their own for them.
  const known = new Set(['']);
  const done = new Set<string>();
  const differences: string[] = [];
  let fileCount = 0;
  const all = trees.flatMap(({ prefix, entries }) => entries.map((entry) => ({ prefix, entry })));
  for (const { prefix, entry } of all) {
    throwIfAborted(signal);
    const whole = Buffer.from(entry.pathBytes ?? Buffer.from(entry.path));
    const relative = whole.subarray(Buffer.byteLength(prefix) + 1);
    const key = relative.toString('latin1');
    if (done.has(key) && entry.kind !== 'directory') continue;
    if (entry.kind !== 'directory') done.add(key);
    for (let at = key.length; at >= 0; at = at === 0 ? -1 : key.lastIndexOf('/', at - 1)) known.add(key.slice(0, at));
    if (!found.has(key)) {
      differences.push(`${entry.path} is not there`);
      continue;
    }
    if (entry.kind === 'file') fileCount += 1;
    const problem = await compareOne(entry, relative.length === 0 ? root : joinBytes(root, relative), signal);
    if (problem !== undefined) differences.push(`${entry.path}: ${problem}`);
  }
  for (const key of found) {
    if (known.has(key)) continue;
    const shown = Buffer.from(key, 'latin1').toString('utf8');
    differences.push(`${trees[0]?.prefix}/${shown} is there, and not in the archive`);
  }
  return { fileCount, differences };
}

async function compareOne(
  entry: IndexEntry,
  path: Buffer,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const stats = await lstat(path);
  if (entry.kind === 'directory') return stats.isDirectory() ? undefined : 'it is no folder';
  if (entry.kind === 'symlink') {
    if (!stats.isSymbolicLink()) return 'it is no link';
    const target = await readlink(path, { encoding: 'buffer' });
    return target.equals(symlinkTarget(entry.metadata) ?? Buffer.alloc(0)) ? undefined : 'the link leads elsewhere';
  }
  if (!stats.isFile()) return 'it is no file';
  if (stats.size !== entry.sizeBytes) return `${stats.size} bytes where the archive has ${entry.sizeBytes}`;
  return (await fileSha256(path, signal)) === entry.sha256 ? undefined : 'its content is another';
}
