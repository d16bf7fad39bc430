/** What fuzzing found once is answered rightly ever after; and each target is tried a little, of one seed always alike. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runGuided, runInput } from './guided.ts';
import { fuzzTargets } from './targets/index.ts';

const folder = join(import.meta.dirname, 'regressions');
const regressions = existsSync(folder) ? readdirSync(folder) : [];

/** Those whose inputs take milliseconds: the others are for `npm run fuzz`. */
const quick = Object.keys(fuzzTargets).filter((name) => name !== 'blocks');

describe('fuzzing', () => {
  for (const file of regressions) {
    const [name = ''] = file.split('-');
    it(`answers ${file} rightly`, async () => {
      const target = await fuzzTargets[name]?.();
      assert.ok(target, `there is no target ${name}`);
      await runInput(target, readFileSync(join(folder, file)));
      await target.close?.();
    });
  }

  for (const name of quick) {
    it(`finds nothing in some inputs for ${name}, and reaches more with what it keeps`, async () => {
      const target = await fuzzTargets[name]?.();
      assert.ok(target);
      const { finds, inputs, corpus } = await runGuided(target, { seed: 3, maximumInputs: 96 });
      assert.deepEqual(finds, []);
      assert.equal(inputs, 96);
      assert.ok(corpus.length > 0, `${corpus.length} inputs reached something new`);
    });
  }
});
