import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { multiply, power } from './galois-field.ts';
import { bandGeometry, blockSizeBytes, bodySizeBytes, frameSizeBytes, type StripeShape } from './geometry.ts';
import { ParityAccumulator } from './parity-accumulator.ts';

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
          const factor = power(255 - index, row);
          sum ^= multiply(bodyByte(blocks, index * stripes + stripe, column), factor);
        }
        for (let parityRow = 0; parityRow < parityRows; parityRow++) {
          const byte = parity[(parityRow * stripes + stripe) * bodySizeBytes + column]!;
          sum ^= multiply(byte, power(parityRow + 1, row));
        }
        assert.equal(sum, 0, `stripe ${stripe}, row ${row}, column ${column}`);
      }
    }
  }
}

/** The bodies of the band's parity blocks, joined; what was added is forgotten. */
function finish(accumulator: ParityAccumulator, count: number, shape: StripeShape): Uint8Array {
  const { stripes, parityRows } = bandGeometry(count, shape);
  accumulator.solve(count);
  const bodies = Array.from({ length: stripes * parityRows }, (_, index) => accumulator.parityBody(count, index));
  const parity = Buffer.concat(bodies);
  accumulator.clear();
  return parity;
}

function encode(blocks: Uint8Array, shape: StripeShape, accumulator = new ParityAccumulator(shape)): Uint8Array {
  const count = blocks.length / blockSizeBytes;
  accumulator.add(blocks, 0, count);
  return finish(accumulator, count, shape);
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

test('stripes of the default shape are codewords where chunks of blocks begin and end', () => {
  const shape = { dataBlocks: 239, parityBlocks: 16 };
  const accumulator = new ParityAccumulator(shape);
  for (const count of [511, 512, 513, 1912, 1913, 2049]) {
    const blocks = seededBlocks(`chunks ${count}`, count);
    assertCodewords(blocks, encode(blocks, shape, accumulator), shape);
  }
});

test('nothing is left of a band, solved or not, once it is cleared', () => {
  const shape = { dataBlocks: 2, parityBlocks: 3 };
  const accumulator = new ParityAccumulator(shape);
  for (const solved of [true, false]) {
    accumulator.add(seededBlocks('cleared', 10), 0, 10);
    if (solved) accumulator.solve(10);
    accumulator.clear();
    for (const count of [1, 10, 128]) assert.ok(finish(accumulator, count, shape).every((byte) => byte === 0));
  }
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

test('it is for stripes of its very shape', () => {
  const accumulator = new ParityAccumulator({ dataBlocks: 5, parityBlocks: 3 });
  assert.equal(accumulator.isFor({ dataBlocks: 5, parityBlocks: 3 }), true);
  assert.equal(accumulator.isFor({ dataBlocks: 5, parityBlocks: 4 }), false);
  assert.equal(accumulator.isFor({ dataBlocks: 6, parityBlocks: 3 }), false);
});

test('the parity is the same where a piece begins within what is taken at a time', () => {
  const shape = { dataBlocks: 20, parityBlocks: 2 };
  const blocks = seededBlocks('within', 1200);
  const accumulator = new ParityAccumulator(shape);
  accumulator.add(blocks, 0, 5);
  accumulator.add(blocks.subarray(5 * blockSizeBytes), 5, 1195);
  assert.ok(Buffer.from(finish(accumulator, 1200, shape)).equals(encode(blocks, shape)));
});

test('stripes are codewords with every M, and with bands so short that m is smaller', () => {
  for (let parityBlocks = 2; parityBlocks <= 64; parityBlocks++) {
    const shape = { dataBlocks: 255 - parityBlocks, parityBlocks };
    const accumulator = new ParityAccumulator(shape);
    for (const count of [1, 9 + parityBlocks, shape.dataBlocks]) {
      const blocks = seededBlocks(`M ${parityBlocks} ${count}`, count);
      assertCodewords(blocks, encode(blocks, shape, accumulator), shape);
    }
  }
});

test('the parity is the same however a band is cut up, and in whatever order it comes', () => {
  const shape = { dataBlocks: 31, parityBlocks: 4 };
  const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 12 });
  const accumulator = new ParityAccumulator(shape);
  const law = fc.property(cuts, fc.boolean(), (parts, backwards) => {
    const count = Math.min(
      parts.reduce((sum, part) => sum + part, 0),
      64 * shape.dataBlocks,
    );
    const blocks = seededBlocks(`cut ${count}`, count);
    const pieces: { first: number; count: number }[] = [];
    for (let first = 0, index = 0; first < count; first += parts[index++]!) {
      pieces.push({ first, count: Math.min(parts[index]!, count - first) });
    }
    if (backwards) pieces.reverse();
    for (const piece of pieces) {
      const bytes = blocks.subarray(piece.first * blockSizeBytes, (piece.first + piece.count) * blockSizeBytes);
      accumulator.add(bytes, piece.first, piece.count);
    }
    const parity = finish(accumulator, count, shape);
    assert.ok(Buffer.from(parity).equals(encode(blocks, shape)));
  });
  fc.assert(law, { seed: 5, numRuns: 40 });
});
