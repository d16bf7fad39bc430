import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bandGeometry,
  blockSizeBytes,
  bodySizeBytes,
  frameSizeBytes,
  hashSizeBytes,
  headerReplicas,
  Layout,
  payloadSizeBytes,
  type StripeShape,
  stripesPerBand,
} from './geometry.ts';

const shapes: fc.Arbitrary<StripeShape> = fc
  .integer({ min: 2, max: 64 })
  .chain((parityBlocks) =>
    fc.record({ dataBlocks: fc.integer({ min: 1, max: 255 - parityBlocks }), parityBlocks: fc.constant(parityBlocks) }),
  )
  .filter(({ dataBlocks }) => dataBlocks <= 253);

/** A shape with a T that lies anywhere, or just beside where something changes. */
const layouts = shapes.chain((shape) => {
  const K = shape.dataBlocks;
  const bounds = [1, K, 8 * K, 64 * K, 128 * K].flatMap((bound) => [bound - 1, bound, bound + 1]);
  const near = fc.constantFrom(...bounds.filter((total) => total >= 1));
  const total = fc.oneof(near, fc.integer({ min: 1, max: 1000 * K }), fc.integer({ min: 1, max: 2 ** 40 }));
  return fc.record({ shape: fc.constant(shape), total });
});

test('the sizes are those of the format', () => {
  assert.deepEqual([blockSizeBytes, frameSizeBytes, hashSizeBytes], [4096, 32, 16]);
  assert.deepEqual([bodySizeBytes, payloadSizeBytes], [4048, 4032]);
  assert.deepEqual([headerReplicas, stripesPerBand], [3, 64]);
});

test('the stripes of a band change right behind K and 8K', () => {
  const shape = { dataBlocks: 239, parityBlocks: 16 };
  const stripesOf = (data: number) => bandGeometry(data, shape).stripes;
  assert.deepEqual([1, 239, 240, 8 * 239, 8 * 239 + 1, 64 * 239].map(stripesOf), [1, 1, 8, 8, 64, 64]);
});

test('parity rows keep the ratio and 4 more, between 2 and M', () => {
  const rows = (data: number, parityBlocks: number, dataBlocks = 239) =>
    bandGeometry(data, { dataBlocks, parityBlocks }).parityRows;
  // ceil(k·M / K) + 4
  assert.equal(rows(1, 16), 5);
  assert.equal(rows(100, 16), 11);
  assert.equal(rows(164, 16), 15);
  assert.equal(rows(165, 16), 16);
  assert.equal(rows(239, 16), 16);
  assert.equal(rows(1, 2), 2);
  assert.equal(rows(1, 64, 191), 5);
  assert.equal(rows(1, 3, 1), 3);
  assert.deepEqual(bandGeometry(64 * 239, { dataBlocks: 239, parityBlocks: 16 }), {
    stripes: 64,
    longest: 239,
    parityRows: 16,
    blocks: 3 + 64 * 255,
  });
});

test('every position of small layouts has one place, and the place has that position', () => {
  const property = fc.property(shapes, fc.integer({ min: 1, max: 130 }), (shape, total) => {
    const dataBlocks = Math.min(shape.dataBlocks, 3);
    const layout = new Layout(total * Math.ceil(dataBlocks / 2), { ...shape, dataBlocks });
    const seen = { header: 0, data: 0, parity: 0, final: 0 };
    for (let position = 0; position < layout.totalBlocks; position++) {
      const place = layout.place(position);
      seen[place.kind]++;
      if (place.kind === 'header') assert.equal(layout.bandPosition(place.band) + place.ordinal, position);
      if (place.kind === 'data')
        assert.equal(layout.dataPosition(layout.bandFirstData(place.band) + place.index), position);
      if (place.kind === 'parity') assert.equal(layout.parityPosition(place.band, place.index), position);
      if (place.kind === 'final') assert.equal(layout.finalPosition(place.ordinal), position);
    }
    assert.equal(seen.data, layout.totalDataBlocks);
    assert.equal(seen.header, layout.bands * headerReplicas);
    assert.equal(seen.final, headerReplicas);
    let parity = 0;
    for (let band = 0; band < layout.bands; band++) {
      const { stripes, parityRows } = layout.bandGeometry(band);
      parity += stripes * parityRows;
    }
    assert.equal(seen.parity, parity);
  });
  fc.assert(property, { seed: 1, numRuns: 200 });
});

test('data and parity of large layouts lie where their place says', () => {
  const property = fc.property(layouts, fc.double({ min: 0, max: 1, noNaN: true }), ({ shape, total }, where) => {
    const layout = new Layout(total, shape);
    const number = Math.min(total - 1, Math.floor(where * total));
    const place = layout.place(layout.dataPosition(number));
    assert.equal(place.kind, 'data');
    assert(place.kind === 'data');
    assert.equal(layout.bandFirstData(place.band) + place.index, number);
    const band = Math.min(layout.bands - 1, Math.floor(where * layout.bands));
    const geometry = layout.bandGeometry(band);
    const index = Math.floor(where * (geometry.stripes * geometry.parityRows - 1));
    assert.deepEqual(layout.place(layout.parityPosition(band, index)), { kind: 'parity', band, index });
    assert.equal(layout.bandDataBlocks(layout.bands - 1) + (layout.bands - 1) * 64 * shape.dataBlocks, total);
  });
  fc.assert(property, { seed: 2, numRuns: 2000 });
});

test('the number of blocks gives the layout back', () => {
  const property = fc.property(layouts, ({ shape, total }) => {
    const layout = new Layout(total, shape);
    assert.equal(Layout.fromTotalBlocks(layout.totalBlocks, shape)?.totalDataBlocks, total);
    for (let ordinal = 0; ordinal < headerReplicas; ordinal++) {
      const found = Layout.fromFinalBlock(layout.finalPosition(ordinal), ordinal, shape);
      assert.equal(found?.totalDataBlocks, total);
    }
  });
  fc.assert(property, { seed: 3, numRuns: 3000 });
});

test('a number of blocks that no layout has gives none', () => {
  const shape = { dataBlocks: 5, parityBlocks: 3 };
  const sizes = new Map<number, number>();
  for (let total = 1; total <= 700; total++) sizes.set(new Layout(total, shape).totalBlocks, total);
  assert.equal(sizes.size, 700);
  const largest = Math.max(...sizes.keys());
  for (let blocks = -5; blocks <= largest; blocks++) {
    assert.equal(Layout.fromTotalBlocks(blocks, shape)?.totalDataBlocks, sizes.get(blocks), `${blocks} blocks`);
  }
});
