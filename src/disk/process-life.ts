import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { isSystemError } from './system-error.ts';

/** Whether a process of this host and container has the number, and has not ended. */
export function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
  } catch (error) {
    // EPERM: it runs, as another user.
    if (isSystemError(error) && error.code === 'ESRCH') return false;
  }
  return !hasEnded(processId);
}

/** A process that has ended keeps its number until its parent asks for the end, which the first one of many containers never does. */
function hasEnded(processId: number): boolean {
  // Only Linux has it. The program's name, in parentheses, may hold anything.
  const status = textOf(() => readFileSync(`/proc/${processId}/stat`, 'latin1'));
  return /^[ZX]/.test(status.slice(status.lastIndexOf(')') + 2));
}

/** A text of the system that is not everywhere: empty where it is missing. */
function textOf(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return '';
  }
}

/**
 * Where process numbers are given: 8 hex digits for this machine and container. Elsewhere a number means another process. Machines of one
 * name are told apart by their machine id.
 */
export function processSpaceTag(): string {
  // Only Linux has these; elsewhere the host's name is enough.
  const space = textOf(() => readlinkSync('/proc/self/ns/pid'));
  const machine = textOf(() => readFileSync('/etc/machine-id', 'utf8'));
  return createHash('sha256').update(`${hostname()}\0${space}\0${machine}`).digest('hex').slice(0, 8);
}
