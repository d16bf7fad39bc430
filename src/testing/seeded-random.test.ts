import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from './seeded-random.ts';

/** The reference code of xoshiro128**, on 64-bit integers. */
function referenceWords(state: bigint[], count: number): bigint[] {
  const mask = 0xffff_ffffn;
  const rotate = (value: bigint, by: bigint) => ((value << by) | (value >> (32n - by))) & mask;
  const words: bigint[] = [];
  for (let index = 0; index < count; index += 1) {
    const [s0 = 0n, s1 = 0n, s2 = 0n, s3 = 0n] = state;
    words.push((rotate((s1 * 5n) & mask, 7n) * 9n) & mask);
    const [n2, n3] = [s2 ^ s0, s3 ^ s1];
    state = [s0 ^ n3, s1 ^ n2, n2 ^ ((s1 << 9n) & mask), rotate(n3, 11n)];
  }
  return words;
}

function splitmix32(seed: bigint): bigint[] {
  const mask = 0xffff_ffffn;
  return [1n, 2n, 3n, 4n].map((step) => {
    let value = (seed + step * 0x9e3779b9n) & mask;
    value = ((value ^ (value >> 16n)) * 0x21f0aaadn) & mask;
    value = ((value ^ (value >> 15n)) * 0x735a2d97n) & mask;
    return value ^ (value >> 15n);
  });
}

test('it is xoshiro128** on a state from splitmix32', () => {
  for (const seed of [0, 1, 7, 0x8000_0000, 0xffff_ffff]) {
    const expected = Buffer.alloc(400);
    for (const [index, word] of referenceWords(splitmix32(BigInt(seed)), 100).entries()) {
      expected.writeUInt32LE(Number(word), index * 4);
    }
    assert.deepEqual(Buffer.from(new SeededRandom(seed).bytes(400)), expected);
  }
});

test('the bytes are one stream, however they are asked for', () => {
  const property = fc.property(fc.nat(), fc.array(fc.nat(20)), (seed, lengths) => {
    const random = new SeededRandom(seed);
    const pieces = lengths.map((length) => random.bytes(length));
    const total = lengths.reduce((sum, length) => sum + length, 0);
    assert.deepEqual(Buffer.concat(pieces), Buffer.from(random.restart().bytes(total)));
  });
  fc.assert(property, { seed: 1 });
});

test('integers stay below, and each is drawn', () => {
  const random = new SeededRandom(3);
  for (const below of [1, 2, 6, 255]) {
    const counts = new Array<number>(below).fill(0);
    for (let draw = 0; draw < 400 * below; draw += 1) {
      const value = random.integer(below);
      counts[value] = (counts[value] ?? 0) + 1;
    }
    assert.equal(counts.length, below);
    for (const count of counts) assert.ok(count > 300 && count < 500, `${count} of 400`);
  }
  let largest = 0;
  for (let draw = 0; draw < 1000; draw += 1) largest = Math.max(largest, random.integer(2 ** 53));
  assert.ok(largest > 0.99 * 2 ** 53 && Number.isSafeInteger(largest));
  for (const below of [0, -1, 1.5, 2 ** 54]) assert.throws(() => random.integer(below));
});

test('floats are from 0 to below 1, around one half', () => {
  const random = new SeededRandom(4);
  let sum = 0;
  for (let draw = 0; draw < 10_000; draw += 1) {
    const value = random.float();
    assert.ok(value >= 0 && value < 1);
    sum += value;
  }
  assert.ok(Math.abs(sum / 10_000 - 0.5) < 0.02);
});

test('seeds that are not 32-bit numbers are refused, and forks go their own way', () => {
  for (const seed of [-1, 0.5, 2 ** 32, Number.NaN]) assert.throws(() => new SeededRandom(seed));
  const [one, two] = [new SeededRandom(9), new SeededRandom(9)];
  assert.notDeepEqual(one.fork().bytes(16), new SeededRandom(9).bytes(16));
  two.fork().bytes(1000);
  assert.deepEqual(one.bytes(16), two.bytes(16));
});
