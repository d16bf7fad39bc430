import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { multiply, power } from './galois-field.ts';
import { bodySizeBytes } from './geometry.ts';
import { PlainKernel } from './plain-kernel.ts';
import {
  dataLocator,
  parityLocator,
  roundRows,
  tableSizeBytes,
  writeSolvingTables,
  writeTable,
} from './reed-solomon.ts';

function seededBytes(seed: string, sizeBytes: number): Buffer {
  return createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();
}

test('rows are rounded up to a multiple of 8', () => {
  assert.deepEqual([1, 7, 8, 9, 16, 17, 64].map(roundRows), [8, 8, 8, 16, 16, 24, 64]);
});

test('a table holds all products of its coefficient', () => {
  assert.equal(tableSizeBytes, 32);
  const memory = new Uint8Array(2 * tableSizeBytes);
  for (let coefficient = 0; coefficient < 256; coefficient++) {
    memory.fill(0xff, tableSizeBytes);
    writeTable(memory, tableSizeBytes, coefficient);
    const table = memory.subarray(tableSizeBytes);
    for (let byte = 0; byte < 256; byte++) {
      assert.equal(table[byte & 15]! ^ table[16 + (byte >> 4)]!, multiply(coefficient, byte));
    }
  }
  assert.ok(memory.subarray(0, tableSizeBytes).every((byte) => byte === 0));
});

test('locators are distinct and not zero with every shape, and eight aligned indexes differ in their low three bits', () => {
  for (let parityBlocks = 2; parityBlocks <= 64; parityBlocks++) {
    const data = Array.from({ length: 255 - parityBlocks }, (_, index) => dataLocator(index));
    const parity = Array.from({ length: parityBlocks }, (_, row) => parityLocator(row));
    assert.equal(new Set([0, ...data, ...parity]).size, 256);
    for (const [index, locator] of data.entries()) {
      assert.equal(locator >> 3, data[index - (index % 8)]! >> 3);
      assert.equal(dataLocator(locator), index);
    }
  }
});

test('solving tables undo sums of as many bodies', () => {
  const places = fc.uniqueArray(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 20 });
  const law = fc.property(places, (locators) => {
    const count = locators.length;
    const rowCount = roundRows(count);
    const tables = 0;
    const source = count * rowCount * tableSizeBytes;
    const target = source + count * bodySizeBytes;
    const kernel = new PlainKernel(target + rowCount * bodySizeBytes);
    const bodies = seededBytes(locators.join(), count * bodySizeBytes);
    const matrix = locators.map((_, row) => Uint8Array.from(locators, (locator) => power(locator, row)));
    for (const [row, factors] of matrix.entries()) {
      for (const [index, factor] of factors.entries()) {
        for (let column = 0; column < 16; column++) {
          kernel.memory[source + row * bodySizeBytes + column]! ^= multiply(
            factor,
            bodies[index * bodySizeBytes + column]!,
          );
        }
      }
    }
    writeSolvingTables(kernel.memory, tables, matrix);
    const strides = { sourceStrideBytes: bodySizeBytes, tableStrideBytes: rowCount * tableSizeBytes };
    kernel.accumulate({ source, sourceCount: count, tables, target, rowCount, ...strides });
    for (let index = 0; index < rowCount; index++) {
      const start = target + index * bodySizeBytes;
      const expected =
        index < count ? bodies.subarray(index * bodySizeBytes, index * bodySizeBytes + 16) : Buffer.alloc(16);
      assert.deepEqual(Buffer.from(kernel.memory.subarray(start, start + 16)), expected);
    }
  });
  fc.assert(law, { seed: 3, numRuns: 30 });
});
