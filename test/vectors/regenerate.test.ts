/** The vectors are what their generators make, and say what the error table knows. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { errorTable } from '../../src/errors.ts';
import { expectation, vectors } from '../../vectors/generators/all.ts';

const archives = join(import.meta.dirname, '../../vectors/archives');
const names = readdirSync(archives);

describe('the vectors', () => {
  it('are those of the generators, no more and no less', () => {
    const made = vectors.flatMap(({ name }) => [`${name}.holdfast`, `${name}.json`]);
    assert.equal(new Set(made).size, made.length, 'two vectors have one name');
    assert.deepEqual([...names].sort(), made.sort());
  });

  it('answer with codes of the error table', () => {
    for (const { name, expect, verifyState } of vectors) {
      assert.ok(expect === 'ok' || expect in errorTable, name);
      assert.ok(['intact', 'repairable', 'lost'].includes(verifyState) || verifyState in errorTable, name);
    }
  });

  it('stay small', () => {
    const sizes = names.map((name) => readFileSync(join(archives, name)).length);
    assert.ok(sizes.reduce((sum, size) => sum + size, 0) < 9 * 1024 * 1024);
  });

  for (const vector of vectors) {
    it(`${vector.name} is what its generator makes`, () => {
      const made = vector.make();
      const stored = JSON.parse(readFileSync(join(archives, `${vector.name}.json`), 'utf8')) as unknown;
      assert.deepEqual(stored, JSON.parse(JSON.stringify(expectation(vector, made))));
      if (vector.deterministic === false) return;
      const file = readFileSync(join(archives, `${vector.name}.holdfast`));
      assert.ok(file.equals(made.file), `${vector.name}.holdfast differs`);
    });
  }
});
