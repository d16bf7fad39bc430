import { spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning, processSpaceTag } from '../../src/disk/process-life.ts';
import { giveTo, type ServerUser } from './server-user.ts';

const prefix = `holdfast-service-${processSpaceTag()}-`;
const memoryFolder = '/dev/shm';
/** What servers may take that run at once, and much to spare: a container often has less of it. */
const leastMemoryBytes = 2 * 2 ** 30;

/** Whether the system lends memory as a folder. */
function lendsMemory(): boolean {
  try {
    accessSync(memoryFolder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where folders of servers stand. */
export function serviceFolderParents(): string[] {
  return lendsMemory() ? [tmpdir(), memoryFolder] : [tmpdir()];
}

function hasRoomInMemory(): boolean {
  if (!lendsMemory()) return false;
  const { bavail, bsize } = statfsSync(memoryFolder);
  return bavail * bsize >= leastMemoryBytes;
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/**
 * A killed PostgreSQL leaves a small piece of shared memory, of which a machine has a few thousand: its lock file names it. False where it is
 * still attached to a process that is about to end.
 */
function removeSharedMemory(folder: string): boolean {
  const named = linesOf(join(folder, 'data', 'postmaster.pid'))[6]
    ?.trim()
    .split(/\s+/);
  if (named === undefined) return true;
  // Columns: key, number, mode, size, two processes, and how many are attached.
  const left = linesOf('/proc/sysvipc/shm')
    .map((line) => line.trim().split(/\s+/))
    .find(([key, number]) => key === named[0] && number === named[1]);
  const isFree = left === undefined || left[6] === '0';
  if (left !== undefined && isFree) spawnSync('ipcrm', ['-m', named[1] ?? '']);
  return isFree;
}

/** Removes what servers left whose test process was killed: they died with it, and nobody else could. */
function removeStale(parent: string): void {
  for (const name of readdirSync(parent).filter((entry) => entry.startsWith(prefix))) {
    const processId = Number.parseInt(name.slice(prefix.length), 10);
    const path = join(parent, name);
    const isOwn = process.getuid?.() === 0 || lstatSync(path, { throwIfNoEntry: false })?.uid === process.getuid?.();
    if (!(processId > 0 && isOwn && !isRunning(processId))) continue;
    if (!removeSharedMemory(path)) continue;
    try {
      // Of several test processes that find it, one gets it.
      const taken = `${path}-taken`;
      renameSync(path, taken);
      rmSync(taken, { recursive: true, force: true });
    } catch {
      // Another one has it, or the next one tries again.
    }
  }
}

/**
 * An empty folder for one server: data, socket, certificate. Short, since the path of a socket has 107 bytes at most.
 * `isOnDisk` is false for a database whose data may be lost with the machine: a disk would be waited for at each step.
 */
export function makeServiceFolder(user: ServerUser | undefined, { isOnDisk = true } = {}): string {
  for (const parent of serviceFolderParents()) removeStale(parent);
  const parent = !isOnDisk && hasRoomInMemory() ? memoryFolder : tmpdir();
  const folder = mkdtempSync(join(parent, `${prefix}${process.pid}-`));
  giveTo(folder, user);
  // Clients that run as somebody else reach the socket in it.
  chmodSync(folder, 0o711);
  return folder;
}
