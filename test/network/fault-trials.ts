import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../src/errors.ts';
import type { RandomAccess, Storage } from '../../src/storage/storage.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { get, listNames, put, readAll } from '../../src/testing/storage-case.ts';
import type { FaultProxy } from './fault-proxy.ts';

/** What {@link runFaultTrials} needs. */
export interface FaultTrialOptions {
  readonly proxy: FaultProxy;
  /** Whose requests pass the proxy; its requests have a short limit and short pauses. */
  readonly harmed: Storage;
  /** The same storage, reached without the proxy. */
  readonly direct: Storage;
  readonly seeds: number;
  /** Largest run. */
  readonly sizeBytes: number;
}

/** How the trials ended. */
export interface TrialCounts {
  committed: number;
  failed: number;
  faults: number;
}

const limitMs = 60_000;

/**
 * Writes objects through a network that fails as seeds say. Each run commits an object that reads back as it was written, or fails
 * and leaves what stood there; none takes longer than a minute.
 */
export async function runFaultTrials(options: FaultTrialOptions): Promise<TrialCounts> {
  const counts = { committed: 0, failed: 0, faults: 0 };
  for (let seed = 1; seed <= options.seeds; seed += 1) {
    const timer = new AbortController();
    const late = delay(limitMs, 'late', { signal: timer.signal }).catch(() => 'stopped');
    const outcome = await Promise.race([runTrial(options, seed), late]);
    timer.abort();
    assert.notEqual(outcome, 'late', `seed ${seed} hangs`);
    counts[outcome === 'committed' ? 'committed' : 'failed'] += 1;
  }
  counts.faults = options.proxy.faultCount;
  return counts;
}

async function runTrial({ proxy, harmed, direct, sizeBytes }: FaultTrialOptions, seed: number): Promise<string> {
  const random = new SeededRandom(seed);
  const name = `trial ${seed}`;
  const hasOld = seed % 2 === 0;
  if (hasOld) await put(direct, name, 'old');
  // Every sixth network never gets better.
  const isHopeless = seed % 6 === 0;
  const faults = 1 + random.integer(8);
  proxy.reset(isHopeless ? { seed, faults: 1e9, rate: 1, cutWithinBytes: 100 } : { seed, faults, rate: 0.6 });
  const bytes = random.bytes(random.integer(sizeBytes));
  const copies = 1 + random.integer(3);
  const expected = Buffer.concat(Array.from({ length: copies }, () => bytes));
  const error = await write(harmed, name, { bytes, copies, random, expected });
  proxy.reset({ seed, faults: 0, rate: 0 });
  const visible = await listNames(direct, name);
  if (error === undefined) {
    assert.ok(!isHopeless, `seed ${seed}: nothing went through, and it says it did`);
    await compare(await direct.open(name), expected);
  } else {
    assert.deepEqual(visible, hasOld ? [name] : [], `seed ${seed} left something: ${error.message}`);
    if (hasOld) assert.equal(await get(direct, name), 'old', `seed ${seed}`);
  }
  await direct.delete(name);
  return error === undefined ? 'committed' : 'failed';
}

interface Written {
  readonly bytes: Uint8Array;
  readonly copies: number;
  readonly random: SeededRandom;
  readonly expected: Uint8Array;
}

/** The error where it failed. */
async function write(storage: Storage, name: string, written: Written): Promise<HoldfastError | undefined> {
  const { bytes, copies, random, expected } = written;
  let abort: (() => Promise<void>) | undefined;
  try {
    const writer = await storage.writer(name, { copies });
    abort = () => writer.abort();
    for (let offset = 0; offset < bytes.length; ) {
      const length = 1 + random.integer(400_000);
      await writer.write(bytes.subarray(offset, offset + length));
      offset += length;
    }
    await writer.commit((stored) => compare(stored, expected));
    return undefined;
  } catch (error) {
    // It cannot reach the storage either, where that never comes back.
    await abort?.().catch(() => undefined);
    assert.ok(error instanceof HoldfastError, `not an error of ours: ${error instanceof Error ? error.stack : error}`);
    return error;
  }
}

async function compare(stored: RandomAccess, expected: Uint8Array): Promise<void> {
  assert.equal(stored.sizeBytes, expected.length);
  assert.equal(Buffer.compare(await readAll(stored), expected), 0);
}
