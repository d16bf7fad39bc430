import type { Stats } from 'node:fs';
import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../clock.ts';
import { type Owner, stalePaths } from '../disk/stale-paths.ts';
import type { Random } from '../random.ts';
import { joinBytes } from './safe-path.ts';
import { systemCode } from './system-error.ts';

/**
 * After this long without a sign of life, what was staged is taken for dead even when a process has its number: numbers are
 * used again. A restore at work renews the sign every {@link heartbeatMs}.
 */
export const staleAfterMs = 3_600_000;
/** How often a restore at work renews the time of what it stages. */
export const heartbeatMs = 60_000;

/** Room for the longest addition to a name, so that the result is a name still. */
const baseLimitBytes = 180;

function shortBase(target: string): string {
  const bytes = Buffer.from(basename(target));
  if (bytes.length <= baseLimitBytes) return basename(target);
  let end = baseLimitBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}

/** Where a target is staged: beside it, so on the same file system, hidden, with the process's number. */
export function partialPath(target: string, random: Random): string {
  const tag = Buffer.from(random.bytes(6)).toString('hex');
  return join(dirname(target), `.${shortBase(target)}.holdfast-${process.pid}-${tag}.partial`);
}

/** Where what a target held is kept: beside it, by the time (UTC), under a name that is free. */
export async function undoPath(target: string, clock: Clock): Promise<string> {
  const stamp = new Date(clock.nowMs())
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:]/g, '');
  const first = join(dirname(target), `${shortBase(target)}.holdfast-undo-${stamp}`);
  let path = first;
  for (let count = 2; (await statsIfThere(path)) !== undefined; count += 1) path = `${first}-${count}`;
  return path;
}

/** The newest of what {@link undoPath} named for a target; undefined where nothing is kept. */
export async function newestUndo(target: string): Promise<string | undefined> {
  const prefix = `${shortBase(target)}.holdfast-undo-`;
  let newest: { readonly name: string; readonly stamp: string; readonly count: number } | undefined;
  for (const name of await namesIn(dirname(target))) {
    if (!name.startsWith(prefix)) continue;
    const [, stamp = '', count = '1'] = /^(\d{8}T\d{6}Z)(?:-(\d+))?$/.exec(name.slice(prefix.length)) ?? [];
    if (stamp === '') continue;
    const isNewer =
      newest === undefined || stamp > newest.stamp || (stamp === newest.stamp && Number(count) > newest.count);
    if (isNewer) newest = { name, stamp, count: Number(count) };
  }
  return newest && join(dirname(target), newest.name);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Removes what restores of the same target staged that did not live to the end. Returns what it removed. */
export async function removeStalePartials(target: string, clock: Clock): Promise<readonly string[]> {
  const prefix = `.${shortBase(target)}.holdfast-`;
  const ownerOf = (name: string): Owner | undefined => {
    if (!name.startsWith(prefix)) return undefined;
    const rest = name.slice(prefix.length);
    const processId = /^(\d+)-[0-9a-f]{12}\.partial(?:-wal|-shm|-journal)?$/.exec(rest)?.[1];
    return processId === undefined ? undefined : { processId: Number(processId), isHere: true };
  };
  const removed: string[] = [];
  for await (const { path } of stalePaths(dirname(target), { ownerOf, staleAfterMs, clock })) {
    await removeTree(path);
    removed.push(path);
  }
  return removed;
}

/** Removes what is there, folders included that their owner may not write. Nothing there is not an error. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (systemCode(error) !== 'EACCES' && systemCode(error) !== 'EPERM') throw error;
    await openFolders(Buffer.from(path));
    await rm(path, { recursive: true, force: true });
  }
}

async function openFolders(folder: Buffer): Promise<void> {
  if ((await statsIfThere(folder))?.isDirectory() !== true) return;
  await chmod(folder, 0o700);
  for (const name of await readdir(folder, { encoding: 'buffer' })) await openFolders(joinBytes(folder, name));
}

/** The stats of a path, links not followed, or undefined when nothing is there. */
export async function statsIfThere(path: string | Buffer): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
