/** Keys of objects that are complete but not checked yet, or are only there to be copied. They are never listed. */
import { isRunning, processSpaceTag } from '../../disk/process-life.ts';
import type { Random } from '../../random.ts';

/** The first part of such keys, below the storage's prefix. */
export const unfinishedFolder = '.holdfast-unfinished';

const pattern = /^(\d+)-([0-9a-f]{8})-[0-9a-f]{16}$/;

/** A new name, which tells the process that made it. */
export function unfinishedName(random: Random): string {
  const unique = Buffer.from(random.bytes(8)).toString('hex');
  return `${unfinishedFolder}/${process.pid}-${processSpaceTag()}-${unique}`;
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
