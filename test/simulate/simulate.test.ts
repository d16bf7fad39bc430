/** The short part of the simulation, and proof that its oracle can fail. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describePlan } from './describe-plan.ts';
import { makePlan } from './make-plan.ts';
import { mistakes, product } from './mistakes.ts';
import { partCount, without } from './plan.ts';
import { simulateInProcesses } from './simulate-processes.ts';
import { simulate } from './simulate-worlds.ts';

describe('simulated worlds', () => {
  it('hold every promise, whatever goes wrong', async (t) => {
    const { failures, tally, runs } = await simulate({ seed: 1, runs: 80, system: product });
    assert.deepEqual(failures.map(describePlan), []);
    const faults = [...tally].filter(([what]) => what.startsWith('fault ')).reduce((sum, [, count]) => sum + count, 0);
    assert.ok(faults > 100, `${faults} faults came to pass`);
    t.diagnostic(`${runs} worlds, ${faults} faults`);
  });

  it('are the same each time', async () => {
    const play = async () => {
      const events: string[] = [];
      const onEvents = (lines: readonly string[]) => void events.push(...lines);
      const { tally } = await simulate({ seed: 517, runs: 8, system: product, onEvents });
      return { events, tally: [...tally].sort() };
    };
    assert.deepEqual(await play(), await play());
  });

  it('are the same in several processes', async () => {
    const alone = await simulate({ seed: 616, runs: 5, system: product });
    const { signal } = new AbortController();
    const options = { processes: 2, signal, onFailure: (text: string) => assert.fail(text) };
    const { runs, tally } = await simulateInProcesses({ seed: 616, runs: 5, dropped: [] }, options);
    assert.equal(runs, 5);
    assert.deepEqual([...tally].sort(), [...alone.tally].sort());
  });
});

/** The first world in which each mistake is seen: `simulate({ seed: 1, runs: 150, system: mistakes[…], maximumFailures: 1 })` finds it. */
const seeds: Readonly<Record<keyof typeof mistakes, number>> = {
  'a storage publishes what was aborted': 1,
  'a storage publishes other bytes than were checked': 2,
  'a storage publishes without a check': 1,
  'a storage deletes another object': 5,
  'retention removes the newest': 2,
  'retention passes over failed runs': 31,
  'retention knows nothing of proofs': 13,
  'a source ends early without an error': 11,
  'a database in use is copied as a file': 12,
  'a backup is not compared with the one before': 23,
  'every backup is green': 2,
  'every scrub is green': 25,
  'a check sees no damage': 3,
  'a repair gives up what would heal': 2,
  'a restore writes in place': 36,
  'a message quotes the passphrase': 3,
  'a pin is not kept': 8,
  'a check passes over lost shards': 6,
  'a backup tells nothing of a storage that took no shard': 14,
  'all writings of a name have one tag': 150,
  'parity over storages is that of other data': 6,
};

describe('the oracle sees', () => {
  for (const [mistake, system] of Object.entries(mistakes)) {
    it(mistake, async () => {
      const { failures } = await simulate({ seed: seeds[mistake] ?? 1, runs: 1, system, shrinks: false });
      assert.equal(failures.length, 1);
    });
  }

  it('what is needed for it, and no more', async () => {
    const system = mistakes['a storage publishes other bytes than were checked'];
    assert.ok(system);
    const { failures } = await simulate({ seed: 2, runs: 1, system });
    const [failure] = failures;
    assert.ok(failure);
    assert.equal(without(failure.plan, failure.dropped).steps.length, 1);
    const again = await simulate({ seed: 2, runs: 1, system, dropped: failure.dropped, shrinks: false });
    assert.equal(again.failures[0]?.violation.promise, failure.violation.promise);
    assert.match(describePlan(failure), /npm run simulate -- --seed 2 --drop /);
  });
});

it('parts of a plan are left out without a change of the others', () => {
  const plan = makePlan(7);
  const all = new Set(Array.from({ length: partCount(plan) }, (_, part) => part));
  assert.deepEqual(without(plan, new Set()), plan);
  assert.equal(without(plan, all).steps.length, 0);
  for (const part of all) {
    const less = without(plan, new Set([part]));
    assert.ok(partCount(less) < partCount(plan));
    assert.ok(less.steps.every(({ does }) => JSON.stringify(plan).includes(JSON.stringify(does))));
  }
});
