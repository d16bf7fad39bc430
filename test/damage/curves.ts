import assert from 'node:assert/strict';
import type { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { Corruptor, type Damage, SeededRandom } from '../../src/testing/index.ts';
import { judge, makeSubject, type Subject } from './subject.ts';

/** What is hit, and how hard: one panel of the plot. */
export interface Kind {
  readonly name: string;
  readonly title: string;
  /** Shares of the whole, rising. */
  readonly amounts: readonly number[];
  /** Whether the plot's axis is logarithmic. */
  readonly isLogarithmic: boolean;
  /** Trials at each amount, as a share of the usual number: where one takes longer there are fewer. */
  readonly weight: number;
  readonly damage: (make: Corruptor, random: SeededRandom, sizeBytes: number, amount: number) => Damage;
}

export const kinds: readonly Kind[] = [
  {
    name: 'sectors',
    title: 'sectors of 4 KiB lost, anywhere',
    amounts: [0.004, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5],
    isLogarithmic: false,
    weight: 0.7,
    damage: (make, _random, _sizeBytes, amount) => make.loseSectors(amount),
  },
  {
    name: 'bytes',
    title: 'single bytes wrong, anywhere',
    amounts: [1e-6, 1e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 7e-3, 0.01, 0.015, 0.02, 0.03],
    isLogarithmic: true,
    weight: 0.6,
    damage: (make, _random, _sizeBytes, amount) => make.randomErrors(amount),
  },
  {
    name: 'region',
    title: 'one region overwritten',
    amounts: [0.001, 0.01, 0.03, 0.05, 0.06, 0.08, 0.12, 0.2, 0.3, 0.4, 0.47, 0.5, 0.53, 0.6, 0.7],
    isLogarithmic: false,
    weight: 1.5,
    damage: (make, random, sizeBytes, amount) => {
      const length = Math.max(1, Math.floor(sizeBytes * amount));
      return make.loseRange(random.integer(sizeBytes - length + 1), length);
    },
  },
  {
    name: 'tail',
    title: 'the tail cut off',
    amounts: [0.001, 0.01, 0.03, 0.05, 0.06, 0.08, 0.12, 0.2, 0.3, 0.4, 0.47, 0.5, 0.53, 0.6, 0.7],
    isLogarithmic: false,
    weight: 1.4,
    // Up to half of the step below less: a cut has no other place to be chosen.
    damage: (make, random, sizeBytes, amount) =>
      make.truncate(Math.floor(sizeBytes * (1 - amount)) + random.integer(Math.ceil(sizeBytes * 0.0005))),
  },
];

/** What came of one trial. */
export type Verdict = 'recovered' | 'refused' | 'wrong';

/** One curve: something that is damaged and restored. */
export interface Contender {
  readonly name: string;
  /** In the legend. */
  readonly label: string;
  /** All bytes that are stored, in one place or two. */
  readonly sizeBytes: number;
  /** Trials at each amount at most, whatever was asked for. */
  readonly trialsAtMost?: number;
  /** Stored bytes of each place, each damaged on its own. */
  readonly places: readonly Uint8Array[];
  /** Restores from damaged places, and compares every byte. */
  readonly restore: (damaged: readonly Uint8Array[]) => Promise<Verdict>;
}

/** How one contender stood one amount of one kind. */
export interface CurvePoint {
  readonly contender: string;
  readonly kind: string;
  readonly amount: number;
  readonly trials: number;
  readonly recovered: number;
  readonly refused: number;
  readonly wrong: number;
}

interface Shape {
  readonly name: string;
  readonly label: string;
  readonly copies: number;
  readonly parityBlocks: number;
  readonly storages: number;
}

const shapes: readonly Shape[] = [
  { name: 'copy-1', label: '1 copy', copies: 1, parityBlocks: 16, storages: 1 },
  { name: 'copy-1-parity-48', label: '1 copy, 48 parity blocks', copies: 1, parityBlocks: 48, storages: 1 },
  { name: 'copy-2', label: '2 copies (as usual)', copies: 2, parityBlocks: 16, storages: 1 },
  { name: 'copy-2-parity-32', label: '2 copies, 32 parity blocks', copies: 2, parityBlocks: 32, storages: 1 },
  { name: 'storage-2-copy-1', label: '2 storages, 1 copy each', copies: 1, parityBlocks: 16, storages: 2 },
  { name: 'storage-2-copy-2', label: '2 storages, 2 copies each', copies: 2, parityBlocks: 16, storages: 2 },
];

/** Compresses to a little less than what one full stripe holds. */
const plainBytes = 1_150_000;

/**
 * Holdfast's own curves: archives of one stripe that is nearly full, as larger archives have many. As many trials may run at once as there are
 * pools: workers know one archive at a time.
 */
export async function holdfastContenders(pools: readonly WorkerPool[], seed: number): Promise<Contender[]> {
  const free = [...pools];
  const withPool = async <Result>(work: (workers: WorkerPool) => Promise<Result>): Promise<Result> => {
    const workers = free.pop();
    assert(workers !== undefined, 'a trial has a pool of its own');
    try {
      return await work(workers);
    } finally {
      free.push(workers);
    }
  };
  const contenders: Contender[] = [];
  for (const { name, label, copies, parityBlocks, storages } of shapes) {
    const options = { name, seed, sizeBytes: plainBytes, copies, parityBlocks, dataBlocks: 255 - parityBlocks };
    const subject: Subject = await withPool((workers) => makeSubject(workers, options));
    const places = Array.from({ length: storages }, () => subject.bytes);
    const restore = (damaged: readonly Uint8Array[]) =>
      withPool(async (workers) => (await judge(workers, subject, damaged)).kind);
    contenders.push({ name, label, sizeBytes: subject.bytes.length * storages, places, restore });
  }
  return contenders;
}

/** One trial: the same seed damages in the same way. */
export async function runTrial(contender: Contender, kind: Kind, amount: number, seed: number): Promise<Verdict> {
  const random = new SeededRandom(seed);
  const damaged = contender.places.map((bytes) => {
    const damage = kind.damage(new Corruptor(random.fork()), random, bytes.length, amount);
    return damage.applyTo(bytes);
  });
  return await contender.restore(damaged);
}

/** The seed of a trial, from the campaign's and what is tried. */
export function trialSeed(seed: number, kind: number, amount: number, trial: number): number {
  return (Math.imul(seed, 0x9e3779b1) + kind * 100_000_007 + amount * 1_000_003 + trial) >>> 0;
}
