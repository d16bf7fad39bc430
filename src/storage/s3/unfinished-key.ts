/** Keys of objects that are complete but not checked yet, or are only there to be copied, and of marks. They are never listed. */
import { hash } from 'node:crypto';
import { isRunning, processSpaceTag } from '../../disk/process-life.ts';
import type { Random } from '../../random.ts';

/** The first part of such keys, below the storage's prefix. */
export const unfinishedFolder = '.holdfast-unfinished';

const pattern = /^(\d+)-([0-9a-f]{8})-[0-9a-f]{16}(?:\.([0-9a-f]{32}))?$/;

/** A new name, which tells the process that made it. */
export function unfinishedName(random: Random): string {
  const unique = Buffer.from(random.bytes(8)).toString('hex');
  return `${unfinishedFolder}/${process.pid}-${processSpaceTag()}-${unique}`;
}

/** Half of a SHA-256: a name has more bytes than a key may have beside the folder. */
export function digestOfName(name: string): string {
  return hash('sha256', name, 'hex').slice(0, 32);
}

/** The name of a mark on an object that is not checked yet. */
export function uncheckedMarkName(name: string, random: Random): string {
  return `${unfinishedName(random)}.${digestOfName(name)}`;
}

/** The digest of the name that a mark is on; undefined for what is no mark. */
export function markedDigest(markName: string): string | undefined {
  return pattern.exec(markName.slice(unfinishedFolder.length + 1))?.[3];
}

/** Whether a name is kept for them. */
export function isUnfinishedName(name: string): boolean {
  return name === unfinishedFolder || name.startsWith(`${unfinishedFolder}/`);
}

/** What is known of the process that made a name: whether it lives, or undefined where that is another machine's. */
export function isMakerRunning(name: string): boolean | undefined {
  const [, processId, tag] = pattern.exec(name.slice(unfinishedFolder.length + 1)) ?? [];
  return processId !== undefined && tag === processSpaceTag() ? isRunning(Number(processId)) : undefined;
}
