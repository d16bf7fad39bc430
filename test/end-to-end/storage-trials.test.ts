/**
 * Seeded trials: a backup to one to three storages, through all wrappers, that fail in every way that a network makes them. Each run ends;
 * what it says is written verifies, and what it says failed is not there. More with `HOLDFAST_STORAGE_TRIALS=2000`.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import type { Wait } from '../../src/clock.ts';
import { type ErrorCode, HoldfastError } from '../../src/errors.ts';
import {
  type BackupReport,
  createBackup,
  logStorage,
  MemoryStorage,
  prefixStorage,
  retryStorage,
  type Storage,
  throttleStorage,
} from '../../src/index.ts';
import { checkArchive } from '../../src/operation/verify.ts';
import { FakeClock, FaultyStorage, SeededRandom, type StorageFaults } from '../../src/testing/index.ts';
import { entriesSource } from './workspace.ts';

const trials = Number(process.env['HOLDFAST_STORAGE_TRIALS'] ?? 100);
const name = 'shop.holdfast';
/** No trial takes longer; one that does hangs. */
const trialLimitMs = 60_000;

let workers: WorkerPool;
before(() => {
  workers = new WorkerPool(1);
});
after(() => workers.close());

const codes: readonly ErrorCode[] = ['storage.unavailable', 'storage.full', 'storage.throttled', 'storage.timeout'];

/** Faults of one storage: often none, else one or two kinds. */
function drawFaults(random: SeededRandom, mayStall: boolean): StorageFaults {
  const kinds: (() => StorageFaults)[] = [
    () => ({ callErrorRate: random.float() * 0.6 }),
    () => ({ readErrorRate: random.float() * 0.3 }),
    () => ({
      writeFailure: { atByte: random.integer(250_000), code: codes[random.integer(codes.length)] ?? 'storage.full' },
    }),
    () => ({ commitFailure: { when: 'before' } }),
    () => ({ commitFailure: { when: 'after' } }),
    () => ({ bitRotRate: 10 ** -(3 + random.integer(4)) }),
    () => ({ badSectorFraction: random.float() * 0.1 }),
    () => ({ shortReadRate: random.float() * 0.5 }),
    () => ({}),
    () => ({}),
    ...(mayStall ? [() => ({ writeStall: { atByte: random.integer(250_000) } })] : []),
  ];
  const draw = () => kinds[random.integer(kinds.length)]?.() ?? {};
  return { ...draw(), ...(random.float() < 0.3 ? draw() : {}) };
}

/** All wrappers on a storage, with pauses that take no time. */
function wrapped(inner: Storage, random: SeededRandom): Storage {
  const clock = new FakeClock();
  const wait: Wait = async (durationMs, signal) => {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.wait(durationMs, signal);
  };
  const slow = throttleStorage(inner, { readBytesPerSecond: 1e6, writeBytesPerSecond: 1e6, clock, wait });
  const retried = retryStorage(slow, { clock, wait, random });
  return prefixStorage(logStorage(retried, { onCall: () => undefined, clock }), 'daily');
}

async function stateIn(storage: Storage): Promise<string> {
  try {
    await storage.stat(`daily/${name}`);
  } catch (error) {
    assert.ok(error instanceof HoldfastError && error.code === 'storage.not_found');
    return 'absent';
  }
  const access = await storage.open(`daily/${name}`);
  const checked = await checkArchive({ sources: [access], workers, run: {}, level: 'contents', keys: undefined });
  return checked.state;
}

async function limited<Result>(work: Promise<Result>, what: string): Promise<Result> {
  const limit = Promise.withResolvers<never>();
  const timer = setTimeout(() => limit.reject(new Error(`${what} hangs`)), trialLimitMs);
  return await Promise.race([work, limit.promise]).finally(() => clearTimeout(timer));
}

async function runTrial(seed: number): Promise<'written' | 'in part' | 'failed'> {
  const random = new SeededRandom(seed);
  const count = 1 + random.integer(3);
  const inner = Array.from({ length: count }, () => new MemoryStorage());
  const faults = inner.map(() => drawFaults(random, count > 1));
  const storages = inner.map((storage, index) => {
    return wrapped(new FaultyStorage(storage, { seed: seed + index, faults: faults[index] ?? {} }), random.fork());
  });
  const bytes = random.bytes(random.integer(200_000));
  const what = `seed ${seed}: ${JSON.stringify(faults)}`;
  let report: BackupReport | undefined;
  let failure: unknown;
  const work = createBackup({
    threads: 0,
    sources: [entriesSource('given', [{ path: 'files/given/a', bytes }])],
    output: storages.map((storage, index) => ({ storage, name, label: `s${index}` })),
    encryption: 'none',
    copies: 1 + random.integer(2),
    severalOutputs: { bufferBytes: 100_000, stallTimeoutMs: 400 },
  });
  try {
    report = await limited(work, what);
  } catch (error) {
    assert.ok(error instanceof HoldfastError, `${what}: ${String(error)}`);
    failure = error;
  }
  for (const [index, storage] of inner.entries()) {
    const state = await stateIn(storage);
    const isWritten = report !== undefined && report.outputs[index]?.error === undefined;
    // Where the answer to a commit is lost nobody can know; what is there is whole all the same.
    const isUnknown = faults[index]?.commitFailure?.when === 'after';
    const allowed = isWritten ? ['intact'] : isUnknown ? ['absent', 'intact'] : ['absent'];
    assert.ok(allowed.includes(state), `${what}: s${index} is ${state}`);
  }
  if (failure !== undefined) return 'failed';
  return report?.outputs.every(({ error }) => error === undefined) ? 'written' : 'in part';
}

test(`${trials} trials with storages that fail`, async () => {
  const outcomes = { written: 0, 'in part': 0, failed: 0 };
  for (let seed = 1; seed <= trials; seed += 1) outcomes[await runTrial(seed)] += 1;
  for (const [outcome, count] of Object.entries(outcomes)) {
    assert.ok(count >= trials / 20, `${outcome}: ${count} of ${trials}`);
  }
});
