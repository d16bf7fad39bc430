import { basename, dirname, join } from 'node:path';
import { systemRandom } from '../random.ts';
import { processSpaceTag } from './process-life.ts';
import type { Owner } from './stale-paths.ts';

const partialPattern = /^\.(.*)\.holdfast-(\d+)-([0-9a-f]{8})[0-9a-f]{16}\.partial$/su;
const nameLimitBytes = 255;

/** A new temporary path beside `target`, hidden, which tells the process that made it. */
export function partialPath(target: string): string {
  const suffix = `.holdfast-${process.pid}-${processSpaceTag()}${Buffer.from(systemRandom.bytes(8)).toString('hex')}.partial`;
  const base = [...basename(target)];
  while (Buffer.byteLength(base.join('')) + 1 + suffix.length > nameLimitBytes) base.pop();
  return join(dirname(target), `.${base.join('')}${suffix}`);
}

/** Whether a file name is one that {@link partialPath} makes. */
export function isPartialName(name: string): boolean {
  return partialPattern.test(name);
}

/** Who made a name by {@link partialPath}, and of which target's name (its beginning, where it was too long). */
export function partialOwner(name: string): (Owner & { readonly base: string }) | undefined {
  const [, base, processId, tag] = partialPattern.exec(name) ?? [];
  if (base === undefined) return undefined;
  return { base, processId: Number(processId), isHere: tag === processSpaceTag() };
}
