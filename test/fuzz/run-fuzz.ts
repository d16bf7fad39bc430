import fc from 'fast-check';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { HoldfastError } from '../../src/errors.ts';
import { summarizeArchive } from '../../src/operation/inspect.ts';
import { memoryRandomAccess } from '../../src/testing/index.ts';
import { exercise } from './exercise.ts';
import { mutate, mutations } from './mutate.ts';
import { vectorSeeds, writtenSeeds } from './seeds.ts';

export interface FuzzOptions {
  readonly seed: number;
  readonly runs: number;
  /** Where to begin in a run that is repeated: fast-check's path. */
  readonly path?: string;
  readonly threads?: number;
}

/** How often each outcome came. */
export type Outcomes = Map<string, number>;

/** Mutates archives and reads them; throws, with what repeats it, where a reader answers with anything but bytes or a typed error. */
export async function runFuzz(options: FuzzOptions): Promise<Outcomes> {
  const workers = new WorkerPool(options.threads ?? 2);
  const outcomes: Outcomes = new Map();
  try {
    const seeds = [...(await writtenSeeds(workers)), ...vectorSeeds()];
    // Half of the runs begin with what was written here: it is whole, so that mutations alone decide.
    const chosen = fc.oneof(fc.constantFrom(...seeds.slice(0, 4)), fc.constantFrom(...seeds));
    const list = fc.array(mutations, { minLength: 1, maxLength: 4 });
    const property = fc.asyncProperty(
      chosen.map(({ name }) => name),
      list,
      async (name, changes) => {
        const seed = seeds.find((one) => one.name === name);
        if (seed === undefined) return;
        const bytes = mutate(seed.bytes, changes);
        const codes = await exercise(workers, bytes, seed.keys);
        const key = codes.join(' / ');
        outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
        await summarize(bytes);
      },
    );
    const { seed, runs, path } = options;
    await fc.assert(property, { seed, numRuns: runs, ...(path === undefined ? {} : { path }) });
  } finally {
    await workers.close();
  }
  return outcomes;
}

async function summarize(bytes: Uint8Array): Promise<void> {
  try {
    await summarizeArchive(memoryRandomAccess(bytes));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
  }
}
