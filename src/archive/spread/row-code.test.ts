import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parityOf } from '../../../vectors/reference-parity.ts';
import { SeededRandom } from '../../testing/index.ts';
import { multiply, power } from '../heal/galois-field.ts';
import { bodySizeBytes } from '../heal/geometry.ts';
import { RowCode, rowCoefficients } from './row-code.ts';
import { shardCount } from './shard-format.ts';

/** The bodies of a row, data and then parity as the plain code makes it. */
function rowOf(data: number, parity: number, zeros: readonly number[] = []): (Buffer | undefined)[] {
  const random = new SeededRandom(data);
  const bodies = Array.from({ length: data }, (_, index) =>
    zeros.includes(index) ? Buffer.alloc(bodySizeBytes) : Buffer.from(random.bytes(bodySizeBytes)),
  );
  const all = [...bodies, ...parityOf(bodies, parity)];
  return all.map((body, index) => (zeros.includes(index) ? undefined : body));
}

function checkSolved(code: RowCode, row: readonly (Buffer | undefined)[], known: number[], wanted: number[]): void {
  const solved = code.solve(
    known,
    known.map((index) => row[index]),
    wanted,
  );
  assert.equal(solved.length, wanted.length);
  for (const [place, index] of wanted.entries()) {
    assert.ok(solved[place]?.equals(row[index] ?? Buffer.alloc(bodySizeBytes)), `${known} give ${index}`);
  }
}

test('any bodies of a row give the others, whatever was solved before', () => {
  const code = new RowCode({ data: 3, parity: 3 });
  const row = rowOf(3, 3);
  const withZeros = rowOf(3, 3, [1]);
  for (const one of [row, withZeros, row]) {
    checkSolved(code, one, [0, 1, 2], [3, 4, 5]);
    checkSolved(code, one, [0, 1, 2], [4]);
    checkSolved(code, one, [3, 4, 5], [0, 1, 2]);
    checkSolved(code, one, [1, 2, 4], [0, 3]);
    checkSolved(code, one, [1, 2, 4], [0, 5]);
    checkSolved(code, one, [1, 2, 5], [0, 3]);
  }
});

test('the smallest and the largest numbers of shards', () => {
  for (const [data, parity] of [
    [1, 1],
    [200, 16],
  ] as const) {
    const row = rowOf(data, parity);
    const all = Array.from(row.keys());
    checkSolved(new RowCode({ data, parity }), row, all.slice(0, data), all.slice(data));
    checkSolved(new RowCode({ data, parity }), row, all.slice(parity), all.slice(0, parity));
  }
});

test('what is given stands until the next call, and is of the size of a body', () => {
  const code = new RowCode({ data: 2, parity: 2 });
  const row = rowOf(2, 2);
  // Blocks may be longer than bodies: what stands behind is no part of them.
  const long = [0, 1].map((index) => Buffer.concat([row[index] as Buffer, Buffer.alloc(5000, 7)]));
  const solved = code.solve([0, 1], long, [2, 3]);
  assert.deepEqual(
    solved.map(({ length }) => length),
    [bodySizeBytes, bodySizeBytes],
  );
  assert.ok(solved[1]?.equals(row[3] as Buffer));
});

test('too many shards that are known, or one that is wanted though it is known, are mistakes', () => {
  const shape = { data: 2, parity: 2 };
  const code = new RowCode(shape);
  const body = new Uint8Array(bodySizeBytes);
  const mistakes = [
    () => code.solve([0], [body], [1]),
    () => code.solve([0, 1], [body, body], []),
    () => code.solve([0, 1], [body, body], [2, 3, 4]),
    () => rowCoefficients(shape, [0, 0], [2]),
    () => rowCoefficients(shape, [0, 1], [1]),
  ];
  for (const mistake of mistakes) assert.throws(mistake, { code: 'ERR_ASSERTION' });
});

const shapes = fc.record({ data: fc.integer({ min: 1, max: 9 }), parity: fc.integer({ min: 1, max: 5 }) });

test('any k give the others, as format.md section 4 says', () => {
  const law = fc.property(shapes, fc.infiniteStream(fc.nat(255)), fc.nat(), (shape, bytes, seed) => {
    const n = shardCount(shape);
    const random = new SeededRandom(seed);
    const all = Array.from({ length: n }, (_, index) => index);
    const data = all.slice(0, shape.data);
    const word = data.map(() => bytes.next().value as number);
    const parity = rowCoefficients(shape, data, all.slice(shape.data)).map((row) =>
      row.reduce((sum, coefficient, index) => sum ^ multiply(coefficient, word[index] ?? 0), 0),
    );
    const codeword = [...word, ...parity];
    for (let degree = 0; degree < shape.parity; degree += 1) {
      const locator = (index: number) => (index < shape.data ? 255 - index : index - shape.data + 1);
      const sum = codeword.reduce((total, value, index) => total ^ multiply(value, power(locator(index), degree)), 0);
      assert.equal(sum, 0);
    }
    const known = all.filter(() => true);
    while (known.length > shape.data) known.splice(random.integer(known.length), 1);
    const wanted = all.filter((index) => !known.includes(index));
    for (const [place, row] of rowCoefficients(shape, known, wanted).entries()) {
      const sum = row.reduce((total, value, index) => total ^ multiply(value, codeword[known[index] ?? 0] ?? 0), 0);
      assert.equal(sum, codeword[wanted[place] ?? 0]);
    }
  });
  fc.assert(law, { numRuns: 50 });
});
