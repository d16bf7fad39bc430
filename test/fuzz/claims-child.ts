/** Reads archives whose numbers claim as much as they can, in a small heap; fails where memory was taken for a claim. */
import assert from 'node:assert/strict';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { exercise } from './exercise.ts';
import { type Mutation, mutate } from './mutate.ts';
import { vectorSeeds, writtenSeeds } from './seeds.ts';

/** The least that is needed anyway: threads, their heaps and the buffers of segments of the size that a header may have. */
const limitBytes = 700 * 1024 * 1024;

const huge = [2n ** 32n - 1n, 2n ** 48n - 1n, 2n ** 64n - 1n];
const workers = new WorkerPool(1);
try {
  const seeds = await writtenSeeds(workers);
  const named = /huge|bomb|count|16777|beyond|length|overflow|offset|segments|2-60/;
  for (const { name, bytes, keys } of vectorSeeds().filter((seed) => named.test(seed.name))) {
    await exercise(workers, bytes, keys);
    check(name);
  }
  for (const { name, bytes, keys } of seeds.slice(0, 1)) {
    for (let field = 0; field < 34; field++) {
      for (const value of huge) {
        for (const block of [0, 0.999]) {
          const mutation: Mutation = { kind: 'field', block, field, value, all: true };
          await exercise(workers, mutate(bytes, [mutation]), keys);
        }
      }
      check(`${name}, field ${field}`);
    }
  }
} finally {
  await workers.close();
}

function check(what: string): void {
  const { rss } = process.memoryUsage();
  assert.ok(rss < limitBytes, `${what}: ${Math.round(rss / 1024 / 1024)} MiB`);
}
