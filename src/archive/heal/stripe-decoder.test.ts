import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  candidatesOf,
  decode,
  fullShape,
  lostOf,
  makeStripe,
  Seeded,
  type Stripe,
  withErased,
} from '../../../test/archive/stripe.ts';
import { bodySizeBytes } from './geometry.ts';
import { decodeStripe } from './stripe-decoder.ts';

/** Copies of the bodies with `count` of the bytes of each column changed, in blocks chosen from `among(column)`. */
function withErrorsInEachColumn(
  stripe: Stripe,
  errors: { count: number; among: (column: number) => readonly number[]; seeded: Seeded },
): Uint8Array[] {
  const bodies = stripe.bodies.map((body) => body.slice());
  for (let column = 0; column < bodySizeBytes; column++) {
    const among = errors.among(column);
    for (const chosen of errors.seeded.choose(errors.count, among.length)) {
      bodies[among[chosen]!]![column]! ^= 1 + (column % 255);
    }
  }
  return bodies;
}

test('an intact stripe comes back as it is', () => {
  const stripe = makeStripe(7);
  const result = decode(stripe, withErased(stripe, [7, 8, 9, 10, 11]));
  assert.equal(result.solvedCount, 0);
  assert.deepEqual(lostOf(result), []);
});

test('every pattern of erasures of small stripes is solved up to m, and none beyond', () => {
  for (const [dataCount, shape] of [
    [1, { dataBlocks: 1, parityBlocks: 2 }],
    [3, { dataBlocks: 3, parityBlocks: 2 }],
    [5, { dataBlocks: 6, parityBlocks: 3 }],
    [2, fullShape],
    [4, { dataBlocks: 191, parityBlocks: 64 }],
  ] as const) {
    const stripe = makeStripe(dataCount, shape);
    const total = stripe.bodies.length;
    for (let pattern = 0; pattern < 2 ** total; pattern++) {
      const erased = stripe.bodies.map((_, index) => index).filter((index) => (pattern >> index) & 1);
      const expected = erased.length <= stripe.parityRows ? [] : erased.filter((index) => index < dataCount);
      assert.deepEqual(lostOf(decode(stripe, withErased(stripe, erased))), expected);
    }
  }
});

test('random erasures of large stripes are solved up to m, and none beyond', () => {
  const seeded = new Seeded('erasures');
  for (const [dataCount, shape] of [
    [239, fullShape],
    [60, fullShape],
    [191, { dataBlocks: 191, parityBlocks: 64 }],
  ] as const) {
    const stripe = makeStripe(dataCount, shape);
    for (let run = 0; run < 5; run++) {
      const erased = seeded.choose(stripe.parityRows + 1, stripe.bodies.length);
      assert.deepEqual(lostOf(decode(stripe, withErased(stripe, erased.slice(1)))), []);
      const lost = erased.filter((index) => index < dataCount).sort((a, b) => a - b);
      assert.deepEqual(lostOf(decode(stripe, withErased(stripe, erased))), lost);
    }
  }
});

test('half of m unknown errors in each column are corrected, and two more are not', () => {
  const seeded = new Seeded('errors');
  for (const [dataCount, shape] of [
    [239, fullShape],
    [191, { dataBlocks: 191, parityBlocks: 64 }],
  ] as const) {
    const stripe = makeStripe(dataCount, shape);
    const all = stripe.bodies.map((_, index) => index);
    const half = Math.floor(stripe.parityRows / 2);
    for (const [errors, lostCount] of [
      [half, 0],
      [half + 2, dataCount],
    ] as const) {
      const bodies = withErrorsInEachColumn(stripe, { count: errors, among: () => all, seeded });
      const result = decode(
        stripe,
        candidatesOf(stripe, (_, index) => [bodies[index]!]),
      );
      assert.equal(lostOf(result).length, lostCount);
    }
  }
});

test('lost blocks and unknown errors together are corrected up to 2e + f = m', () => {
  const seeded = new Seeded('mixed');
  const stripe = makeStripe(239);
  for (const [errors, erasures] of [
    [1, 14],
    [5, 6],
    [7, 2],
  ] as const) {
    const order = seeded.choose(255, 255);
    const erased = order.slice(0, erasures);
    for (const more of [0, 2]) {
      const bodies = withErrorsInEachColumn(stripe, {
        count: errors + more,
        among: () => order.slice(erasures),
        seeded,
      });
      const result = decode(
        stripe,
        candidatesOf(stripe, (_, index) => (erased.includes(index) ? [] : [bodies[index]!])),
      );
      assert.equal(lostOf(result).length, more === 0 ? 0 : 239);
    }
  }
});

test('m differences of two copies in each column are erasures, and one copy with m/2 errors does for more', () => {
  const seeded = new Seeded('differences');
  const stripe = makeStripe(239);
  const order = seeded.choose(255, 255);
  const halves = [order.slice(0, 127), order.slice(127)] as const;
  // No block has both copies wrong in the same column, and none has a copy that is right.
  for (const [first, second, lostCount] of [
    [4, 12, 0],
    [8, 8, 0],
    [8, 40, 0],
    [30, 7, 0],
    [10, 10, 239],
  ] as const) {
    const one = withErrorsInEachColumn(stripe, { count: first, among: (column) => halves[column % 2]!, seeded });
    const other = withErrorsInEachColumn(stripe, {
      count: second,
      among: (column) => halves[1 - (column % 2)]!,
      seeded,
    });
    const result = decode(
      stripe,
      candidatesOf(stripe, (_, index) => [one[index]!, other[index]!]),
    );
    assert.equal(lostOf(result).length, lostCount, `${first} and ${second}`);
  }
});

test('a few columns with one error too many are solved in the blocks that are still wrong', () => {
  const seeded = new Seeded('too many');
  const stripe = makeStripe(239);
  const bodies = stripe.bodies.map((body) => seeded.damage(body, 1 / 1000));
  for (const column of [0, 1000, 2000, 3000]) {
    for (const index of seeded.choose(9, 255)) bodies[index]![column] = stripe.bodies[index]![column]! ^ 0x55;
  }
  assert.deepEqual(
    lostOf(
      decode(
        stripe,
        candidatesOf(stripe, (_, index) => [bodies[index]!]),
      ),
    ),
    [],
  );
});

for (const copies of [2, 1]) {
  test(`one byte in 250 wrong in ${copies === 2 ? 'both copies' : 'the only copy'}, for all lengths of stripes`, () => {
    for (const dataCount of [239, 120, 60, 20, 5, 2, 1]) {
      const seeded = new Seeded(`${copies} copies ${dataCount}`);
      const stripe = makeStripe(dataCount);
      for (let run = 0; run < (dataCount > 100 ? 4 : 10); run++) {
        const damage = (body: Uint8Array) => Array.from({ length: copies }, () => seeded.damage(body, 1 / 250));
        assert.deepEqual(lostOf(decode(stripe, candidatesOf(stripe, damage))), []);
      }
    }
  });
}

test('15 % of the blocks zeroed in both copies', () => {
  const seeded = new Seeded('zeroed');
  const stripe = makeStripe(239);
  const zeros = new Uint8Array(bodySizeBytes);
  for (let run = 0; run < 20; run++) {
    const gone = seeded.fractions(2 * 255).map((fraction) => fraction < 0.15);
    const damage = (_: Uint8Array, index: number) =>
      gone[2 * index] && gone[2 * index + 1] ? [zeros, zeros] : undefined;
    assert.deepEqual(lostOf(decode(stripe, candidatesOf(stripe, damage))), []);
  }
});

test('zeroed blocks among blocks with wrong bytes count as erasures', () => {
  const seeded = new Seeded('holes');
  const stripe = makeStripe(239);
  const zeroed = seeded.choose(10, 255);
  const candidates = candidatesOf(stripe, (body, index) => [
    seeded.damage(zeroed.includes(index) ? new Uint8Array(bodySizeBytes) : body, 1 / 2000),
  ]);
  assert.deepEqual(lostOf(decode(stripe, candidates)), []);
});

test('blocks of something else are found out by the columns that can be solved', () => {
  const seeded = new Seeded('foreign');
  const stripe = makeStripe(239);
  const foreign = seeded.choose(7, 255);
  const candidates = candidatesOf(stripe, (body, index) => [
    foreign.includes(index) ? seeded.bytes(bodySizeBytes) : seeded.damage(body, 1 / 1000),
  ]);
  assert.deepEqual(lostOf(decode(stripe, candidates)), []);
});

test('a bad copy does not spoil a better one, and three copies outvote each other', () => {
  const seeded = new Seeded('better');
  const stripe = makeStripe(239);
  const uneven = candidatesOf(stripe, (body) => [seeded.damage(body, 1 / 10), seeded.damage(body, 1 / 250)]);
  assert.deepEqual(lostOf(decode(stripe, uneven)), []);
  const three = candidatesOf(stripe, (body) => [1, 2, 3].map(() => seeded.damage(body, 1 / 20)));
  assert.deepEqual(lostOf(decode(stripe, three)), []);
});

test('without any parity, blocks are put together from two copies that differ in eight bytes', () => {
  const stripe = makeStripe(20);
  const change = (body: Uint8Array, from: number, to: number) =>
    body.map((byte, at) => (at >= from && at < to ? byte ^ 1 : byte));
  const candidates = candidatesOf(stripe, (body, index) => {
    if (index >= 20) return [];
    return [change(body, 0, 4), change(body, 100, index === 3 ? 105 : 104)];
  });
  assert.deepEqual(lostOf(decode(stripe, candidates)), [3]);
});

test('blocks gained in one round help the next one', () => {
  const seeded = new Seeded('rounds');
  const stripe = makeStripe(239);
  // Nine blocks of noise are more errors than a column bears; the others match once their own columns are solved.
  const noise = seeded.choose(9, 239);
  const candidates = candidatesOf(stripe, (body, index) => {
    if (!noise.includes(index)) return [seeded.damage(body, index < 60 ? 1 / 20_000 : 0)];
    return [body.map((byte, at) => (at % 4 === 0 ? byte ^ 0x0f : byte))];
  });
  assert.deepEqual(lostOf(decode(stripe, candidates)), []);
});

test('bodies that were given back stay as they are when the next stripe is decoded', () => {
  const first = makeStripe(5);
  const second = makeStripe(4);
  const result = decode(first, withErased(first, [0, 3]));
  const bytewise = decode(
    first,
    candidatesOf(first, (body, index) => [body.map((byte, at) => (at === index ? byte ^ 1 : byte))]),
  );
  decode(second, withErased(second, [0, 1, 2]));
  for (const { data } of [result, bytewise]) {
    assert.ok(data.every((body, index) => body !== undefined && Buffer.compare(body, first.bodies[index]!) === 0));
  }
});

test('what matches no hash is never given back, though it is a codeword', () => {
  const stripe = makeStripe(5);
  const { dataCount, parityRows, maximumParityRows } = stripe;
  for (const candidates of [
    candidatesOf(stripe, (body) => [body]),
    candidatesOf(stripe, (body) => [body, body]),
    candidatesOf(stripe, (body, index) => (index < 4 ? [] : [body])),
  ]) {
    const result = decodeStripe({ dataCount, parityRows, maximumParityRows, candidates, matchesHash: () => false });
    assert.deepEqual(lostOf(result), [0, 1, 2, 3, 4]);
    assert.equal(result.solvedCount, 0);
  }
});

test('parity that claims to be whole and is not gives nothing wrong', () => {
  const stripe = makeStripe(20);
  const seeded = new Seeded('forged');
  const candidates = withErased(stripe, [0, 1, 2]).map((candidate, index) =>
    index === 20 ? { intact: seeded.bytes(bodySizeBytes), damaged: [] } : candidate,
  );
  assert.deepEqual(lostOf(decode(stripe, candidates)), [0, 1, 2]);
});

test('random damage of all kinds gives back nothing wrong', () => {
  for (let run = 0; run < 60; run++) {
    const seeded = new Seeded(`any ${run}`);
    const stripe = makeStripe([1, 2, 5, 9, 30][run % 5]!);
    const kinds = seeded.fractions(stripe.bodies.length * 5);
    const candidates = candidatesOf(stripe, (body, index) => {
      const [intact, count, ...shares] = kinds.slice(index * 5, index * 5 + 5) as [number, number, ...number[]];
      if (intact < 0.3) return undefined;
      return shares.slice(0, Math.floor(count * 4)).map((share) => seeded.damage(body, share ** 6));
    });
    decode(stripe, candidates);
  }
});

test('a stripe that does not fit the format is refused', () => {
  const stripe = makeStripe(5);
  const candidates = withErased(stripe, [0]);
  const matchesHash = () => true;
  assert.throws(() => decodeStripe({ dataCount: 5, parityRows: 17, maximumParityRows: 16, candidates, matchesHash }));
  assert.throws(() => decodeStripe({ dataCount: 5, parityRows: 6, maximumParityRows: 16, candidates, matchesHash }));
  assert.throws(() => decodeStripe({ dataCount: 5, parityRows: 5, maximumParityRows: 251, candidates, matchesHash }));
});
