import { ArchiveReader } from '../../src/archive/archive-reader.ts';
import { BlockStore } from '../../src/archive/heal/block-store.ts';
import { sweep } from '../../src/archive/heal/sweep.ts';
import type { UnlockKeys } from '../../src/archive/unlock.ts';
import type { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { HoldfastError } from '../../src/errors.ts';
import { memoryRandomAccess } from '../../src/testing/index.ts';
import { listEntries } from '../archive/write-sample.ts';

/** What reading in every way came to: `ok`, or the codes of the errors. */
export type Codes = readonly string[];

/** How long one way of reading may take unless told: far more than it should, so that only what does not end is found. */
const defaultLimitMs = 60_000;

/** Runs one way of reading; anything but a typed error is thrown on, and so is what did not end in time. */
async function codeOf(limitMs: number, work: (signal: AbortSignal) => Promise<void>): Promise<string> {
  const signal = AbortSignal.timeout(limitMs);
  try {
    await work(signal);
  } catch (error) {
    if (signal.aborted) throw new Error(`not done after ${limitMs} ms`, { cause: error });
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
  return 'ok';
}

async function readEverything(options: Parameters<typeof ArchiveReader.open>[0]): Promise<void> {
  const reader = await ArchiveReader.open(options);
  const entries = await listEntries(reader);
  const failures: HoldfastError[] = [];
  // All, though some fail: then each of them alone, from the last to the first.
  for (const { error } of await reader.check(entries)) failures.push(error);
  for (const entry of entries.slice(-20).reverse()) {
    try {
      for await (const chunk of reader.read(entry)) void chunk;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      failures.push(error);
    }
  }
  if (failures[0] !== undefined) throw failures[0];
}

/** Reads hostile bytes in every way. */
export async function exercise(
  workers: WorkerPool,
  bytes: Uint8Array,
  keys: UnlockKeys | undefined,
  limitMs = defaultLimitMs,
): Promise<Codes> {
  const sources = [memoryRandomAccess(bytes)];
  const read = await codeOf(limitMs, (signal) => readEverything({ sources, workers, keys, signal }));
  const swept = await codeOf(limitMs, async (signal) => {
    const store = await BlockStore.open({ sources, workers, signal });
    await sweep({ store });
  });
  return [read, swept];
}
