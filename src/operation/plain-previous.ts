import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { defaultAllowedFall } from '../policy/plausibility.ts';
import type { WritableLocation } from './location.ts';
import type { Comparison } from './options.ts';

/**
 * A plain dump bears no mark that it is suspect: so many earlier ones are looked at, and the largest counts, so that the first bad one is
 * not the measure of the next.
 */
const comparedCount = 7;

interface Earlier {
  readonly label: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** Compares the size of a file with those of the earlier ones beside it, whose names differ in digits only. It never throws. */
export async function compareWithEarlier(
  locations: readonly WritableLocation[],
  sizeBytes: number,
  options: { readonly output: unknown; readonly allowedFall?: number | undefined },
): Promise<Comparison> {
  const reasons: string[] = [];
  for (const location of locations) {
    try {
      const found = typeof options.output === 'string' ? await inFolder(options.output) : await onStorage(location);
      const newest = found.sort((a, b) => b.modifiedMs - a.modifiedMs).slice(0, comparedCount);
      const [largest] = newest.sort((a, b) => b.sizeBytes - a.sizeBytes);
      if (largest === undefined) return { falls: [] };
      const { label, sizeBytes: before } = largest;
      const hasFallen = sizeBytes < before * (1 - (options.allowedFall ?? defaultAllowedFall));
      const fall = { path: 'the file', measure: 'bytes', before, now: sizeBytes } as const;
      return { previous: label, falls: hasFallen ? [fall] : [] };
    } catch (error) {
      // An earlier one that cannot be had is no reason not to make a new one.
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { ...(reasons[0] === undefined ? {} : { reason: reasons[0] }), falls: [] };
}

function isAlike(name: string, other: string): boolean {
  const shape = (text: string) => text.replace(/-\d+(?=\.\D)/, '').replace(/\d+/g, '0');
  return shape(name) === shape(other);
}

async function inFolder(output: string): Promise<Earlier[]> {
  const found: Earlier[] = [];
  for (const name of await readdir(dirname(output))) {
    if (!isAlike(name, basename(output))) continue;
    const label = join(dirname(output), name);
    const stats = await stat(label);
    if (stats.isFile()) found.push({ label, sizeBytes: stats.size, modifiedMs: stats.mtimeMs });
  }
  return found;
}

async function onStorage({ storage, name }: WritableLocation): Promise<Earlier[]> {
  const found: Earlier[] = [];
  for await (const object of storage.list(name.slice(0, name.lastIndexOf('/') + 1))) {
    if (!isAlike(object.name, name)) continue;
    found.push({ label: storage.url(object.name), sizeBytes: object.sizeBytes, modifiedMs: object.modifiedMs });
  }
  return found;
}
