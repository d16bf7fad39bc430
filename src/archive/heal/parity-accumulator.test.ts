import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { multiply, power } from './galois-field.ts';
import { bandGeometry, blockSizeBytes, bodySizeBytes, frameSizeBytes, type StripeShape } from './geometry.ts';
import { finishParity, ParityAccumulator } from './parity-accumulator.ts';

function seededBlocks(seed: string, count: number): Uint8Array {
  return createHash('shake256', { outputLength: count * blockSizeBytes })
    .update(seed)
    .digest();
}

function bodyByte(blocks: Uint8Array, index: number, column: number): number {
  return blocks[index * blockSizeBytes + frameSizeBytes + column]!;
}

/** Whether every stripe's column is a codeword by the sums of the format. */
function assertCodewords(blocks: Uint8Array, parity: Uint8Array, shape: StripeShape): void {
  const count = blocks.length / blockSizeBytes;
  const { stripes, parityRows } = bandGeometry(count, shape);
  assert.equal(parity.length, stripes * parityRows * bodySizeBytes);
  for (const column of [0, 1, 2047, bodySizeBytes - 1]) {
    for (let stripe = 0; stripe < stripes; stripe++) {
      for (let row = 0; row < parityRows; row++) {
        let sum = 0;
        for (let index = 0; index * stripes + stripe < count; index++) {
          const factor = power((shape.parityBlocks + index) * row);
          sum ^= multiply(bodyByte(blocks, index * stripes + stripe, column), factor);
        }
        for (let parityRow = 0; parityRow < parityRows; parityRow++) {
          const byte = parity[(parityRow * stripes + stripe) * bodySizeBytes + column]!;
          sum ^= multiply(byte, power(parityRow * row));
        }
        assert.equal(sum, 0, `stripe ${stripe}, row ${row}, column ${column}`);
      }
    }
  }
}

function encode(blocks: Uint8Array, shape: StripeShape, accumulator = new ParityAccumulator(shape)): Uint8Array {
  const count = blocks.length / blockSizeBytes;
  accumulator.add(blocks, 0, count);
  return finishParity([accumulator.take(count)], count, shape.dataBlocks, shape.parityBlocks);
}

test('stripes are codewords on both sides of every limit of the band', () => {
  for (const shape of [
    { dataBlocks: 1, parityBlocks: 2 },
    { dataBlocks: 5, parityBlocks: 3 },
    { dataBlocks: 4, parityBlocks: 17 },
  ]) {
    const { dataBlocks: full } = shape;
    const accumulator = new ParityAccumulator(shape);
    for (const count of new Set([1, full, full + 1, 8 * full, 8 * full + 1, 64 * full - 1, 64 * full])) {
      const blocks = seededBlocks(`band ${count}`, count);
      assertCodewords(blocks, encode(blocks, shape, accumulator), shape);
    }
  }
});

test('stripes are codewords with the default shape and with the largest ones', () => {
  for (const [dataBlocks, parityBlocks, count] of [
    [239, 16, 5],
    [239, 16, 239],
    [239, 16, 500],
    [191, 64, 191],
    [253, 2, 254],
  ] as const) {
    const blocks = seededBlocks(`shape ${dataBlocks} ${count}`, count);
    assertCodewords(blocks, encode(blocks, { dataBlocks, parityBlocks }), { dataBlocks, parityBlocks });
  }
});

test('the parity is the same however a band is cut up and over however many accumulators', () => {
  const shape = { dataBlocks: 13, parityBlocks: 4 };
  const cuts = fc.array(fc.record({ count: fc.integer({ min: 1, max: 300 }), worker: fc.nat(2) }), {
    minLength: 1,
    maxLength: 12,
  });
  const law = fc.property(cuts, fc.boolean(), (parts, backwards) => {
    const wanted = parts.reduce((sum, part) => sum + part.count, 0);
    const count = Math.min(wanted, 64 * shape.dataBlocks);
    const blocks = seededBlocks(`cut ${count}`, count);
    const accumulators = [0, 1, 2].map(() => new ParityAccumulator(shape));
    const pieces: { first: number; count: number; worker: number }[] = [];
    for (let first = 0, index = 0; first < count; index++) {
      const part = parts[index]!;
      pieces.push({ first, count: Math.min(part.count, count - first), worker: part.worker });
      first += part.count;
    }
    if (backwards) pieces.reverse();
    for (const piece of pieces) {
      const bytes = blocks.subarray(piece.first * blockSizeBytes, (piece.first + piece.count) * blockSizeBytes);
      accumulators[piece.worker]!.add(bytes, piece.first, piece.count);
    }
    const partials = accumulators.map((accumulator) => accumulator.take(count));
    const parity = finishParity(partials, count, shape.dataBlocks, shape.parityBlocks);
    assert.ok(Buffer.from(parity).equals(encode(blocks, shape)));
  });
  fc.assert(law, { seed: 5, numRuns: 25 });
});

test('syndromes lie stripe by stripe and row by row, and are zeros after they were taken', () => {
  const shape = { dataBlocks: 2, parityBlocks: 3 };
  const accumulator = new ParityAccumulator(shape);
  const blocks = seededBlocks('layout', 10);
  accumulator.add(blocks, 0, 10);
  const taken = accumulator.take(10);
  assert.equal(taken.length, 8 * 3 * bodySizeBytes);
  for (let stripe = 0; stripe < 8; stripe++) {
    for (let row = 0; row < 3; row++) {
      let sum = multiply(bodyByte(blocks, stripe, 77), power(3 * row));
      if (stripe < 2) sum ^= multiply(bodyByte(blocks, stripe + 8, 77), power(4 * row));
      assert.equal(taken[(stripe * 3 + row) * bodySizeBytes + 77], sum);
    }
  }
  for (const count of [1, 10, 128]) assert.ok(accumulator.take(count).every((byte) => byte === 0));
});

test('blocks beyond the band and shapes beyond the format are refused', () => {
  const accumulator = new ParityAccumulator({ dataBlocks: 2, parityBlocks: 2 });
  accumulator.add(seededBlocks('last', 1), 127, 1);
  assert.throws(() => accumulator.add(seededBlocks('last', 1), 128, 1));
  assert.throws(() => accumulator.add(seededBlocks('short', 1), 0, 2));
  for (const [dataBlocks, parityBlocks] of [
    [0, 2],
    [1, 1],
    [191, 65],
    [240, 16],
  ] as const) {
    assert.throws(() => new ParityAccumulator({ dataBlocks, parityBlocks }));
  }
});
