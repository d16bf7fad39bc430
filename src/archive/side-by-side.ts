import type { IndexEntry } from './entry/entry.ts';

/** Entries in their order, as at most `count` parts of about the same size in bytes; none is empty. */
export function splitBySize(entries: readonly IndexEntry[], count: number): (readonly IndexEntry[])[] {
  const totalBytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const parts: IndexEntry[][] = [];
  let bytes = 0;
  for (const entry of entries) {
    const isDue = parts.length < count && bytes >= (totalBytes * parts.length) / count;
    const last = parts.at(-1);
    if (last === undefined || isDue) parts.push([entry]);
    else last.push(entry);
    bytes += entry.sizeBytes;
  }
  return parts;
}

/**
 * Works on several parts at once. The first failure aborts the signal that the others were given, and is thrown when all have ended:
 * afterwards nothing is under way.
 */
export async function sideBySide<Part, Result>(
  parts: readonly Part[],
  signal: AbortSignal | undefined,
  work: (part: Part, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const stop = new AbortController();
  const stopped = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  let thrown: { readonly error: unknown } | undefined;
  const results: Result[] = [];
  await Promise.all(
    parts.map(async (part, index) => {
      try {
        results[index] = await work(part, stopped);
      } catch (error) {
        thrown ??= { error };
        stop.abort(error);
      }
    }),
  );
  if (thrown !== undefined) throw thrown.error;
  return results;
}
