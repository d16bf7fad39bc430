import { createHash } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { isSystemError } from './system-error.ts';

/** Whether a process of this host and container has the number. */
export function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, as another user.
    return !isSystemError(error) || error.code !== 'ESRCH';
  }
}

/** Where process numbers are given: 8 hex digits for this host and container. Elsewhere a number means another process. */
export function processSpaceTag(): string {
  let space = '';
  try {
    space = readlinkSync('/proc/self/ns/pid');
  } catch (error) {
    // Only Linux has it; elsewhere the host's name is enough.
    if (!isSystemError(error)) throw error;
  }
  return createHash('sha256').update(`${hostname()}\0${space}`).digest('hex').slice(0, 8);
}
