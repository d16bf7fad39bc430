import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { multiply, power } from './galois-field.ts';
import { bodySizeBytes } from './geometry.ts';
import { PlainKernel } from './plain-kernel.ts';
import { roundRows, tableSizeBytes, writeSolvingTables, writeSyndromeTables, writeTable } from './reed-solomon.ts';

function seededBytes(seed: string, sizeBytes: number): Buffer {
  return createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();
}

test('rows are rounded up to a multiple of 8', () => {
  assert.deepEqual([1, 7, 8, 9, 16, 17, 64].map(roundRows), [8, 8, 8, 16, 16, 24, 64]);
});

test('a table holds all products of its coefficient', () => {
  const memory = new Uint8Array(2 * tableSizeBytes);
  for (let coefficient = 0; coefficient < 256; coefficient++) {
    writeTable(memory, tableSizeBytes, coefficient);
    const table = memory.subarray(tableSizeBytes);
    for (let byte = 0; byte < 256; byte++) {
      assert.equal(table[byte & 15]! ^ table[16 + (byte >> 4)]!, multiply(coefficient, byte));
    }
  }
  assert.ok(memory.subarray(0, tableSizeBytes).every((byte) => byte === 0));
});

test('syndromes are the sums of the format', () => {
  const count = 5;
  const firstExponent = 250;
  const tables = count * bodySizeBytes;
  const target = tables + count * 8 * tableSizeBytes;
  const kernel = new PlainKernel(target + 8 * bodySizeBytes);
  const bodies = seededBytes('syndromes', count * bodySizeBytes);
  kernel.memory.set(bodies);
  writeSyndromeTables(kernel.memory, { offset: tables, firstExponent, exponentCount: count, rowCount: 8 });
  kernel.accumulate({
    source: 0,
    sourceStrideBytes: bodySizeBytes,
    sourceCount: count,
    tables,
    tableStrideBytes: 8 * tableSizeBytes,
    target,
    rowCount: 8,
  });
  for (let row = 0; row < 8; row++) {
    for (let column = 0; column < bodySizeBytes; column += 253) {
      let sum = 0;
      for (let index = 0; index < count; index++) {
        sum ^= multiply(bodies[index * bodySizeBytes + column]!, power((firstExponent + index) * row));
      }
      assert.equal(kernel.memory[target + row * bodySizeBytes + column], sum);
    }
  }
});

test('solving tables undo syndromes of as many bodies', () => {
  const places = fc.uniqueArray(fc.integer({ min: 0, max: 254 }), { minLength: 1, maxLength: 20 });
  const law = fc.property(places, (exponents) => {
    const count = exponents.length;
    const rowCount = roundRows(count);
    const tables = 0;
    const source = count * rowCount * tableSizeBytes;
    const target = source + count * bodySizeBytes;
    const kernel = new PlainKernel(target + rowCount * bodySizeBytes);
    const bodies = seededBytes(exponents.join(), count * bodySizeBytes);
    for (let row = 0; row < count; row++) {
      for (const [index, exponent] of exponents.entries()) {
        const factor = power(exponent * row);
        for (let column = 0; column < 16; column++) {
          kernel.memory[source + row * bodySizeBytes + column]! ^= multiply(
            factor,
            bodies[index * bodySizeBytes + column]!,
          );
        }
      }
    }
    writeSolvingTables(kernel.memory, tables, Uint8Array.from(exponents, power));
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
