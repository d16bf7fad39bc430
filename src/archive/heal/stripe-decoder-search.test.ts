import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  candidatesOf,
  combinations,
  makeStripe,
  onePerSweep,
  Seeded,
  search,
  small,
  withErased,
  wrongIn,
} from '../../../test/archive/stripe.ts';
import { bodySizeBytes } from './geometry.ts';

/** What a stripe's search finds, and what it costs: small stripes, each with the damage that one step of the search is for. */

test('as many lost blocks as there is parity come back, whichever they are, for one hash each', () => {
  for (const erased of combinations(4, 10)) {
    const lostData = erased.filter((index) => index < 6);
    assert.deepEqual(search(small, withErased(small, erased)), { lost: [], hashed: lostData }, `${erased}`);
  }
  assert.deepEqual(search(small, withErased(small, [0, 1, 5, 6, 9])).lost, [0, 1, 5]);
  assert.deepEqual(search(small, withErased(small, [1, 2, 3, 4, 5])).lost, [1, 2, 3, 4, 5]);
});

test('the last data block of a stripe that uses every locator comes back', () => {
  const stripe = makeStripe(253, { dataBlocks: 253, parityBlocks: 2 });
  assert.deepEqual(search(stripe, withErased(stripe, [252, 253])), { lost: [], hashed: [252] });
});

test('what is gained leaves the rest to the next round', () => {
  const { lost, hashed } = search(small, withErased(small, [1, 3, 5]), onePerSweep());
  assert.deepEqual({ lost, hashed }, { lost: [], hashed: [1, 3, 5, 3, 5, 5] });
});

test('lost blocks are solved whatever stands in their place', () => {
  // As errors these four would be far too many.
  const noise = new Seeded('noise');
  const candidates = candidatesOf(small, (_, index) =>
    [0, 2, 4, 6].includes(index) ? [noise.bytes(bodySizeBytes)] : undefined,
  );
  assert.deepEqual(search(small, candidates), { lost: [], hashed: [0, 2, 4] });
});

test('half of m errors in each column are found where nothing tells their places', () => {
  const candidates = candidatesOf(small, (body, index) => [
    // Two errors in most columns, one in some between.
    wrongIn(body, (column) => index === column % 10 || (index === (column + 3) % 10 && column % 7 > 0), index),
  ]);
  assert.deepEqual(search(small, candidates), { lost: [], hashed: [0, 1, 2, 3, 4, 5] });
});

test('lost blocks and unknown errors are solved up to 2e + f = m, and none beyond', () => {
  const damaged = (lost: readonly number[]) =>
    candidatesOf(small, (body, index) =>
      lost.includes(index) ? [] : [wrongIn(body, (column) => index === 4 + (column % 6), index)],
    );
  assert.deepEqual(search(small, damaged([0])).lost, []);
  assert.deepEqual(search(small, damaged([0, 1])), { lost: [], hashed: [0, 1, 2, 3, 4, 5] });
  assert.deepEqual(search(small, damaged([0, 1, 2])).lost, [0, 1, 2, 4, 5]);
});

test('zeroed parts of blocks are erasures', () => {
  // Two blocks are zeros in part. Where they are, other blocks have an error, now here, now there: three errors, or two erasures and one.
  const candidates = candidatesOf(small, (body, index) => {
    if (index < 2) return [body.slice().fill(0, 1000, 1500)];
    return [wrongIn(body, (column) => column >= 1000 && column < 1500 && index === 2 + (column % 8), index)];
  });
  assert.deepEqual(search(small, candidates), { lost: [], hashed: [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5] });
});

test('what is wrong in columns without a solution is erased where that is not too much', () => {
  // Three blocks of data are wrong at the same places, and a block of parity at others.
  const candidates = candidatesOf(small, (body, index) => {
    if (index < 3) return [wrongIn(body, (column) => column % 2 === 0, index)];
    if (index === 9) return [wrongIn(body, (column) => column % 2 === 1)];
    return index === 8 ? [body] : undefined;
  });
  assert.deepEqual(search(small, candidates).lost, []);
});

test('a column with one error too many is solved by guessing two blocks that are still wrong', () => {
  // Errors in two of three data blocks and one of parity, each pair in a column of its own.
  const wrong = new Map([
    [0, [0, 1, 6]],
    [2000, [0, 2, 6]],
    [bodySizeBytes - 1, [1, 2, 6]],
  ]);
  const candidates = candidatesOf(small, (body, index) =>
    index < 3 || index === 6
      ? [wrongIn(body, (column) => wrong.get(column)?.includes(index) === true, index)]
      : index > 6
        ? [body]
        : undefined,
  );
  assert.deepEqual(search(small, candidates).lost, []);
});

test('beside an odd number of erasures one block is guessed', () => {
  const wrong = new Map([
    [10, [0, 1]],
    [11, [1, 6]],
    [2000, [2, 6]],
    [3000, [3, 6]],
  ]);
  const candidates = candidatesOf(small, (body, index) => {
    if (index === 9) return [];
    const copy = wrongIn(body, (column) => wrong.get(column)?.includes(index) === true, index);
    return index < 4 || index > 5 ? [copy] : undefined;
  });
  assert.deepEqual(search(small, candidates).lost, []);
});

test('what is an erasure already is not guessed', () => {
  const candidates = candidatesOf(small, (body, index) => {
    // The two copies of block 0 differ in a column in which 1 and 6 have an error each.
    if (index === 0) return [1, 2].map((copy) => wrongIn(body, (column) => column === 500, copy));
    if (index === 1 || index === 6) return [wrongIn(body, (column) => column === 500, 5)];
    return index < 4 ? [wrongIn(body, (column) => column === 600 + index)] : index > 6 ? [body] : undefined;
  });
  assert.deepEqual(search(small, candidates).lost, []);
});

test('columns that have a solution, though an unproven one, are not guessed', () => {
  const candidates = candidatesOf(small, (body, index) => {
    if (index < 3) return undefined;
    const isWrong = (column: number) =>
      column < 900
        ? index === 5 || index === 7
        : column === 2000
          ? [3, 4, 6].includes(index)
          : column === 2001 && index > 3 && index < 7;
    return [wrongIn(body, isWrong, index)];
  });
  assert.deepEqual(search(small, candidates).lost, []);
});

test('what the second look gains leaves fewer for the next round', () => {
  // As in zeroed parts; and a column with three errors, which can be solved once the other blocks are known.
  const candidates = candidatesOf(small, (body, index) => {
    if (index > 5) return undefined;
    const copy = index > 2 ? body : wrongIn(body, (column) => column === 3000, index);
    if (index < 2) return [copy.slice().fill(0, 1000, 1500)];
    return [wrongIn(copy, (column) => column >= 1000 && column < 1500 && index === 2 + (column % 4), index)];
  });
  const hashed = [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2];
  assert.deepEqual(search(small, candidates), { lost: [], hashed });
});

test('what erased data gain leaves fewer for the next round', () => {
  const candidates = candidatesOf(small, (body, index) => {
    // A column in which a block of data and two of parity are wrong.
    const copy =
      index === 0 || index === 6 || index === 9 ? wrongIn(body, (column) => column === 301, 3 + index) : body;
    if (index < 3) return [wrongIn(copy, (column) => column % 2 === 0, index)];
    return index === 6 || index > 7 ? [copy] : undefined;
  });
  const hashed = [0, 1, 2, 0, 1, 2, 0];
  assert.deepEqual(search(small, candidates), { lost: [], hashed });
});

test('m blocks of data are erased where parity is right, though nothing says so', () => {
  const noise = new Seeded('unknown parity');
  const candidates = candidatesOf(small, (body, index) =>
    index < 4 ? [noise.bytes(bodySizeBytes)] : index > 5 ? [body] : undefined,
  );
  assert.deepEqual(search(small, candidates).lost, []);
});

test('what is beyond help is hashed no more often than it changes', () => {
  // Errors in two blocks of data and two of parity, with a third of parity that may be wrong.
  const candidates = candidatesOf(small, (body, index) => {
    if ([1, 2, 6, 7].includes(index)) return [wrongIn(body, (column) => column === 77, index)];
    return index === 8 ? [body] : undefined;
  });
  assert.deepEqual(search(small, candidates), { lost: [1, 2], hashed: [1, 2] });
});

test('any two blocks are guessed, and what is gained is left out in the next round', () => {
  // One column needs the first and the fourth of five, the other is beyond help.
  const wrong = new Map([
    [5, [0, 3, 6]],
    [77, [1, 2, 4, 6, 7]],
  ]);
  const candidates = candidatesOf(small, (body, index) => {
    if (index === 5 || index === 9) return undefined;
    return [wrongIn(body, (column) => wrong.get(column)?.includes(index) === true, index)];
  });
  const hashed = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 1, 2, 4];
  assert.deepEqual(search(small, candidates), { lost: [1, 2, 4], hashed });
});

test('a guess in a column with a hole corrects what was read without the hole', () => {
  const wrong = new Map([
    [120, [0, 6]],
    // What is guessed right stays lost, so that nothing is gained but the block with the hole.
    [3000, [0, 1, 2, 3, 6, 7]],
  ]);
  const candidates = candidatesOf(small, (body, index) => {
    if (index === 5 || index === 9) return undefined;
    const copy = wrongIn(body, (column) => wrong.get(column)?.includes(index) === true, index);
    return [index === 4 ? copy.fill(0x55, 100, 140) : copy];
  });
  assert.deepEqual(search(small, candidates).lost, [0, 1, 2, 3]);
});

test('a round for each block, and 64 rounds at most', () => {
  const stripe = makeStripe(66, { dataBlocks: 191, parityBlocks: 64 });
  const candidates = candidatesOf(stripe, (body, index) => (index < 66 ? [body] : undefined));
  const { lost } = search(stripe, candidates, onePerSweep());
  assert.deepEqual(lost, [64, 65]);
});

test('a million guesses by m are made of a stripe', () => {
  const stripe = makeStripe(191, { dataBlocks: 191, parityBlocks: 64 });
  const guesses = 1_000_000 / 64;
  const pairs = [...combinations(2, 191)];
  const searchFor = (pair: readonly number[]) => {
    // In column 0 the pair is wrong, and as many blocks of parity as make the guess needed; in column 1 all other data.
    const candidates = candidatesOf(stripe, (body, index) => {
      const isInPair = pair.includes(index);
      return [wrongIn(body, (column) => column === (isInPair || index > 223 ? 0 : index < 191 ? 1 : -1), index)];
    });
    return search(stripe, candidates);
  };
  const others = (pair: readonly number[]) =>
    stripe.bodies.flatMap((_, index) => (index < 191 && !pair.includes(index) ? [index] : []));
  const last = pairs[guesses - 1] ?? [];
  assert.deepEqual(searchFor(last).lost, others(last));
  // One guess more would be needed; and as nothing has changed no hash is asked for again.
  const { lost, hashed } = searchFor(pairs[guesses] ?? []);
  assert.deepEqual([lost.length, hashed.length], [191, 191]);
});
