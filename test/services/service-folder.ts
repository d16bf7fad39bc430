import { chmodSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning, processSpaceTag } from '../../src/disk/process-life.ts';
import { giveTo, type ServerUser } from './server-user.ts';

const prefix = `holdfast-service-${processSpaceTag()}-`;

/** Removes what servers left whose test process was killed: they died with it, and nobody else could. */
function removeStale(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const processId = Number.parseInt(name.slice(prefix.length), 10);
    const path = join(tmpdir(), name);
    const isOwn = process.getuid?.() === 0 || lstatSync(path, { throwIfNoEntry: false })?.uid === process.getuid?.();
    if (processId > 0 && isOwn && !isRunning(processId)) rmSync(path, { recursive: true, force: true });
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
