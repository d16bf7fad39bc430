import type { FileHandle } from 'node:fs/promises';
import { type Clock, systemClock } from '../clock.ts';

/** Small enough to cost a cold file a few milliseconds, large enough that a disk takes several times as long as memory. */
const probeBytes = 256 * 1024;
const probes = 8;

/**
 * Whether most of a file is in the page cache: no system call that Node has tells. Places all over it are read twice, each through the cache: the
 * second time comes from memory, and so did the first where it took no longer. Costs a cold file 2 MiB of reading.
 */
export async function isInPageCache(
  handle: FileHandle,
  sizeBytes: number,
  clock: Clock = systemClock,
): Promise<boolean> {
  if (sizeBytes < probes * probeBytes) return false;
  const memory = new Uint8Array(probeBytes);
  const timed = async (offset: number): Promise<number> => {
    const startMs = clock.monotonicMs();
    await handle.read(memory, 0, probeBytes, offset);
    return clock.monotonicMs() - startMs;
  };
  const firstMs: number[] = [];
  const againMs: number[] = [];
  for (let probe = 0; probe < probes; probe += 1) {
    const offset = Math.floor(((sizeBytes - probeBytes) / (probes - 1)) * probe);
    firstMs.push(await timed(offset));
    againMs.push(await timed(offset));
  }
  return median(firstMs) <= 2 * median(againMs);
}

/** The upper one of an even number. */
function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
}
