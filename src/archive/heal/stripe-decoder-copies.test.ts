import assert from 'node:assert/strict';
import { test } from 'node:test';
import { candidatesOf, combinations, middle, Seeded, search, small, wrongIn } from '../../../test/archive/stripe.ts';
import { bodySizeBytes } from './geometry.ts';

/** What a stripe's search makes of damaged copies of its blocks. */

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

test('copies of which every combination is wrong are put together once', () => {
  const candidates = candidatesOf(small, (body, index) => {
    if (index === 0) return [1, 2].map((at) => wrongIn(body, (column) => column === at));
    if (index === 1) return [1, 2].map((at) => wrongIn(body, (column) => column === at || column === 50));
    return index > 5 ? [] : undefined;
  });
  const { lost, hashed } = search(small, candidates);
  assert.deepEqual(lost, [1]);
  // Read together, and one by one; four combinations; read once more.
  assert.deepEqual(hashed.filter((index) => index === 1).length, 2 + 4 + 2);
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
