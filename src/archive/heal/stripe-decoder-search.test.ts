import assert from 'node:assert/strict';
import { test } from 'node:test';
import { candidatesOf, lostOf, makeStripe, Seeded, type Stripe, withErased } from '../../../test/archive/stripe.ts';
import { bodySizeBytes } from './geometry.ts';
import { decodeStripe, type StripeCandidates } from './stripe-decoder.ts';

/** What a stripe's search finds, and what it costs: small stripes, each with the damage that one step of the search is for. */

/** 6 data blocks and 4 of parity: at most 4 erasures, or 2 errors, in a column. */
const small = makeStripe(6, { dataBlocks: 6, parityBlocks: 4 });
/** 8 data blocks and 6 of parity. */
const middle = makeStripe(8, { dataBlocks: 8, parityBlocks: 6 });

/** The body with these columns wrong; what is wrong differs from column to column and from `kind` to `kind`. */
function wrongIn(body: Uint8Array, isWrong: (column: number) => boolean, kind = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(body, (byte, column) =>
    isWrong(column) ? byte ^ (1 + ((column * 7 + kind * 31) % 255)) : byte,
  );
}

const everywhere = () => true;

interface Found {
  readonly lost: readonly number[];
  /** Data indexes in the order in which their hashes were asked for. */
  readonly hashed: readonly number[];
}

/** Decodes; a body is taken where it is the stripe's, and `accept` says so. Checks that no other comes back. */
function search(
  stripe: Stripe,
  candidates: readonly StripeCandidates[],
  accept: (index: number) => boolean = everywhere,
): Found {
  const hashed: number[] = [];
  const matchesHash = (index: number, body: Uint8Array) => {
    assert.ok(index >= 0 && index < stripe.dataCount, `index ${index}`);
    assert.equal(body.length, bodySizeBytes);
    hashed.push(index);
    return Buffer.compare(body, stripe.bodies[index]!) === 0 && accept(index);
  };
  const result = decodeStripe({ ...stripe, candidates, matchesHash });
  for (const [index, body] of result.data.entries()) {
    if (body !== undefined) assert.equal(Buffer.compare(body, stripe.bodies[index]!), 0, `data ${index}`);
  }
  const given = candidates.slice(0, stripe.dataCount).filter(({ intact }) => intact !== undefined).length;
  assert.equal(result.solvedCount, stripe.dataCount - lostOf(result).length - given);
  return { lost: lostOf(result), hashed };
}

/** Lets only the first of the blocks that are offered one after the other, by index, be taken; then the next sweep begins. */
function onePerSweep(): (index: number) => boolean {
  let last = Number.POSITIVE_INFINITY;
  let isTaken = false;
  return (index) => {
    if (index <= last) isTaken = false;
    last = index;
    const accepted = !isTaken;
    isTaken = true;
    return accepted;
  };
}

function* combinations(count: number, below: number, first = 0): Generator<number[]> {
  if (count === 0) yield [];
  else {
    for (let index = first; index < below; index++) {
      for (const rest of combinations(count - 1, below, index + 1)) yield [index, ...rest];
    }
  }
}

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

test('differences of two copies are erasures, m of them in a column', () => {
  // In each column one copy is wrong in three blocks, more than errors can be found of, and the other in a fourth.
  const isWrong = (copy: number, index: number) => (column: number) => {
    const turned = (index + column) % 10;
    return column % 2 === copy ? turned < 3 : turned === 3;
  };
  const candidates = candidatesOf(small, (body, index) =>
    [0, 1].map((copy) => wrongIn(body, isWrong(copy, index), index)),
  );
  assert.deepEqual(search(small, candidates), { lost: [], hashed: [0, 1, 2, 3, 4, 5] });
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

/**
 * Damage in which `sure` columns alone can be proven, and a block is wrong in `wrong` of them. Where that block is taken for something else
 * it can be solved in the one column that is beyond all others, and comes back.
 */
function judged(sure: number, wrong: number): readonly number[] {
  const [unsolvable, tight] = [4000, 4001];
  const candidates = candidatesOf(middle, (body, index) => {
    // 0 and 1 make a second error where 7 is wrong, and one erasure too many in a column that stays as it is.
    const half = Math.ceil(wrong / 2);
    if (index === 0)
      return [1, 2].map((copy) =>
        wrongIn(
          wrongIn(body, (at) => at < half),
          (at) => at === unsolvable,
          copy,
        ),
      );
    if (index === 1)
      return [1, 2].map((copy) =>
        wrongIn(
          wrongIn(body, (at) => at >= half && at < wrong),
          (at) => at === unsolvable,
          copy,
        ),
      );
    if (index === 7) return [wrongIn(body, (column) => column < wrong || column === tight, 7)];
    // Five copies that differ everywhere but in the sure columns.
    if (index < 7) return [0, 1].map((copy) => wrongIn(body, (column) => column >= sure, 2 * index + copy));
    return undefined;
  });
  return search(middle, candidates).lost;
}

test('a copy that is wrong in more than an eighth of 64 sure columns is something else, in no more or of fewer is not', () => {
  assert.deepEqual(judged(64, 9), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(judged(64, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(judged(63, 9), [0, 1, 2, 3, 4, 5, 6, 7]);
});

test('blocks are put together from any two of four copies, where parity is of no use', () => {
  const right = small.bodies[0]!;
  const noise = new Seeded('other copies');
  const good = [wrongIn(right, (column) => column < 4), wrongIn(right, (column) => column >= 4 && column < 8)];
  const lostOfCopies = (copies: readonly Uint8Array[]) =>
    search(
      small,
      candidatesOf(small, (_, index) => (index === 0 ? [...copies] : index < 6 ? undefined : [])),
    ).lost;
  for (const [first, second] of combinations(2, 4)) {
    const copies = Array.from({ length: 4 }, () => noise.bytes(bodySizeBytes));
    copies[first!] = good[0]!;
    copies[second!] = good[1]!;
    assert.deepEqual(lostOfCopies(copies), [], `${first} and ${second}`);
    // A fifth copy is not looked at.
    assert.deepEqual(
      lostOfCopies([...copies.slice(0, first), noise.bytes(bodySizeBytes), ...copies.slice(first)]),
      second === 3 ? [0] : [],
    );
  }
});

test('parity that is wrong though it claims to be whole leaves what copies can give', () => {
  const candidates = candidatesOf(small, (body, index) => {
    if (index === 1 || index === 3)
      return [wrongIn(body, (column) => column < 4), wrongIn(body, (column) => column === 99)];
    return undefined;
  }).map((candidate, index) => (index === 7 ? { intact: small.bodies[8], damaged: [] } : candidate));
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

test('what one copy gains leaves fewer for the next round', () => {
  const noise = new Seeded('own copy');
  const candidates = candidatesOf(small, (body, index) => {
    if (index > 5) return undefined;
    const copy = wrongIn(body, (column) => (column === 77 ? index < 3 : index === column % 6), index);
    return [copy, noise.bytes(bodySizeBytes)];
  });
  assert.deepEqual(search(small, candidates).lost, []);
});

test('of two copies the one that is something else is left out, and the other counts', () => {
  const [tight, unsolvable] = [50, 60];
  const noise = new Seeded('second copy');
  const candidates = candidatesOf(middle, (body, index) => {
    if (index > 7) return undefined;
    const isWrong = (column: number) => column === unsolvable || (index < 4 && column === tight);
    // Four erasures and an error, or five erasures and an error where the noise of block 4 has its say.
    if (index === 7) return [wrongIn(body, (column) => column === tight)];
    if (index === 4) return [wrongIn(body, (column) => column === unsolvable), noise.bytes(bodySizeBytes)];
    return [1, 2].map((copy) => wrongIn(body, isWrong, 8 * index + copy));
  });
  assert.deepEqual(search(middle, candidates).lost, [0, 1, 2, 3, 4, 5, 6]);
});

test('what is put together of copies leaves fewer for the next round', () => {
  const candidates = candidatesOf(small, (body, index) => {
    if (index === 0) return [wrongIn(body, (column) => column < 2), wrongIn(body, (column) => column === 9)];
    return [1, 6, 7, 8].includes(index) ? [] : undefined;
  });
  assert.deepEqual(search(small, candidates).lost, []);
});

test('copies are put together once, and no more is tried once that has failed', () => {
  // Nothing but copies is left of block 0, of which the first and the last make the right one, and of 1, whose two differ in nine bytes.
  const wrong = [[1, 2], [1, 3], [5]];
  const candidates = candidatesOf(small, (body, index) => {
    if (index === 0) return wrong.map((columns) => wrongIn(body, (column) => columns.includes(column)));
    if (index === 1) return [wrongIn(body, (column) => column < 5), wrongIn(body, (column) => column > 4043)];
    return index > 5 ? [] : undefined;
  });
  const { lost, hashed } = search(small, candidates);
  assert.deepEqual(lost, [1]);
  // All copies together, and one by one; the four combinations of the first two, and four of those of the first and the last. Then, of what
  // is left, all together and one by one.
  assert.deepEqual(hashed, [0, 1, 0, 1, ...Array(8).fill(0), 1, 1]);
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
    [3000, [1, 2, 3, 6, 7]],
  ]);
  const candidates = candidatesOf(small, (body, index) => {
    if (index === 5 || index === 9) return undefined;
    const copy = wrongIn(body, (column) => wrong.get(column)?.includes(index) === true, index);
    return [index === 4 ? copy.fill(0x55, 100, 140) : copy];
  });
  assert.deepEqual(search(small, candidates).lost, [1, 2, 3]);
});

test('a round for each block, and 64 rounds at most', () => {
  const stripe = makeStripe(66, { dataBlocks: 191, parityBlocks: 64 });
  const candidates = candidatesOf(stripe, (body, index) => (index < 66 ? [body] : undefined));
  const { lost } = search(stripe, candidates, onePerSweep());
  assert.deepEqual(lost, [64, 65]);
});

test('one copy with few errors does where the others are wrong everywhere', () => {
  for (const good of [0, 1, 2]) {
    const noise = new Seeded(`copies ${good}`);
    const candidates = candidatesOf(small, (body, index) => {
      const copy = wrongIn(body, (column) => index === column % 10, index);
      return [0, 1, 2].map((at) => (at === good ? copy : noise.bytes(bodySizeBytes)));
    });
    assert.deepEqual(search(small, candidates).lost, [], `copy ${good}`);
  }
});

test('a million guesses by m are made of a stripe', () => {
  const stripe = makeStripe(191, { dataBlocks: 191, parityBlocks: 64 });
  // The first pair that is guessed in column 1 would be right; but all guesses are spent on column 0, of more pairs than that.
  const candidates = candidatesOf(stripe, (body, index) => {
    const isWrong = (column: number) => (index < 2 || index > 223 ? column === 1 : index < 191 && column === 0);
    return [wrongIn(body, isWrong, index)];
  });
  assert.equal(search(stripe, candidates).lost.length, 191);
  const fewer = candidates.map((candidate, index) =>
    index > 1 && index < 191 ? { ...candidate, intact: stripe.bodies[index] } : candidate,
  );
  assert.deepEqual(search(stripe, fewer).lost, []);
});
