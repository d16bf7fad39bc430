import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning, processSpaceTag } from '../../src/disk/process-life.ts';
import { giveTo, type ServerUser } from './server-user.ts';

const prefix = `holdfast-service-${processSpaceTag()}-`;

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** A killed PostgreSQL leaves a small piece of shared memory, of which a machine has a few thousand: its lock file names it. */
function removeSharedMemory(folder: string): void {
  const named = linesOf(join(folder, 'data', 'postmaster.pid'))[6]
    ?.trim()
    .split(/\s+/);
  if (named === undefined) return;
  // Columns: key, number, mode, size, two processes, and how many are attached.
  const isLeft = linesOf('/proc/sysvipc/shm')
    .map((line) => line.trim().split(/\s+/))
    .some(([key, number, , , , , attached]) => key === named[0] && number === named[1] && attached === '0');
  if (isLeft) spawnSync('ipcrm', ['-m', named[1] ?? '']);
}

/** Removes what servers left whose test process was killed: they died with it, and nobody else could. */
function removeStale(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const processId = Number.parseInt(name.slice(prefix.length), 10);
    const path = join(tmpdir(), name);
    const isOwn = process.getuid?.() === 0 || lstatSync(path, { throwIfNoEntry: false })?.uid === process.getuid?.();
    if (!(processId > 0 && isOwn && !isRunning(processId))) continue;
    removeSharedMemory(path);
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

/** An empty folder for one server: data, socket, certificate. Short, since the path of a socket has 107 bytes at most. */
export function makeServiceFolder(user: ServerUser | undefined): string {
  removeStale();
  const folder = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  giveTo(folder, user);
  // Clients that run as somebody else reach the socket in it.
  chmodSync(folder, 0o711);
  return folder;
}
