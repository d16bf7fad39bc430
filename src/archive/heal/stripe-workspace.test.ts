import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { multiply, power } from './galois-field.ts';
import { bodySizeBytes } from './geometry.ts';
import { dataLocator, parityLocator } from './reed-solomon.ts';
import { StripeWorkspace } from './stripe-workspace.ts';

const maximumParityRows = 10;

function fill(workspace: StripeWorkspace, size: { dataCount: number; parityRows: number }, seed: string): number[] {
  const places = [
    ...Array.from({ length: size.parityRows }, (_, row) => parityLocator(row)),
    ...Array.from({ length: size.dataCount }, (_, index) => dataLocator(index)),
  ];
  workspace.values.set(createHash('shake256', { outputLength: workspace.values.length }).update(seed).digest());
  return places;
}

test('syndromes are the sums over the places of the stripe, one stripe after the other', () => {
  const workspace = new StripeWorkspace(maximumParityRows);
  for (const size of [
    { dataCount: 9, parityRows: 10 },
    { dataCount: 3, parityRows: 4 },
    { dataCount: 245, parityRows: 10 },
  ]) {
    const places = fill(workspace, size, `syndromes ${size.dataCount}`);
    workspace.computeSyndromes(size);
    for (let row = 0; row < size.parityRows; row++) {
      for (const column of [0, 100, bodySizeBytes - 1]) {
        const sum = places.reduce(
          (all, place) => all ^ multiply(workspace.values[place * bodySizeBytes + column]!, power(place, row)),
          0,
        );
        assert.equal(workspace.syndromes[row * bodySizeBytes + column], sum);
      }
    }
  }
});

test('solved bodies are what the syndromes were made of, one solution after the other', () => {
  const workspace = new StripeWorkspace(maximumParityRows);
  const size = { dataCount: 20, parityRows: 10 };
  for (const unknown of [[1], [244, 3, 255], [1, 2, 4, 8, 236, 10, 240, 239, 255, 9]]) {
    for (const place of fill(workspace, size, `solve ${unknown.length}`)) {
      if (!unknown.includes(place)) workspace.values.fill(0, place * bodySizeBytes, (place + 1) * bodySizeBytes);
    }
    workspace.computeSyndromes(size);
    const solved = workspace.solve(Uint8Array.from(unknown));
    for (const [index, place] of unknown.entries()) {
      const expected = workspace.values.subarray(place * bodySizeBytes, (place + 1) * bodySizeBytes);
      assert.deepEqual(solved.subarray(index * bodySizeBytes, (index + 1) * bodySizeBytes), expected);
    }
  }
});

test('as many bodies are solved as a stripe may have parity rows', () => {
  const size = { dataCount: 100, parityRows: 64 };
  const workspace = new StripeWorkspace(size.parityRows);
  const places = fill(workspace, size, 'all rows');
  const unknown = places.slice(20, 84);
  for (const place of places.filter((each) => !unknown.includes(each))) {
    workspace.values.fill(0, place * bodySizeBytes, (place + 1) * bodySizeBytes);
  }
  workspace.computeSyndromes(size);
  const solved = workspace.solve(Uint8Array.from(unknown));
  for (const [index, place] of unknown.entries()) {
    const expected = workspace.values.subarray(place * bodySizeBytes, (place + 1) * bodySizeBytes);
    assert.equal(Buffer.compare(solved.subarray(index * bodySizeBytes, (index + 1) * bodySizeBytes), expected), 0);
  }
});
